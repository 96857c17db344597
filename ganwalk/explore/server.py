"""The start: a socket, the gate, and a page for everybody who comes in."""

from __future__ import annotations

import gc
import os
import socket
import sys
import warnings
from collections.abc import Callable

import nicegui
import uvicorn
from fastapi import FastAPI, Request, Response
from nicegui import ui

from ganwalk.errors import GanwalkError
from ganwalk.explore.arrivals import MAX_BYTES
from ganwalk.explore.gate import Gate
from ganwalk.explore.log import keep_log_short
from ganwalk.explore.memory import Sweep
from ganwalk.explore.opening import Opened
from ganwalk.explore.own import Inbox
from ganwalk.explore.page import Page
from ganwalk.explore.queue import Lines

# Ports that are tried one after the other, if none was asked for.
FIRST_PORT, _PORTS = 7860, 40
# Seconds that a tab may be out of reach (a laptop that slept) before what it showed is forgotten.
_PATIENCE = 60.0


def open_socket(host: str, port: int | None) -> socket.socket:
    """A bound socket.

    Args:
        port: None takes the first free one from `FIRST_PORT` on, 0 any.
    Raises:
        GanwalkError: the port is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    ports = range(FIRST_PORT, FIRST_PORT + _PORTS) if port is None else [port]
    for candidate in ports:
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, candidate))
            listener.listen()
        except OSError as error:
            listener.close()
            failure = error
            continue
        return listener
    where = f"port {port}" if port is not None else f"ports {FIRST_PORT} to {FIRST_PORT + _PORTS - 1}"
    raise GanwalkError(
        f"cannot serve at {host}, {where}: {failure.strerror or failure}; choose another --port, 0 for any"
    )


def page_address(listener: socket.socket, host: str, token: str | None) -> str:
    """The URL of the page, as somebody on this network would open it."""
    wildcard = host in ("0.0.0.0", "::")
    name = socket.gethostname() if wildcard else host
    shown = f"[{name}]" if ":" in name else name
    return f"http://{shown}:{listener.getsockname()[1]}/" + (f"?token={token}" if token else "")


def should_open(wanted: bool | None) -> bool:
    """Whether to open a browser; if nobody said, where there is a screen: a text browser would take the terminal."""
    if wanted is not None:
        return wanted
    has_screen = sys.platform in ("win32", "darwin") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    return has_screen and sys.stdout.isatty()


def serve(
    opened: Opened, listener: socket.socket, *, token: str | None, local: bool, on_ready: Callable[[], None]
) -> None:
    """Serves until it is interrupted.

    Args:
        opened: what is shown, until a page opens something else.
        token: what visitors must know; see `Gate`.
        local: serve this machine only.
        on_ready: called when pages can be opened.
    """
    lines = Lines()
    inbox = Inbox()
    sweep = Sweep()
    app = FastAPI(openapi_url=None)

    @app.post("/drop/{place}")
    async def drop(place: str, request: Request, name: str = "") -> Response:
        data = await _bounded(request, MAX_BYTES)
        if data is None:
            return Response(status_code=413)
        return Response(status_code=204 if inbox.deliver(place, name, data) else 404)

    @ui.page("/")
    def index(request: Request) -> None:
        ui.page_title(f"ganwalk · {opened.studio.directions[0].method}")
        Page(opened, lines, inbox, request.query_params)
        ui.context.client.on_delete(sweep.ask)

    # The bar at the top would follow every request; what the page is busy with, its status says.
    nicegui.app.config.quasar_config["loadingBar"]["skipHijack"] = True
    with warnings.catch_warnings():
        # It looks at every object that there is, also at those that say that they are deprecated.
        warnings.simplefilter("ignore")
        ui.run_with(
            app,
            dark=None,
            language="en-US",
            reconnect_timeout=_PATIENCE,
            binding_refresh_interval=None,
            tailwind=False,
            show_welcome_message=False,
        )
    config = uvicorn.Config(
        Gate(app, token=token, local=local), log_level="warning", timeout_graceful_shutdown=1, ws_max_size=2**20
    )
    server = _Server(config, on_ready)
    # After the configuration, which sets up the log of the server.
    keep_log_short()
    # What is there by now stays: sweeping need not look at it.
    gc.freeze()
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        lines.close()
        gc.unfreeze()


async def _bounded(request: Request, most: int) -> bytes | None:
    """The body of a request; None if it has more bytes than these, which are not kept."""
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > most:
            return None
    return bytes(data)


class _Server(uvicorn.Server):
    """Says when it has begun."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]):
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if not self.should_exit:
            self._on_ready()
