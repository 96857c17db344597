"""Headless Chromium for tests, and pages that may not ask other hosts for anything."""

import shutil
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


def _is_foreign(url):
    return urlsplit(url).scheme not in ("data", "blob", "about") and urlsplit(url).hostname not in (None, *_HERE)
