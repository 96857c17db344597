"""Whose turn it is: one at a time, in order, and of each page only what it wishes now."""

import asyncio
import threading

import pytest

from ganwalk.explore.queue import Line, Newest, Superseded
from tests.browser import PATIENCE


def test_works_are_done_in_order_and_one_at_a_time():
    async def run():
        line, running, order = Line(), [0], []

        def work(number):
            running[0] += 1
            assert running[0] == 1
            order.append(number)
            running[0] -= 1
            return number

        assert await asyncio.gather(*(line.run(lambda k=k: work(k)) for k in range(20))) == list(range(20))
        assert order == list(range(20)) and line.waiting == 0

    asyncio.run(run())


def test_pages_take_turns():
    """While one page wishes on and on, the other is served after one of its wishes."""

    async def run():
        line, made = Line(), []
        begun, go_on = threading.Event(), threading.Event()

        def make(wish, check):
            begun.set()
            go_on.wait(PATIENCE)
            made.append(wish)

        first, second = (Newest(line, make, lambda wish, result: None, pytest.fail) for _ in range(2))
        first.ask("a1")
        await asyncio.to_thread(begun.wait, PATIENCE)
        second.ask("b1")
        await asyncio.sleep(0)
        for wish in ("a2", "a3"):
            first.ask(wish)
        go_on.set()
        while first.busy or second.busy:
            await asyncio.sleep(0.001)
        assert made == ["a1", "b1", "a3"] and first.dropped == 1

    asyncio.run(run())


def test_half_done_work_can_give_way_to_a_newer_wish():
    async def run():
        line, shown = Line(), []
        begun, go_on = threading.Event(), threading.Event()

        def make(wish, check):
            begun.set()
            go_on.wait(PATIENCE)
            check()
            return wish

        newest = Newest(line, make, lambda wish, result: shown.append(result), pytest.fail)
        newest.ask(1)
        await asyncio.to_thread(begun.wait, PATIENCE)
        newest.ask(2)
        go_on.set()
        while newest.busy:
            await asyncio.sleep(0.001)
        assert shown == [2] and newest.dropped == 1

    asyncio.run(run())


def test_an_error_is_told_and_the_next_wish_is_served():
    async def run():
        shown, errors = [], []

        def make(wish, check):
            if wish == "bad":
                raise ValueError("no")
            return wish

        newest = Newest(Line(), make, lambda wish, result: shown.append(result), errors.append)
        for wish in ("bad", "good"):
            newest.ask(wish)
            while newest.busy:
                await asyncio.sleep(0.001)
        assert shown == ["good"] and [str(error) for error in errors] == ["no"]

    asyncio.run(run())


def test_what_nobody_wishes_any_more_is_not_made():
    async def run():
        line, made = Line(), []
        begun, go_on = threading.Event(), threading.Event()

        def hold():
            begun.set()
            go_on.wait(PATIENCE)

        holding = asyncio.create_task(line.run(hold))
        await asyncio.to_thread(begun.wait, PATIENCE)
        newest = Newest(line, lambda wish, check: made.append(wish), lambda wish, result: None, pytest.fail)
        newest.ask(1)
        await asyncio.sleep(0)
        newest.forget()
        go_on.set()
        await holding
        while newest.busy:
            await asyncio.sleep(0.001)
        assert made == []

    asyncio.run(run())


def test_a_closed_line_begins_nothing_and_ends_long_work():
    async def run():
        line = Line()
        line.check()
        line.close()
        with pytest.raises(Superseded):
            line.check()
        with pytest.raises(RuntimeError):
            await line.run(lambda: 1)

    asyncio.run(run())
