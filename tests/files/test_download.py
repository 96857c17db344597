"""Downloads from a server that cuts, lies, stalls and changes its mind."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from ganwalk.errors import GanwalkError
from ganwalk.files import download, locks, publish, temporaries
from ganwalk.files.download import Limits, first_read, obtain
from tests.weights_server import WeightsServer, chunked, cut_after, drip, honest, status, without_length

DATA = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(DATA).hexdigest()
N = len(DATA)
BLOCK = 2**14
QUICK = Limits(connect_timeout=5, read_timeout=0.3, attempts=4)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def server():
    with WeightsServer(DATA) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield running
        running.shutdown()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / "net.safetensors"


@pytest.fixture
def fetch(server, target):
    """Obtains the server's file and reads it, without waiting between attempts, as it would in `fetch.waits`."""

    def call(url=None, **options):
        call.waits = []
        options = {"limits": QUICK, "sleep": call.waits.append, **options}
        path = obtain(url or server.url, target, **options)
        with first_read(path):
            return path

    return call


@pytest.fixture
def refused(fetch, server, target):
    """Obtains a file that must be refused, with one line, and must leave no file behind."""

    def call(**options):
        with pytest.raises(GanwalkError) as caught:
            fetch(**options)
        message = str(caught.value)
        assert "\n" not in message and not target.exists()
        return message

    return call


def cache(target):
    return sorted(path.name for path in target.parent.iterdir())


