"""What many visitors cost the explorer: how long pages take to open, and its memory over time.

python -m tools.visitors --pages 50 --minutes 5

Visitors are clients of the page's socket and no browsers: what is measured is the server. Each visits, moves sliders,
takes other samples, and leaves.
"""

from __future__ import annotations

import asyncio
import html
import json
import os
import random
import re
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import click

# Seconds after which a page that nobody sees is forgotten, where the explorer waits for a minute.
_PATIENCE = 1.0
# Bytes of pictures that it keeps: a store that is soon full, so that whatever grows then is something else.
_KEPT = 2**22
_WAIT = 600.0
_SERVER = f"""
from ganwalk.commands import main
from ganwalk.explore import server, studio
server._PATIENCE, studio._KEPT = {_PATIENCE}, {_KEPT}
main()
"""
_HOURS = 8
_ELEMENTS = re.compile(r"parseElements\(String\.raw`(.*?)`\)", re.DOTALL)
_CLIENT = re.compile(r"[\"']client_id[\"']:\s*[\"']([0-9a-f-]+)[\"']")


@dataclass
class Visitor:
    """One open page.

    Attributes:
        elements: as the server described them last, by number.
        full: set while whole pictures are shown.
    """

    address: str
    socket: Any
    client: str = ""
    elements: dict[str, Any] = field(default_factory=dict)
    full: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self, session: Any) -> float:
        """Opens the page, and returns the seconds until its pictures were there."""
        began = time.monotonic()
        async with session.get(self.address) as response:
            text = await response.text()
        found, client = _ELEMENTS.search(text), _CLIENT.search(html.unescape(text))
        assert found is not None and client is not None
        self.client = client[1]
        self._take(json.loads(html.unescape(found[1])))
        self.socket.on("update", self._take)
        query = f"client_id={self.client}&document_id={uuid.uuid4()}&tab_id={uuid.uuid4()}&next_message_id=0"
        await self.socket.connect(
            f"{self.address}?{query}&implicit_handshake=true",
            transports=["websocket"],
            socketio_path="/_nicegui_ws/socket.io",
            wait_timeout=_WAIT,
        )
        await asyncio.wait_for(self.full.wait(), _WAIT)
        return time.monotonic() - began

    async def leave(self) -> None:
        """Closes the page."""
        await self.socket.disconnect()

    async def press(self, words: str) -> None:
        """Clicks the button that is called so; the first, if several are."""
        element = next(e for e in self.elements.values() if words in str(e.get("props", {}).get("aria-label", "")))
        await self._tell(element, "click", {})

    async def walk(self, number: int, amplitude: float) -> None:
        """Moves a slider, and lets it go."""
        sliders = [e for e in self.elements.values() if any(x["type"] == "drag" for x in e.get("events", ()))]
        slider = sliders[number % len(sliders)]
        count = int(slider["props"].get("acknowledged", 0))
        for offset in range(1, 5):
            await self._tell(slider, "drag", count + offset, amplitude * offset / 5)
        await self._tell(slider, "release", count + 5, amplitude)

    async def settle(self) -> None:
        """Waits until whole pictures of what was asked for are there."""
        await asyncio.sleep(0.02)
        await asyncio.wait_for(self.full.wait(), _WAIT)

    async def _tell(self, element: dict[str, Any], kind: str, *values: Any) -> None:
        listener = next(event for event in element["events"] if event["type"] == kind)
        event = {"id": element["id"], "client_id": self.client, "listener_id": listener["listener_id"]}
        await self.socket.emit("event", {**event, "args": [json.dumps(value) for value in values]})

    def _take(self, update: dict[str, Any]) -> None:
        for number, element in update.items():
            if element is None:
                self.elements.pop(number, None)
            elif number != "_id":
                self.elements[number] = {**element, "id": int(number)}
                state = element.get("props", {}).get("data-state")
                if state == "full":
                    self.full.set()


@dataclass(frozen=True)
class Explorer:
    """A server under measurement."""

    process: subprocess.Popen[str]
    address: str

    @property
    def memory(self) -> float:
        """MB that are resident."""
        import psutil

        return psutil.Process(self.process.pid).memory_info().rss / 2**20

    @property
    def seconds(self) -> float:
        """Of the processor."""
        import psutil

        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system


