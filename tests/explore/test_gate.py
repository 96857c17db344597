"""Who may come in: every case as the messages that a server would hand over."""

import asyncio

import pytest

from ganwalk.errors import GanwalkError
from ganwalk.explore.gate import Gate, check_token

TOKEN = "a-token-nobody_guesses"


def visit(gate, kind="http", method="GET", query="", port=7860, **headers):
    """Messages that a visitor gets, and whether the application was reached."""
    reached, sent = [], []

    async def app(scope, receive, send):
        reached.append(scope["type"])
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    pairs = [
        (name.replace("_", "-").encode(), value.encode("latin-1"))
        for name, values in headers.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    scope = {"type": kind, "headers": pairs, "query_string": query.encode(), "server": ("127.0.0.1", port)}
    if kind == "http":
        scope["method"] = method
    gate.app = app
    asyncio.run(gate(scope, receive, send))
    return sent, bool(reached)


def local(token=None):
    return Gate(None, token=token, local=True)


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "LOCALHOST", "[::1]:7860", "127.0.0.1:9"])
def test_this_machine_is_let_in_by_any_of_its_names(kind, host):
    assert visit(local(), kind, host=host)[1]
    assert visit(local(), kind, host=host, origin=f"http://{host}")[1]


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example:7860"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "evil.example:7860", "origin": "http://evil.example:7860"},
        {"host": "127.0.0.1@evil.example"},
        {"host": "[::1"},
        {"host": ""},
        {},
        {"host": "127.0.0.1:7860", "origin": "http://evil.example"},
        {"host": "127.0.0.1:7860", "origin": "http://127.0.0.1:9999"},
        {"host": "127.0.0.1:7860", "origin": "null"},
        {"host": "127.0.0.1:7860", "origin": "http://[::1"},
        {"host": "127.0.0.1:7860", "origin": ""},
    ],
)
def test_pages_of_other_sites_are_refused(kind, headers):
    sent, reached = visit(local(), kind, **headers)
    assert not reached
    if kind == "http":
        assert sent[0]["status"] == 403
    else:
        assert sent == [{"type": "websocket.close", "code": 1008}]


LINK = {"sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}


@pytest.mark.parametrize("token", [None, TOKEN])
@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
@pytest.mark.parametrize(
    ("kind", "method", "how"),
    [
        ("http", "GET", {}),
        ("http", "GET", {"sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"}),
        ("http", "GET", {"sec_fetch_mode": "cors", "sec_fetch_dest": "empty"}),
        ("http", "GET", {"sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"}),
        ("http", "GET", {"sec_fetch_mode": "navigate", "sec_fetch_dest": "object"}),
        ("http", "POST", LINK),
        ("http", "HEAD", LINK),
        ("websocket", "GET", {"sec_fetch_mode": "websocket", "sec_fetch_dest": "websocket"}),
        ("websocket", "GET", LINK),
    ],
)
def test_other_sites_embed_and_fetch_nothing(token, site, kind, method, how):
    cookie = {"cookie": f"ganwalk-7860={TOKEN}"}
    assert not visit(local(token), kind, method, host="localhost:7860", sec_fetch_site=site, **how, **cookie)[1]


@pytest.mark.parametrize("site", ["cross-site", "same-site", "same-origin", "none"])
def test_a_link_opens_the_page_wherever_it_is(site):
    sent, reached = visit(local(), host="localhost:7860", sec_fetch_site=site, **LINK)
    assert reached
    headers = dict(sent[0]["headers"])
    assert headers[b"cross-origin-opener-policy"] == headers[b"cross-origin-resource-policy"] == b"same-origin"
    sent, _ = visit(local(TOKEN), query=f"token={TOKEN}", host="localhost:7860", sec_fetch_site=site, **LINK)
    assert sent[0]["status"] == 303


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "headers",
    [
        {"host": ["localhost:7860", "localhost:7860"]},
        {"host": ["evil.example", "localhost:7860"]},
        {"host": "localhost:7860", "HOST": "evil.example"},
        {"host": "localhost:7860", "origin": ["http://evil.example", "http://localhost:7860"]},
        {"host": "localhost:7860", "sec_fetch_site": ["cross-site", "none"]},
    ],
)
def test_headers_that_come_twice_are_refused(kind, headers):
    assert not visit(local(), kind, **headers)[1]


def test_the_token_leads_to_a_cookie_and_leaves_the_address():
    gate = Gate(None, token=TOKEN, local=False)
    sent, reached = visit(gate, query=f"seeds=1,2&token={TOKEN}&a=0=1", host="box:7860")
    headers = dict(sent[0]["headers"])
    assert not reached and sent[0]["status"] == 303
    assert headers[b"location"] == b"?seeds=1,2&a=0=1"
    cookie = headers[b"set-cookie"].decode()
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    pair = cookie.partition(";")[0]
    for kind in ("http", "websocket"):
        assert visit(gate, kind, host="box:7860", cookie=f"other=1; {pair}")[1]
        assert not visit(gate, kind, host="box:7860", cookie=pair, origin="http://evil.example")[1]
        assert not visit(gate, kind, port=7861, host="box:7861", cookie=pair)[1], "another server's cookie"
    sent, _ = visit(gate, query=f"token={TOKEN}", host="box")
    assert dict(sent[0]["headers"])[b"location"] == b"./"


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("local_only", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"query": "token="},
        {"query": f"token={TOKEN[:-1]}"},
        {"query": f"token={TOKEN}x"},
        {"query": "token=%ff%fe"},
        {"query": f"token={TOKEN}&token=wrong"},
        {"query": f"TOKEN={TOKEN}"},
        {"cookie": "ganwalk-7860=wrong"},
        {"cookie": "ganwalk-7860="},
        {"cookie": "\xff=\xfe; ;;=="},
        {"method": "POST", "query": f"token={TOKEN}"},
    ],
)
def test_nobody_comes_in_without_it(kind, local_only, options):
    sent, reached = visit(Gate(None, token=TOKEN, local=local_only), kind, **{"host": "127.0.0.1:7860", **options})
    assert not reached
    assert sent[0].get("status") == 403 or sent[0]["type"] == "websocket.close"


def test_a_websocket_is_not_opened_by_a_token_in_its_address():
    assert not visit(Gate(None, token=TOKEN, local=False), "websocket", query=f"token={TOKEN}", host="box")[1]


def test_a_location_cannot_be_forged():
    sent, _ = visit(Gate(None, token=TOKEN, local=False), query=f"token={TOKEN}&x=%0d%0aSet-Cookie:%20a=b", host="box")
    assert all(b"\r" not in value and b"\n" not in value for _, value in sent[0]["headers"])


def test_answers_forbid_other_hosts_and_frames():
    sent, _ = visit(local(), host="localhost")
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'self' data:") and "http" not in policy
    assert "frame-ancestors 'none'" in policy and headers["referrer-policy"] == "no-referrer"


def test_tokens_that_can_be_guessed_or_break_an_address_are_refused():
    assert check_token(TOKEN) == TOKEN
    for wrong in ("short", "", "with a space in it", "slash/slash/slash", "ünicode-ünicode", "line\nbreak-line"):
        with pytest.raises(GanwalkError, match="at least 12"):
            check_token(wrong)
