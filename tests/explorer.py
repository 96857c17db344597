"""Pages of the explorer in Chromium, as its tests open, read and touch them."""

import base64
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganwalk.rendering.images import traverse
from ganwalk.samples import DrawnSamples
from tests.browser import PATIENCE

# Alerts go after a while: this keeps what they said.
LISTENING = """
window.alerts = [];
new MutationObserver(() => {
  for (const alert of document.querySelectorAll("[role=alert]")) window.alerts.push(alert.innerText);
}).observe(document, { childList: true, subtree: true });
"""


# Has imported what every explorer needs. Each line that it reads asks for a server, which is a fork, or how one ended.
FORKS = """
import json, os, sys
import ganwalk.explore.opening, ganwalk.explore.server
from ganwalk.commands import main

for line in sys.stdin:
    asked = json.loads(line)
    if "ended" in asked:
        print(os.waitstatus_to_exitcode(os.waitpid(asked["ended"], 0)[1]), flush=True)
    elif (child := os.fork()) == 0:
        os.chdir(asked["folder"])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        output = os.open(asked["output"], os.O_WRONLY)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        sys.argv = ["ganwalk", *asked["words"]]
        exec(asked["program"])
    else:
        print(child, flush=True)
"""
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
WORDS = ("explore", "--port", "0", "--no-open")


class Fork:
    """A server that `forks`, a process that runs `FORKS`, has made; used like a `subprocess.Popen`."""

    def __init__(self, forks, folder, words, program):
        self._forks, self.returncode = forks, None
        with tempfile.TemporaryDirectory() as place:
            output = Path(place) / "output"
            os.mkfifo(output)
            self.pid = self._ask(folder=str(folder), output=str(output), words=words, program=program)
            self.stdout = output.open()

    def send_signal(self, number):
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout=PATIENCE):
        late = threading.Timer(timeout, self.kill)
        late.start()
        try:
            with self.stdout:
                said = self.stdout.read()
            if self.returncode is None:
                self.returncode = self._ask(ended=self.pid)
        finally:
            late.cancel()
        return said, None

    def _ask(self, **facts):
        self._forks.stdin.write(json.dumps(facts) + "\n")
        self._forks.stdin.flush()
        return int(self._forks.stdout.readline())


@contextmanager
def printed_address(process):
    """The address that a server prints, and the server, which is killed at the end."""
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if found := re.search(r"explore at (\S+)", line):
                break
        else:
            pytest.fail(f"no page: {''.join(said)}")
        yield found[1], process
    finally:
        process.kill()
        if not process.stdout.closed:
            process.communicate()


def serving(folder, *options):
    """A server in a folder: the command as people run it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ganwalk", *WORDS, *options],
        cwd=folder,
        env=os.environ | ENVIRONMENT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return printed_address(process)


@pytest.fixture(scope="session")
def forks():
    process = subprocess.Popen(
        [sys.executable, "-c", FORKS],
        env=os.environ | ENVIRONMENT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Nor is this a file, of which the streams of a fork would go on to think that they can seek in it.
        stderr=subprocess.PIPE,
    )
    yield process
    process.communicate()


@pytest.fixture
def serve(forks):
    """Like `serving`, with servers that need not import everything; `program` runs instead of the command's own."""

    def call(folder, *options, program="main()"):
        return printed_address(Fork(forks, folder, [*WORDS, *options], program))

    return call


@pytest.fixture
def open_page(new_page):
    """Opens an address and waits until its pictures are there."""
    expect = pytest.importorskip("playwright.sync_api").expect

    def call(address, **options):
        page = new_page(**{"viewport": {"width": 1400, "height": 900}, **options})
        page.add_init_script(LISTENING)
        page.goto(address)
        expect(page.locator("[data-state=full]")).to_be_visible()
        return page

    return call


def pixels(page, side=0, number=0):
    """Of a sample of a side, as the browser got it."""
    uri = page.locator(".pictures").nth(side).locator("img").nth(number).get_attribute("src")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def truth(generator, directions, edit, seed, **options):
    return traverse(generator, directions, edit, [1.0], DrawnSamples((seed,), **options), batch=8)[0, 0]


def until(condition):
    """Waits for something that is not an attribute of an element."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)


def complained(page, words):
    """Waits for an alert."""
    page.wait_for_function("words => window.alerts.some((alert) => alert.includes(words))", arg=words)


def amplitude(page, index):
    return page.locator(f'[aria-label^="Amplitude of direction {index}"]')
