"""A local web server that serves one file, and misbehaves as it is told."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers with the next scripted reply, or with the file as a well-behaved server would."""

    protocol_version = "HTTP/1.1"
    server: WeightsServer

    def do_GET(self):
        self.server.requests.append((self.path, dict(self.headers)))
        self.close_connection = True
        with self.server.script_lock:
            reply = self.server.script.pop(0) if self.server.script else honest
        reply(self)

    def answer(self, status: int, body: bytes = b"", length: int | None = None, **headers: Any) -> None:
        """Sends a response; `length` may promise more than the body holds."""
        self.send_response(status)
        headers.setdefault("Connection", "close")
        headers.setdefault("Content_Length", len(body) if length is None else length)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class WeightsServer(ThreadingHTTPServer):
    """Serves `data` at every path; `script` holds the replies to the next requests."""

    daemon_threads = True

    def __init__(self, data: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.data, self.etag = data, '"one"'
        self.script: list[Reply] = []
        self.script_lock = threading.Lock()
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/net.safetensors"

    @property
    def ranges(self) -> list[str | None]:
        """The Range header of every request."""
        return [headers.get("Range") for _, headers in self.requests]


def honest(handler: Handler) -> None:
    """The whole file, or the range that was asked for if the file is still the same."""
    data, etag = handler.server.data, handler.server.etag
    match = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    if not match or handler.headers.get("If-Range", etag) != etag:
        handler.answer(200, data, ETag=etag)
    elif int(match[1]) >= len(data):
        handler.answer(416, Content_Range=f"bytes */{len(data)}")
    else:
        start = int(match[1])
        handler.answer(206, data[start:], ETag=etag, Content_Range=f"bytes {start}-{len(data) - 1}/{len(data)}")


def cut_after(n: int, **headers: Any) -> Reply:
    """Promises the whole file and closes the connection after n bytes."""

    def reply(handler: Handler) -> None:
        data = handler.server.data
        handler.answer(200, data[:n], length=len(data), **{"ETag": handler.server.etag, **headers})

    return reply


def status(code: int, body: bytes = b"", **headers: Any) -> Reply:
    """Always the same response."""
    return lambda handler: handler.answer(code, body, **headers)


def without_length(data: bytes) -> Reply:
    """Some bytes, and the end of the connection for an end."""
    return lambda handler: handler.answer(200, data, Content_Length=None, ETag=handler.server.etag)


def chunked(pieces: Iterable[bytes], end: bytes = b"0\r\n\r\n") -> Reply:
    """A body in pieces; `end` is sent after them as it is."""

    def reply(handler: Handler) -> None:
        handler.answer(200, Content_Length=None, Transfer_Encoding="chunked", ETag=handler.server.etag)
        with contextlib.suppress(OSError):
            for piece in pieces:
                handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            handler.wfile.write(end)

    return reply


def drip(data: bytes, pause: float) -> Reply:
    """A body byte by byte, with a pause of so many seconds after each, until nobody listens."""

    def reply(handler: Handler) -> None:
        handler.answer(200, length=len(data), ETag=handler.server.etag)
        with contextlib.suppress(OSError):
            for k in range(len(data)):
                handler.wfile.write(data[k : k + 1])
                time.sleep(pause)

    return reply
