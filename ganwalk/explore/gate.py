"""Who may come in: other web pages may not, and other machines only with a token."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from ganwalk.errors import GanwalkError

# Shorter ones can be guessed.
MIN_TOKEN = 12
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Headers that decide who comes in.
_DECIDING = (b"host", b"origin", b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest")
# The page loads nothing from elsewhere, even if a library of it would like to.
_HEADERS = {
    "content-security-policy": "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; object-src 'none'; "
    "base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    # A page of another site that leads here keeps no hold of ours, and shows nothing of it.
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    return host in _LOOPBACK


def check_token(token: str) -> str:
    """The token, if it is one that can be in a URL and is not easily guessed; GanwalkError otherwise."""
    if len(token) < MIN_TOKEN or not token.isascii() or not token.replace("-", "").replace("_", "").isalnum():
        raise GanwalkError(f"a token has at least {MIN_TOKEN} letters, digits, - and _: leave --token out to get one")
    return token


class Gate:
    """ASGI middleware in front of everything, WebSockets included.

    Requests that come from pages of other sites are refused (they would be sent with our cookie), and, where only this
    machine is served, requests for names that are not this machine's: a foreign site whose name points to 127.0.0.1
    is foreign. A link from another site, such as a notebook or a README, opens the page, which changes nothing; what it
    embeds or fetches of us it does not get. With a token, it is asked for once, as `?token=`, and kept in a cookie.

    Args:
        app: what is served.
        token: what visitors must know; None lets everybody in who can reach the port.
        local: this machine only.
    """

    def __init__(self, app: App, *, token: str | None, local: bool):
        self.app, self.token, self.local = app, token, local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        names = [key.lower() for key, _ in scope["headers"]]
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        # Of two, others on the way may believe the other one.
        if any(names.count(name) > 1 for name in _DECIDING):
            return await _refuse(scope, receive, send, "a header that there can be once came twice")
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        if not self._is_here(headers) or _is_of_another_site(scope, headers):
            return await _refuse(scope, receive, send, "this address is not served here")
        if self.token is not None and not self._knows(scope, headers):
            given = dict(query).get("token", "")
            if scope["type"] == "http" and scope["method"] == "GET" and _same(given, self.token):
                return await self._remember(scope, query, send)
            return await _refuse(
                scope, receive, send, "open the address with the token that ganwalk explore has printed"
            )

        async def send_guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                extra = [(key.encode(), value.encode()) for key, value in _HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", []), *extra]}
            await send(message)

        await self.app(scope, receive, send_guarded)

    def _is_here(self, headers: dict[str, str]) -> bool:
        """Whether a request is meant for us, and comes from our own page."""
        host = headers.get("host", "")
        if self.local and _name(f"//{host}") not in _LOOPBACK:
            return False
        origin = headers.get("origin")
        return origin is None or (host != "" and origin.partition("://")[2].lower() == host.lower())

    def _knows(self, scope: Scope, headers: dict[str, str]) -> bool:
        assert self.token is not None
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(_cookie_name(scope))
        except CookieError:
            return False
        return cookie is not None and _same(cookie.value, self.token)

    async def _remember(self, scope: Scope, query: list[tuple[str, str]], send: Send) -> None:
        """Sets the cookie, and leads to the same page without the token in its address."""
        others = urlencode([(key, value) for key, value in query if key != "token"], safe=",=@")
        # Relative, so that it also holds behind a proxy that serves us from a folder.
        place = f"?{others}" if others else "./"
        cookie = f"{_cookie_name(scope)}={self.token}; HttpOnly; SameSite=Lax; Path=/"
        headers = [(b"location", place.encode()), (b"set-cookie", cookie.encode()), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 303, "headers": [*headers, (b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def _is_of_another_site(scope: Scope, headers: dict[str, str]) -> bool:
    """Whether a browser says that another site, or another port of this host, asks for more than to be led here."""
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return False
    how = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest"))
    return scope["type"] != "http" or scope["method"] != "GET" or how != ("navigate", "document")


def _cookie_name(scope: Scope) -> str:
    # Cookies are shared by all ports of a host: two explorers must not take each other's.
    server = scope.get("server") or ("", 0)
    return f"ganwalk-{server[1]}"


def _name(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _same(given: str, token: str) -> bool:
    """In a time that does not tell how much of it is right."""
    return hmac.compare_digest(given.encode(), token.encode())


async def _refuse(scope: Scope, receive: Receive, send: Send, why: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    body = f"ganwalk: {why}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