def start_explorer(options: list[str]) -> Explorer:
    """Starts a server, and returns when it serves."""
    command = [sys.executable, "-c", _SERVER, "explore", "--port", "0", "--no-open", "--threads", "1", *options]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONUNBUFFERED": "1"}, text=True, stdout=subprocess.PIPE)
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"explore at (\S+)", line):
            return Explorer(process, found[1])
    raise click.ClickException("the explorer did not start")


async def visit(session: Any, address: str, dice: random.Random, actions: int) -> None:
    """Somebody who comes, does something, and leaves."""
    visitor = new_visitor(address)
    await visitor.open(session)
    for _ in range(actions):
        if dice.random() < 0.5:
            await visitor.press("Shuffle")
        else:
            await visitor.walk(dice.randrange(20), dice.uniform(-3, 3))
        await visitor.settle()
    await visitor.leave()


def new_visitor(address: str) -> Visitor:
    """Somebody who has not come yet."""
    import socketio

    return Visitor(address, socketio.AsyncClient(reconnection=False))


async def open_many(explorer: Explorer, pages: int) -> None:
    """Opens pages one after the other, then as many at once, and prints what they cost."""
    import aiohttp

    async with aiohttp.ClientSession() as session:
        # Some things are set up once, by whoever comes first.
        await visit(session, explorer.address, random.Random(0), actions=2)
        click.echo(f"{await _rested(explorer):.0f} MB after a first page")
        for label, at_once in (("one after the other", False), ("at once", True)):
            before, used, began = explorer.memory, explorer.seconds, time.monotonic()
            visitors = [new_visitor(explorer.address) for _ in range(pages)]
            if at_once:
                taken = await asyncio.gather(*(visitor.open(session) for visitor in visitors))
            else:
                taken = [await visitor.open(session) for visitor in visitors]
            seconds, open_memory = time.monotonic() - began, explorer.memory
            used = explorer.seconds - used
            for visitor in visitors:
                await visitor.leave()
            after = await _rested(explorer)
            click.echo(
                f"{pages} pages {label}: {seconds:.1f} s ({used:.1f} s of the processor; slowest {max(taken):.2f} s), "
                f"{before:.0f} MB before, {open_memory:.0f} MB open, {after:.0f} MB after they closed"
            )


async def live(explorer: Explorer, minutes: float, at_once: int, seed: int) -> None:
    """Visitors that come and go; prints the memory at the end of each of eight parts, when nobody is there."""
    import aiohttp

    visits = 0
    async with aiohttp.ClientSession() as session:
        for hour in range(1, _HOURS + 1):
            end = time.monotonic() + 60 * minutes / _HOURS

            async def come_and_go(number: int, end: float = end, hour: int = hour) -> int:
                dice, done = random.Random(f"{seed} {hour} {number}"), 0
                while time.monotonic() < end:
                    await visit(session, explorer.address, dice, actions=5)
                    done += 1
                return done

            visits += sum(await asyncio.gather(*map(come_and_go, range(at_once))))
            click.echo(f"part {hour} of {_HOURS}: {visits} visits, {await _rested(explorer):.0f} MB with nobody there")


async def _rested(explorer: Explorer) -> float:
    """Memory when closed pages are forgotten."""
    await asyncio.sleep(_PATIENCE + 7)
    return explorer.memory


@click.command(name="python -m tools.visitors", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--pages", type=click.IntRange(1), default=50, show_default=True, help="Open at once.")
@click.option(
    "--minutes", type=click.FloatRange(0), default=5.0, show_default=True, help="Of visitors that come and go."
)
@click.option("--at-once", type=click.IntRange(1), default=4, show_default=True, help="Of these.")
@click.option("--generator", default="blobs", show_default=True, help="What is explored, in random directions.")
@click.option("--seed", default=0, show_default=True, help="Of what visitors do.")
def main(pages: int, minutes: float, at_once: int, generator: str, seed: int) -> None:
    """Measure the explorer's time and memory with many visitors."""
    explorer = start_explorer(["--generator", generator, "--directions", "random"])
    try:
        click.echo(f"{generator}: {explorer.memory:.0f} MB before the first page")
        asyncio.run(open_many(explorer, pages))
        if minutes:
            asyncio.run(live(explorer, minutes, at_once, seed))
    finally:
        explorer.process.kill()
        explorer.process.communicate()


if __name__ == "__main__":
    main()
