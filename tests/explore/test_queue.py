"""Whose turn it is: one at a time, in order, and of each page only what it wishes now."""

import asyncio
import threading

import pytest

from ganwalk.explore.queue import Errand, Line, Lines, Newest, Superseded
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


@pytest.mark.parametrize("kind", ["exports", "measurements", "openings"])
def test_what_takes_long_does_not_hold_up_pictures(kind):
    async def run():
        lines, go_on = Lines(), threading.Event()
        begun, errand = threading.Event(), Errand(getattr(lines, kind))

        def work():
            begun.set()
            assert go_on.wait(PATIENCE)
            return "done"

        asking = asyncio.create_task(errand.run(work))
        await asyncio.to_thread(begun.wait, PATIENCE)
        assert await lines.pictures.run(lambda: "a picture") == "a picture"
        assert not asking.done() and errand.words == "working" and errand.line.waiting == 1
        go_on.set()
        assert await asking == "done" and errand.line.waiting == 0
        lines.close()

    asyncio.run(run())


def test_an_errand_ends_where_it_says_how_far_it_is():
    async def run():
        line, done = Line(), []
        begun, go_on = threading.Event(), threading.Event()
        first, second, third = Errand(line), Errand(line), Errand(line)

        def work():
            first.tell("half")
            begun.set()
            assert go_on.wait(PATIENCE)
            first.tell("all")
            done.append("first")

        asking = [asyncio.create_task(first.run(work))]
        await asyncio.to_thread(begun.wait, PATIENCE)
        asking += [asyncio.create_task(errand.run(lambda: done.append("other"))) for errand in (second, third)]
        await asyncio.sleep(0)
        assert (first.words, second.words) == ("half", "waiting") and line.waiting == 3
        first.cancel()
        second.cancel()
        go_on.set()
        ended = await asyncio.gather(*asking, return_exceptions=True)
        assert [isinstance(error, Superseded) for error in ended] == [True, True, False] and done == ["other"]

    asyncio.run(run())


def test_a_closed_line_ends_errands():
    async def run():
        line = Line()
        errand = Errand(line)
        begun, go_on = threading.Event(), threading.Event()

        def work():
            begun.set()
            assert go_on.wait(PATIENCE)
            errand.tell("on")

        asking = asyncio.create_task(errand.run(work))
        await asyncio.to_thread(begun.wait, PATIENCE)
        line.close()
        go_on.set()
        with pytest.raises(Superseded):
            await asking

    asyncio.run(run())
