"""The memory of closed pages is given back: once for all that close together, and whatever refers to itself."""

import asyncio
import gc
import weakref

from ganwalk.explore.memory import Sweep, give_back
from tests.browser import PATIENCE


def test_pages_that_close_together_are_swept_once_and_later_ones_again():
    async def run():
        swept, done = [], asyncio.Event()

        def work():
            swept.append(1)
            done.set()

        sweep = Sweep(work, seconds=0.01)
        for count in (1, 2):
            done.clear()
            for _ in range(5):
                sweep.ask()
            assert len(swept) == count - 1
            await asyncio.wait_for(done.wait(), PATIENCE)
            assert len(swept) == count

    asyncio.run(run())


def test_what_refers_to_itself_is_freed():
    class Part:
        pass

    gc.disable()
    try:
        part = Part()
        part.itself, seen = part, weakref.ref(part)
        del part
        assert seen() is not None
        give_back()
        assert seen() is None
    finally:
        gc.enable()
