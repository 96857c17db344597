"""Pages of the explorer in Chromium, as its tests open, read and touch them."""

import base64
import io
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager

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


@contextmanager
def serving(folder, *options, program=None):
    """A server in a folder, and the address that it prints; `program` runs instead of the command's own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    started = ["-m", "ganwalk"] if program is None else ["-c", program]
    command = [sys.executable, *started, "explore", "--port", "0", "--no-open", *options]
    process = subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
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
        process.communicate()


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