def test_a_whole_file(fetch, server, target):
    seen = []
    assert fetch(sha256=SHA256[:8], progress=lambda done, total: seen.append((done, total))) == target
    assert target.read_bytes() == DATA
    assert seen[-1] == (N, N) and [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert (target.parent / "net.safetensors.sha256").read_text() == f"{SHA256}  net.safetensors\n"
    assert cache(target) == ["net.safetensors", "net.safetensors.sha256"]
    fetch()
    assert len(server.requests) == 1 and server.requests[0][1]["Accept-Encoding"] == "identity"


def test_cut_connections_are_resumed(fetch, server, target):
    server.script = [cut_after(6 * BLOCK), cut_after(0)]
    fetch()
    assert target.read_bytes() == DATA and fetch.waits == [1, 2]
    assert server.ranges == [None, f"bytes={6 * BLOCK}-", None]
    server.script, server.requests = [cut_after(18 * BLOCK + 5)], []
    os.remove(target)
    fetch()
    assert server.ranges == [None, f"bytes={18 * BLOCK + 5}-"] and server.requests[1][1]["If-Range"] == '"one"'


def test_progress_forgives_earlier_failures(fetch, server, target, monkeypatch):
    monkeypatch.setattr(download, "_STRIDE", 6 * BLOCK)
    piece = 6 * BLOCK

    def piecewise(handler):
        start = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        span = f"bytes {start}-{N - 1}/{N}"
        body = DATA[start : start + piece]
        if start:
            handler.answer(206, body, length=N - start, ETag='"one"', Content_Range=span)
        else:
            handler.answer(200, body, length=N, ETag='"one"')

    server.script = [piecewise] * 20
    fetch()
    assert target.read_bytes() == DATA and len(server.requests) == 11 and set(fetch.waits) == {1}


def test_a_part_survives_and_is_resumed_by_the_next_call(fetch, refused, server, target):
    server.script = [cut_after(12 * BLOCK)] + [status(503)] * 3
    assert "put it at" in refused()
    assert "net.safetensors.part" in cache(target)
    server.requests = []
    fetch()
    assert server.ranges == [f"bytes={12 * BLOCK}-"] and target.read_bytes() == DATA


def test_a_whole_part_is_not_asked_for_again(fetch, server, target, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "publish", fail)
    with pytest.raises(KeyboardInterrupt):
        fetch()
    monkeypatch.setattr(download, "publish", publish)
    fetch()
    assert len(server.requests) == 1 and target.read_bytes() == DATA


def test_a_changed_file_is_started_again(fetch, refused, server, target):
    server.script = [cut_after(12 * BLOCK)] + [status(503)] * 3
    refused()
    server.data, server.etag, server.requests = DATA[::-1], '"two"', []
    fetch()
    assert server.ranges == [f"bytes={12 * BLOCK}-"] and target.read_bytes() == DATA[::-1]


def wrong_range(content_range, etag='"one"'):
    return status(206, b"x" * 1000, ETag=etag, Content_Range=content_range)


@pytest.mark.parametrize(
    "reply",
    [
        wrong_range(f"bytes 5-1004/{N}"),
        wrong_range(f"bytes {12 * BLOCK}-200999/{N + 1}"),
        wrong_range(f"bytes {12 * BLOCK}-200999/200500"),
        wrong_range("nonsense"),
        wrong_range(None),
        wrong_range(f"bytes {12 * BLOCK}-{N - 1}/{N}", etag='"two"'),
        status(416, Content_Range=f"bytes */{N}"),
    ],
)
def test_wrong_ranges_start_again(fetch, server, target, reply):
    server.script = [cut_after(12 * BLOCK), reply]
    fetch()
    assert server.ranges == [None, f"bytes={12 * BLOCK}-", None]
    assert target.read_bytes() == DATA


def test_a_server_that_ignores_ranges(fetch, server, target):
    server.script = [cut_after(12 * BLOCK), status(200, DATA)]
    fetch()
    assert server.ranges == [None, f"bytes={12 * BLOCK}-"] and target.read_bytes() == DATA


def test_validators(fetch, server, target):
    """Weak ETags do not go into If-Range; with no validator at all only a known hash allows to go on."""
    date = formatdate(0, usegmt=True)
    server.etag = date
    server.script = [cut_after(BLOCK, ETag='W/"one"', Last_Modified=date)]
    fetch()
    assert server.requests[1][1]["If-Range"] == date
    for sha256, ranges in (("", [None, None]), (SHA256[:8], [None, f"bytes={BLOCK}-"])):
        os.remove(target)
        (target.parent / "net.safetensors.sha256").unlink()
        server.script, server.requests = [cut_after(BLOCK, ETag=None)], []
        fetch(sha256=sha256)
        assert server.ranges == ranges and target.read_bytes() == DATA


def test_a_wrong_hash_is_refused_and_not_kept(refused, server, target):
    message = refused(sha256="00000000")
    assert f"its SHA-256 is {SHA256}, not 00000000" in message and server.url in message
    assert cache(target) == []


def test_the_first_seen_hash_must_stay(fetch, refused, server, target):
    fetch()
    os.remove(target)
    server.data = DATA[::-1]
    other = hashlib.sha256(server.data).hexdigest()
    message = refused()
    record = target.parent / "net.safetensors.sha256"
    assert SHA256 in message and other in message and f"delete {record}" in message
    assert cache(target) == ["net.safetensors.sha256"]
    record.unlink()
    fetch()
    assert target.read_bytes() == server.data


def test_a_file_put_there_by_hand(fetch, server, target):
    target.parent.mkdir()
    target.write_bytes(DATA)
    assert fetch(sha256=SHA256[:8]) == target
    assert server.requests == [] and (target.parent / "net.safetensors.sha256").exists()
    target.write_bytes(DATA[::-1])
    with pytest.raises(GanwalkError, match=r"has changed: .* delete it, and it is downloaded again; if the change"):
        fetch()
    with pytest.raises(GanwalkError, match="is another file than expected"):
        fetch(sha256=SHA256[:8])
    target.write_bytes(b"<html>sign in</html>")
    with pytest.raises(GanwalkError, match="is a web page, not the file: delete it"):
        fetch()


@pytest.mark.parametrize(
    "reply",
    [
        status(200, b"weights", Content_Type="text/html; charset=utf-8"),
        status(200, b"\n<!DOCTYPE html><html></html>", Content_Type="application/octet-stream"),
        status(200, b"<?xml version='1.0'?><Error/>"),
        status(200, b"\xef\xbb\xbf<!DOCTYPE html><html></html>"),
        status(200, "\ufeff <html>".encode("utf-16-le")),
        status(200, b"\xef\xbb\xbf\n<!-- " + b"of a proxy " * 20 + b"--><html></html>"),
        status(200, b"<script>location = 'login'</script>"),
        drip(b"<html>sign in</html>", pause=0.001),
    ],
)
def test_web_pages_are_refused(refused, server, target, reply):
    server.script = [reply]
    assert "it is a web page, not the file" in refused()
    assert cache(target) == [] and len(server.requests) == 1


def test_redirects(fetch, refused, server, target):
    server.script = [status(302, Location="/elsewhere"), status(307, Location=f"{server.url}?signed")]
    fetch()
    assert [path for path, _ in server.requests] == ["/net.safetensors", "/elsewhere", "/net.safetensors?signed"]
    assert target.read_bytes() == DATA
    os.remove(target)
    server.script = [status(301, Location="/net.safetensors")] * 20
    assert "redirects more than 5 times" in refused()
    server.script = [status(302, Location="file:///etc/passwd")]
    assert "redirects to file:///etc/passwd, which is not safe" in refused()


def test_https_is_not_left(refused, monkeypatch):
    import requests

    def answer(_, url, **__):
        response = requests.Response()
        response.status_code, response.headers = 302, {"Location": "http://example.org/net.safetensors"}
        response.raw = open(os.devnull, "rb")  # noqa: SIM115 (the response closes it)
        return response

    monkeypatch.setattr(requests.Session, "get", answer)
    assert "redirects to http://example.org/net.safetensors, which is not safe" in refused(url="https://example.org/a")


def test_refusals_of_the_server(refused, fetch, server, target):
    server.script = [status(404)]
    message = refused()
    assert f"cannot download {server.url} (the server answers 404): download it elsewhere and put it at" in message
    assert str(target) in message and len(server.requests) == 1 and fetch.waits == []


def test_busy_servers_are_asked_again(fetch, refused, server, target):
    soon = formatdate(time.time() + 30, usegmt=True)
    server.script = [
        status(503, Retry_After=7),
        status(429, Retry_After=99999),
        status(500, Retry_After=soon),
    ]
    fetch()
    assert target.read_bytes() == DATA
    assert fetch.waits[:2] == [7, 60] and 25 < fetch.waits[2] <= 30
    os.remove(target)
    server.script = [status(502)] * 9
    assert "the server answers 502" in refused()
    assert fetch.waits == [1, 2, 4]


def test_a_stalled_connection_is_resumed(fetch, server, target):
    release = threading.Event()

    def stall(handler):
        handler.answer(200, DATA[: 3 * BLOCK], length=N, ETag='"one"')
        handler.wfile.flush()
        release.wait(10)

    server.script = [stall]
    fetch()
    release.set()
    assert server.ranges == [None, f"bytes={3 * BLOCK}-"] and target.read_bytes() == DATA


def test_a_server_that_hangs_up_without_a_word(fetch, refused, server, target):
    server.script = [lambda handler: None] * 3
    fetch()
    assert fetch.waits == [1, 2, 4] and target.read_bytes() == DATA
    os.remove(target)
    server.script = [lambda handler: None] * 4
    assert "(the connection was cut)" in refused()


def test_offline(fetch, refused, server, target):
    server.shutdown()
    server.server_close()
    message = refused()
    assert f"cannot download {server.url} (no connection): download it elsewhere and put it at {target}" in message
    assert fetch.waits == [1]
    target.write_bytes(DATA)
    assert fetch() == target


def test_sizes_are_bounded(refused, server, target):
    small = Limits(max_bytes=1000)
    assert f"it has {N} bytes, more than the 1000" in refused(limits=small)

    server.script = [chunked(b"x" * 100 for _ in range(100))]
    assert "it sends more than 1000 bytes" in refused(limits=small)
    assert cache(target) == []
    server.script = [status(200, b"few", length=10 * 2**30)]
    assert f"it has {10 * 2**30} bytes, more than" in refused()


def test_compressed_and_empty_answers(refused, server):
    server.script = [status(200, b"x", Content_Encoding="gzip")]
    assert "it comes compressed" in refused()
    server.script = [status(200)] * 9
    assert "the server sent nothing" in refused()


def test_a_damaged_note_beside_the_part(fetch, refused, server, target):
    for note in ("{", "[]", '{"url": 1, "who": 2}', '{"url": "http://other"}'):
        server.script = [cut_after(12 * BLOCK)] + [status(503)] * 3
        refused()
        (target.parent / "net.safetensors.part.json").write_text(note)
        server.requests = []
        fetch()
        assert server.ranges == [None] and target.read_bytes() == DATA
        os.remove(target)


def test_a_full_disk_is_one_line(refused, server, target, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download, "_receive", full)
    message = refused()
    assert f"cannot keep {target}: No space left on device; free some space, or choose" in message
    assert "GANWALK_CACHE" in message


def test_an_unusable_folder(refused, target):
    target.parent.write_text("a file")
    assert "choose another folder with GANWALK_CACHE" in refused()


def script_of(server, target):
    return [
        sys.executable,
        "-c",
        "import sys; from pathlib import Path; from ganwalk.files.download import obtain; "
        "obtain(sys.argv[1], Path(sys.argv[2]))",
        server.url,
        str(target),
    ]


def test_a_good_file_serves_where_nothing_can_be_written(fetch, server, target, monkeypatch):
    target.parent.mkdir()
    target.write_bytes(DATA)

    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(temporaries.tempfile, "mkstemp", refuse)
    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(locks, "_open_locked", refuse)
    assert fetch() == target and server.requests == []


def test_two_processes_take_turns(server, target):
    gate = threading.Event()

    def slow(handler):
        handler.answer(200, DATA[: 3 * BLOCK], length=N, ETag='"one"')
        handler.wfile.flush()
        gate.wait(20)
        handler.wfile.write(DATA[3 * BLOCK :])

    server.script = [slow]
    root = Path(__file__).parents[2]
    both = [subprocess.Popen(script_of(server, target), cwd=root, stderr=subprocess.PIPE) for _ in range(2)]
    deadline = time.monotonic() + 30
    while not server.requests and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    gate.set()
    for process in both:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert len(server.requests) == 1 and target.read_bytes() == DATA


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_ended_process_leaves_its_part_and_no_lock(fetch, server, target, number):
    gate = threading.Event()

    def slow(handler):
        handler.answer(200, DATA[:500_000], length=N, ETag='"one"')
        handler.wfile.flush()
        gate.wait(20)

    server.script = [slow]
    process = subprocess.Popen(script_of(server, target), cwd=Path(__file__).parents[2], stderr=subprocess.PIPE)
    part = target.parent / "net.safetensors.part"
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    process.communicate(timeout=30)
    gate.set()
    size = part.stat().st_size
    assert 0 < size <= 500_000 and not target.exists()
    fetch()
    assert server.ranges == [None, f"bytes={size}-"] and target.read_bytes() == DATA


def test_a_cut_answer_without_a_length_does_not_pass_for_the_whole(fetch, refused, server, target):
    server.script = [without_length(DATA[: N // 2])]
    assert "does not say how long it is" in refused()
    assert cache(target) == [] and len(server.requests) == 1
    # A hash tells whether it is whole.
    server.script = [without_length(DATA[: N // 2])]
    assert "is another file than expected" in refused(sha256=SHA256)
    server.script = [without_length(DATA)]
    fetch(sha256=SHA256)
    assert target.read_bytes() == DATA
    target.unlink()
    server.script = [without_length(DATA[: N // 2])]
    assert "has changed" in refused()
    server.script = [without_length(DATA)]
    fetch()
    assert target.read_bytes() == DATA


def test_chunks(fetch, server, target):
    """They show where the file ends; how long it is they do not, so that a part of it is no beginning."""
    pieces = [DATA[k : k + 50_000] for k in range(0, N, 50_000)]
    server.script = [chunked(pieces[:4], end=b""), chunked(pieces)]
    fetch()
    assert target.read_bytes() == DATA and server.ranges == [None, None]


@pytest.mark.parametrize("size", [b"-5", b"-1", b"none", b"", b"9" * 70_000])
def test_sizes_of_chunks_that_are_none(refused, server, target, size):
    server.script = [chunked([DATA[:100]], end=size + b"\r\nhello\r\n0\r\n\r\n")] * 4
    assert "the connection was cut" in refused()
    assert not (target.parent / "net.safetensors.sha256").exists()


def test_a_hash_counts_once_the_file_has_been_read(server, target):
    """Before that, a wrong file would keep the right one out."""
    server.data = DATA[:1000]
    path = obtain(server.url, target, limits=QUICK)
    again = rf"damaged; if its download went wrong: delete {path}, and it is downloaded again"
    with pytest.raises(GanwalkError, match=again), first_read(path):
        raise GanwalkError(f"{path} is damaged")
    assert cache(target) == ["net.safetensors", "net.safetensors.sha256.new"]
    path.unlink()
    server.data = DATA
    with first_read(obtain(server.url, target, limits=QUICK)):
        assert target.read_bytes() == DATA
    assert cache(target) == ["net.safetensors", "net.safetensors.sha256"]
    with pytest.raises(GanwalkError, match=r"^damaged$"), first_read(target):
        raise GanwalkError("damaged")


def test_a_file_that_is_wrong_at_its_last_byte(fetch, refused, server, target):
    server.data = DATA[:-1] + bytes([DATA[-1] ^ 1])
    assert "is another file than expected" in refused(sha256=SHA256[:16])
    server.data, wrong = DATA, server.data
    fetch()
    target.unlink()
    server.data = wrong
    assert "has changed" in refused() and cache(target) == ["net.safetensors.sha256"]
    target.write_bytes(wrong)
    with pytest.raises(GanwalkError, match="has changed"):
        fetch()


def ignoring_if_range(**headers):
    """The rest of whatever the file is by now."""

    def reply(handler):
        data, start = handler.server.data, int(handler.headers["Range"][6:-1])
        span = f"bytes {start}-{len(data) - 1}/{len(data)}"
        handler.answer(206, data[start:], Content_Range=span, **headers)

    return reply


@pytest.mark.parametrize("said", [{}, {"Last_Modified": formatdate(86400, usegmt=True)}, {"ETag": '"two"'}])
def test_two_versions_are_not_mixed(fetch, refused, server, target, said):
    """By a server that goes by dates, and sends the rest of a file that has another one by now."""
    date = formatdate(0, usegmt=True)
    server.script = [cut_after(12 * BLOCK, ETag=None, Last_Modified=date)] + [status(503)] * 3
    refused()
    server.data, server.requests = DATA[::-1], []
    server.script = [ignoring_if_range(**said), honest]
    fetch()
    assert server.ranges == [f"bytes={12 * BLOCK}-", None] and target.read_bytes() == DATA[::-1]


def test_a_rest_that_says_its_date_is_taken(fetch, server, target):
    date = formatdate(0, usegmt=True)
    server.script = [cut_after(12 * BLOCK, ETag=None, Last_Modified=date), ignoring_if_range(Last_Modified=date)]
    fetch()
    assert server.ranges == [None, f"bytes={12 * BLOCK}-"] and target.read_bytes() == DATA


def test_a_date_of_just_now_may_be_that_of_two_versions(fetch, server, target):
    now = formatdate(time.time(), usegmt=True)
    server.script = [cut_after(12 * BLOCK, ETag=None, Last_Modified=now)]
    fetch()
    assert server.ranges == [None, None] and target.read_bytes() == DATA


def test_a_slow_server_is_left(refused, server, target):
    slow = Limits(attempts=2, rate_seconds=0.1, least_rate=10_000, read_timeout=5)
    server.script = [drip(DATA, pause=0.01)] * 2
    assert "less than 10000 bytes came in a second" in refused(limits=slow)
    assert len(server.requests) == 2 and server.requests[1][1]["If-Range"] == '"one"'


def test_a_download_has_an_end(refused, fetch, server, target):
    server.script = [drip(DATA, pause=0.01)]
    assert "takes longer than 0.1 s: the same again continues it" in refused(limits=Limits(total_seconds=0.1))
    size = (target.parent / "net.safetensors.part").stat().st_size
    fetch()
    assert size > 0 and server.ranges == [None, f"bytes={size}-"] and target.read_bytes() == DATA


def test_an_answer_whose_head_comes_byte_by_byte(refused, server, target):
    def reply(handler):
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 300:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.01)

    server.script = [reply] * 2
    assert "no answer in time" in refused(limits=Limits(attempts=2, head_seconds=0.2))
