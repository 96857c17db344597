"""Messages that no page sends, to a running server: each is one line of its log, and the page goes on."""

import json
import logging
import re
import threading
import time
from contextlib import contextmanager
from urllib.request import urlopen

import pytest

from ganwalk.explore.log import OneLine
from tests.explorer import serving, until

pytest.importorskip("nicegui")
client = pytest.importorskip("websockets.sync.client")
DROPPED = "a message that nobody understands was dropped"
DEEP = "[" * 100_000
MALFORMED = {
    "empty": "",
    "no packet": "x",
    "unknown packet": "9",
    "padding": "bAAAAAAA",
    "no event": "42",
    "nothing in it": "4",
    "no JSON": "42[",
    "an object": "42{}",
    "deep": "42" + DEEP,
    "an error": "44",
    "bytes": b"\x00\x01",
    "no arguments": '42["event"]',
    "a number": '42["event",5]',
    "no client": '42["event",{}]',
    "a handshake of nothing": '42["handshake",null]',
    "a list for a name": '42["log",{"client_id":[]}]',
    "escapes": '42["\x1b[31m\x9b",1]',
    "a long number": "4" + "9" * 5000,
}
VALUES = [
    [],
    [5],
    ["1"],
    ['"\x1b[2J"', "[]"],
    ["1", "5", '"x"'],
    ["1", "null"],
    ["null", "1"],
    ["99", "{}"],
    ["[" * 5000],
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of an explorer, and a list that its log goes to, line by line."""
    said = []
    with serving(tmp_path_factory.mktemp("log"), "--directions", "random", "-g", "blobs") as (address, process):
        reading = threading.Thread(target=lambda: said.extend(iter(process.stdout.readline, "")), daemon=True)
        reading.start()
        yield address, said


@contextmanager
def connected(address, query=""):
    """A socket like that of a page."""
    url = f"ws{address[4:]}_nicegui_ws/socket.io/?EIO=4&transport=websocket{query}"
    with client.connect(url, max_size=None) as socket:
        socket.recv(timeout=20)
        socket.send("40")
        assert socket.recv(timeout=20).startswith("40")
        yield socket


@pytest.mark.slow
def test_malformed_messages_are_one_line_each(server):
    address, said = server
    for name, message in MALFORMED.items():
        before = len(said)
        with connected(address) as socket:
            socket.send(message)
            until(lambda before=before: len(said) > before)
        assert DROPPED in said[-1] and len(said) == before + 1, name
        assert said[-1].strip().isprintable() and len(said[-1]) < 250
    assert urlopen(address).status == 200


@pytest.mark.slow
def test_values_that_no_control_sends_are_one_line_each(server):
    address, said = server
    page = urlopen(address).read().decode()
    name = re.search("client_id': '([^']+)'", page)[1]
    page = page.replace("&quot;", '"').replace('\\"', '"')
    listeners = re.findall('"(\\d+)":\\{(?:(?!"\\d+":\\{).)*?"listener_id":"([^"]+)"', page)
    query = f"&client_id={name}&tab_id=t&document_id=d&implicit_handshake=true&next_message_id=0"
    before = len(said)
    with connected(address, query) as socket:
        threading.Thread(target=lambda: [None for _ in socket], daemon=True).start()
        for element, listener in listeners:
            for values in VALUES:
                facts = {"client_id": name, "id": int(element), "listener_id": listener, "args": values}
                socket.send("42" + json.dumps(["event", facts]))
        until(lambda: sum("commit" in line for line in said) > 1)
        time.sleep(1)
    lines = said[before:]
    assert len(listeners) > 30 and len(lines) > 30
    assert [line for line in lines if DROPPED not in line or not line.strip().isprintable()] == []


def test_errors_of_our_own_keep_their_trace():
    def record(act):
        try:
            act()
        except Exception as error:
            kept = logging.LogRecord("asyncio", logging.ERROR, "", 0, "failed", (), (type(error), error, None))
            OneLine().filter(kept)
            return kept

    assert record(lambda: OneLine().filter(None)).exc_info
    foreign = record(lambda: json.loads("\x1b["))
    assert foreign.exc_info is None and foreign.getMessage().startswith(DROPPED) and foreign.getMessage().isprintable()
