"""Headless Chromium for tests, and pages that may not ask other hosts for anything."""

import shutil
import time
from urllib.parse import urlsplit

import pytest

_SWITCHES = ("no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking")
_SWITCHES += ("disable-component-update", "disable-sync")
_HERE = ("", "127.0.0.1", "localhost")
# Seconds that tests wait for what has to come. It is no measure of speed: only what hangs takes as long.
PATIENCE = 300.0


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium. A module's own: Playwright keeps an event loop running, which other tests may not want."""
    sync_api = pytest.importorskip("playwright.sync_api")
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("there is no chromium: apt install chromium")
    sync_api.expect.set_options(timeout=1000 * PATIENCE)
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable, args=[f"--{switch}" for switch in _SWITCHES])
        yield launched
        launched.close()


@pytest.fixture
def new_page(browser):
    """A function that opens pages with options of a browser context; fails at the end if one did something forbidden.

    Forbidden are requests to other hosts, errors of scripts, and messages of the console that are errors.
    """
    contexts, faults = [], []

    def open_page(**options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        page.on("request", lambda request: faults.append(request.url) if _is_foreign(request.url) else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


class Wire:
    """What a page and its server tell each other, to be held back, lost, or told twice.

    Made before the page is opened. Messages are passed on as they come, but those to the one that is `held`.
    """

    def __init__(self, page, held=None):
        self.held = held
        self._page, self._waiting, self._told, self._ends = page, [], [], []
        page.route_web_socket("**/socket.io/**", self._join)

    def _join(self, page_end):
        server_end = page_end.connect_to_server()
        self._ends.append((page_end, server_end))
        page_end.on_message(lambda message: self._pass("server", server_end, message))
        server_end.on_message(lambda message: self._pass("page", page_end, message))

    def _pass(self, to, end, message):
        if to == "server":
            self._told.append(message)
        if to == self.held:
            self._waiting.append((end, message))
        else:
            end.send(message)

    def wait(self, words):
        """Until a message with these words is held back."""
        end = time.monotonic() + PATIENCE
        while not any(words in message for _, message in self._waiting):
            assert time.monotonic() < end, "it never came"
            self._page.wait_for_timeout(20)

    def release(self, before=None):
        """Passes on what was held back: all of it, or what came before these words."""
        while self._waiting and (before is None or before not in self._waiting[0][1]):
            end, message = self._waiting.pop(0)
            end.send(message)
        if before is None:
            self.held = None

    def repeat(self, words):
        """Tells the server again what it was told with these words."""
        for message in self._told:
            if words in message:
                self._ends[-1][1].send(message)

    def cut(self):
        """Loses what was held back, and the connection with it; the page makes another one."""
        self._waiting.clear()
        self.held = None
        for end in self._ends.pop():
            end.close()


def _is_foreign(url):
    return urlsplit(url).scheme not in ("data", "blob", "about") and urlsplit(url).hostname not in (None, *_HERE)
