"""From a URL to a whole, checked file: resumed, retried, and refused if it is not what it should be.

Beside the file `x.pkl` lies `x.pkl.sha256` (its hash when it was first seen, in the format of sha256sum), called
`x.pkl.sha256.new` until the file has been read for the first time; and during a download `x.pkl.part` with what has
arrived, `x.pkl.part.json` with the version that it belongs to, and `x.pkl.lock`.
"""

from __future__ import annotations

import contextlib
import email.utils
import functools
import json
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

from ganwalk.errors import GanwalkError, one_line
from ganwalk.files.cache import cache_errors
from ganwalk.files.locks import locked
from ganwalk.files.reading import hash_file, is_web_page
from ganwalk.files.writing import publish, write_text

_T = TypeVar("_T")
OnBytes = Callable[[int, "int | None"], None]
"""Called with the bytes that are there, and with those of the whole file if they are known."""

MAX_BYTES = 8 * 2**30
_BLOCK = 2**16
# Enough of a file to tell a web page by, whatever stands before its first tag.
_HEAD = 1024
_MAX_REDIRECTS = 5
_MAX_WAIT = 60.0
_REDIRECTS = (301, 302, 303, 307, 308)
# Too early, timed out, too many requests, and the server's own troubles: they pass.
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_RECORD, _UNREAD = ".sha256", ".sha256.new"
# A download that has come this much further may fail as often as a new one.
_STRIDE = 2**20


@dataclass(frozen=True)
class Limits:
    """How long and how much.

    Attributes:
        connect_timeout: seconds until a server must have been reached.
        read_timeout: seconds of silence after which a connection counts as cut.
        head_seconds: until the head of an answer must be whole: a server can send it byte by byte.
        least_rate: bytes a second, over `rate_seconds`, below which a connection counts as cut.
        total_seconds: after which a download is left as far as it came, for another call to continue.
        attempts: failures in a row, without progress, that end a download.
        first_delay: seconds before the second attempt; each further one waits twice as long, up to a minute.
        max_bytes: larger files are refused.
    """

    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    head_seconds: float = 60.0
    least_rate: float = 1024.0
    rate_seconds: float = 30.0
    total_seconds: float = 24 * 3600.0
    attempts: int = 5
    first_delay: float = 1.0
    max_bytes: int = MAX_BYTES


@dataclass(frozen=True)
class _Version:
    """What the server said of the file that a part belongs to; `modified` is empty where it may be of two versions."""

    url: str
    etag: str = ""
    modified: str = ""
    total: int | None = None

    @property
    def validator(self) -> str:
        """The value for If-Range, which takes no weak ETag (RFC 9110, section 13.1.5)."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified


class _Passing(Exception):
    """A failure that another attempt may mend; `wait` is what the server asks for, in seconds."""

    def __init__(self, reason: str, wait: float = 0.0, reached: bool = True) -> None:
        super().__init__(reason)
        self.wait = wait
        self.reached = reached


class _Refused(Exception):
    """A failure that no further attempt would mend."""


def obtain(
    url: str,
    target: Path,
    *,
    sha256: str = "",
    progress: OnBytes | None = None,
    limits: Limits | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """The file `target`, downloaded from `url` unless it is there, after its hash has been checked.

    A hash that is seen for the first time counts from when the file has been read: see `first_read`.

    Args:
        url: http or https address.
        target: where the file belongs; its folder is made.
        sha256: first hex digits that its SHA-256 must have; whatever they are, a hash once seen must not change.
        progress: called while bytes arrive.
        limits: timeouts, attempts and the largest size.
        sleep: waits between two attempts.
    Raises:
        GanwalkError: the file cannot be had (naming the URL, and where to put it by hand), or is another one.
    """
    limits = limits or Limits()
    with cache_errors(target):
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            # Two processes that want the same file take turns: the second finds it, or continues the first one's part.
            with locked(target, waiting=lambda: _report(target, progress)):
                if not target.exists():
                    _download(url, target, sha256, progress, limits, sleep)
                    return target
        _accept(target, target, url, sha256)
    return target


@contextlib.contextmanager
def first_read(path: Path) -> Iterator[None]:
    """Around the reading of a file of `obtain`: a hash that was not known counts from its end on.

    Until somebody has read the file, nothing tells that it is what it should be.

    Raises:
        GanwalkError: that of the reading, which names how the file is had again if it was read for the first time.
    """
    unread = _beside(path, _UNREAD)
    try:
        yield
    except GanwalkError as error:
        if not unread.exists():
            raise
        raise GanwalkError(f"{error}; if its download went wrong: delete {path}, and it is downloaded again") from error
    # There is none of a file that has been read before, or was never downloaded.
    with contextlib.suppress(OSError):
        os.replace(unread, _beside(path, _RECORD))


def _download(
    url: str,
    target: Path,
    sha256: str,
    progress: OnBytes | None,
    limits: Limits,
    sleep: Callable[[float], None],
) -> None:
    """Fetches the file into its part, attempt by attempt, and renames it once it is whole and checked."""
    import requests

    part = _beside(target, ".part")
    failures, farthest, reached = 0, _size(part), False
    hash_known = bool(sha256) or _beside(target, _RECORD).exists()
    deadline = time.monotonic() + limits.total_seconds
    with requests.Session() as session:
        while True:
            try:
                _fetch(session, url, part, hash_known, progress, limits, deadline)
                break
            except _Passing as failure:
                reached = reached or failure.reached
                if _size(part) >= farthest + _STRIDE:
                    failures, farthest = 0, _size(part)
                failures += 1
                # Whoever is offline should not wait for all attempts.
                if failures >= (limits.attempts if reached else min(2, limits.attempts)):
                    raise GanwalkError(f"cannot download {url} ({failure}): {_by_hand(url, target)}") from failure
                sleep(min(max(limits.first_delay * 2 ** (failures - 1), failure.wait), _MAX_WAIT))
            except _Refused as refusal:
                if _size(part) == 0:
                    _discard(part)
                raise GanwalkError(f"cannot download {url} ({refusal}): {_by_hand(url, target)}") from refusal
    try:
        _accept(part, target, url, sha256)
    except GanwalkError:
        _discard(part)
        raise
    publish(part, target)
    _discard(part)


def _fetch(
    session: Any,
    url: str,
    part: Path,
    hash_known: bool,
    progress: OnBytes | None,
    limits: Limits,
    deadline: float,
) -> None:
    """One attempt: goes on from what is there, as far as the connection lasts; returns when the part is whole."""
    known = _load_version(part, url)
    start = _size(part) if known else 0
    if known and start and start == known.total:
        return
    # Without a validator, the rest could be another file's; where nobody said how much there is, what is here need not
    # be a beginning. Only a known hash would tell.
    if not known or not (hash_known or (known.validator and known.total is not None)):
        start = 0
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if known and known.validator:
            headers["If-Range"] = known.validator
    with _answer(session, url, headers, limits) as response:
        status = response.status_code
        if status == 206 and start and known:
            version = _continued(response, start, known, hash_known)
            if version is None:
                _discard(part)
                raise _Passing("the server sent another part of the file than was asked for")
        elif status == 416 and start:
            _discard(part)
            raise _Passing("the server has less of the file than is already here")
        elif status == 200:
            start = 0
            version = _Version(url, response.headers.get("ETag", ""), _modified(response), _length(response))
        else:
            raise _unusable(response)
        _check_kind(response, version.total, limits)
        if version.total is None and not hash_known and not _ends_by_itself(response):
            raise _Refused("the server does not say how long it is, so that a part would pass for the whole")
        _receive(response, part, start, version, progress, limits, deadline)
    if version.total is not None and _size(part) != version.total:
        raise _Passing(f"the connection was cut after {_size(part)} of {version.total} bytes")


def _receive(
    response: Any,
    part: Path,
    start: int,
    version: _Version,
    progress: OnBytes | None,
    limits: Limits,
    deadline: float,
) -> None:
    """Appends the body to the first `start` bytes of the part."""
    done = start
    if not start:
        part.unlink(missing_ok=True)
    # Written before the bytes: a part without its version is worth nothing.
    write_text(_beside(part, ".json"), json.dumps(asdict(version)))
    head = b""
    with part.open("ab") as file:
        for block in _blocks(response, limits, deadline):
            if done < _HEAD and not start:
                # Blocks are as large as they come: the first may be a single byte.
                head += block[: _HEAD - done]
                if is_web_page(head):
                    file.truncate(0)
                    raise _Refused("it is a web page, not the file")
            done += len(block)
            if done > (version.total if version.total is not None else limits.max_bytes):
                file.truncate(0)
                raise _Refused(f"it sends more than {version.total or limits.max_bytes} bytes")
            file.write(block)
            if progress:
                progress(done, version.total)
    if done == 0:
        raise _Passing("the server sent nothing")


@contextlib.contextmanager
def _answer(session: Any, url: str, headers: dict[str, str], limits: Limits) -> Iterator[Any]:
    """The response behind all redirects."""
    import requests
    import urllib3

    timeout = (limits.connect_timeout, limits.read_timeout)
    for _ in range(_MAX_REDIRECTS + 1):
        try:
            ask = functools.partial(
                session.get, url, headers=headers, stream=True, timeout=timeout, allow_redirects=False
            )
            response = _within(limits.head_seconds, ask)
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
            raise _Refused(f"{url} is not a web address") from error
        except requests.RequestException as error:
            raise _unanswered(error) from error
        except (ValueError, urllib3.exceptions.HTTPError) as error:
            # What requests lets through of addresses that cannot be parsed.
            raise _Refused(f"{one_line(url, 200)} is not a web address") from error
        with response:
            if response.status_code not in _REDIRECTS:
                yield response
                return
            try:
                following = urljoin(url, response.headers.get("Location", ""))
                secure = urlsplit(following).scheme in ("https", urlsplit(url).scheme)
            except ValueError as error:
                raise _Refused(f"the server of {url} leads to something that is no web address") from error
        if not secure:
            raise _Refused(f"it redirects to {following}, which is not safe")
        url = following
    raise _Refused(f"it redirects more than {_MAX_REDIRECTS} times")


def _within(seconds: float, work: Callable[[], _T]) -> _T:
    """What `work` returns or raises. If that takes longer it fails, and `work` goes on where nobody waits for it."""
    answers: queue.SimpleQueue[tuple[_T | None, BaseException | None]] = queue.SimpleQueue()

    def answer() -> None:
        try:
            answers.put((work(), None))
        except BaseException as error:
            answers.put((None, error))

    threading.Thread(target=answer, daemon=True).start()
    try:
        result, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise _Passing("no answer in time") from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def _blocks(response: Any, limits: Limits, deadline: float) -> Iterator[bytes]:
    """The body in blocks, as they come; a connection that is cut, silent or slow is a failure that passes."""
    import urllib3

    since, came = time.monotonic(), 0
    while True:
        try:
            block = response.raw.read1(_BLOCK, decode_content=False)
        except urllib3.exceptions.HTTPError as error:
            silent = "timed out" in str(error).lower()
            reason = f"nothing came for {limits.read_timeout:g} s" if silent else "the connection was cut"
            raise _Passing(reason) from error
        if not block:
            return
        yield block
        now, came = time.monotonic(), came + len(block)
        if now > deadline:
            raise _Refused(f"it takes longer than {limits.total_seconds:g} s: the same again continues it")
        if now - since > limits.rate_seconds:
            if came < limits.least_rate * (now - since):
                raise _Passing(f"less than {limits.least_rate:g} bytes came in a second")
            since, came = now, 0


def _continued(response: Any, start: int, known: _Version, hash_known: bool) -> _Version | None:
    """The version that a 206 continues, or None if it is not the rest of what is here (RFC 9110, section 14.4).

    A server may ignore If-Range. So the answer itself must say of which version it is, unless a hash will tell.
    """
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    if not match or int(match[1]) != start:
        return None
    total = None if match[3] == "*" else int(match[3])
    if total is not None and (int(match[2]) >= total or known.total not in (None, total)):
        return None
    etag, modified = response.headers.get("ETag", known.etag), response.headers.get("Last-Modified", known.modified)
    if (known.etag and etag != known.etag) or (known.modified and modified != known.modified):
        return None
    said = (response.headers.get("ETag"), response.headers.get("Last-Modified"))
    if not hash_known and known.validator not in said:
        return None
    return _Version(known.url, known.etag, known.modified, known.total if total is None else total)


def _modified(response: Any) -> str:
    """Last-Modified, if it is that of one version only: a minute before the answer (RFC 9110, section 8.8.2.2)."""
    text = response.headers.get("Last-Modified", "")
    try:
        date, modified = map(email.utils.parsedate_to_datetime, (response.headers.get("Date", ""), text))
        return text if (date - modified).total_seconds() >= 60 else ""
    except (ValueError, TypeError, OverflowError):
        return ""


def _ends_by_itself(response: Any) -> bool:
    """Whether a body without a length shows whether it is whole."""
    return "chunked" in response.headers.get("Transfer-Encoding", "").lower()


def _check_kind(response: Any, total: int | None, limits: Limits) -> None:
    """Refuses what cannot be the file: web pages, compressed bodies, sizes out of bounds."""
    if response.headers.get("Content-Type", "").split(";")[0].strip().lower() in ("text/html", "application/xhtml+xml"):
        raise _Refused("it is a web page, not the file")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise _Refused("it comes compressed although that was not asked for")
    if total is not None and total > limits.max_bytes:
        raise _Refused(f"it has {total} bytes, more than the {limits.max_bytes} that are allowed")


def _unusable(response: Any) -> Exception:
    status = response.status_code
    if status in _PASSING:
        return _Passing(f"the server answers {status}", _retry_after(response))
    return _Refused(f"the server answers {status}")


def _retry_after(response: Any) -> float:
    """Seconds that the server asks to wait (RFC 9110, section 10.2.3): a number, or a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _length(response: Any) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _unanswered(error: Exception) -> _Passing:
    import requests
    import urllib3

    if isinstance(error, requests.exceptions.SSLError):
        return _Passing("its certificate is not valid", reached=False)
    if isinstance(error, requests.Timeout):
        return _Passing("no answer in time", reached=isinstance(error, requests.ReadTimeout))
    if error.args and isinstance(error.args[0], urllib3.exceptions.ProtocolError):
        return _Passing("the connection was cut")
    return _Passing("no connection", reached=False)


def _report(target: Path, progress: OnBytes | None) -> None:
    """Reports what another process has downloaded."""
    part = _beside(target, ".part")
    if progress and part.exists():
        progress(_size(part), None)


def _by_hand(url: str, target: Path) -> str:
    return f"download it elsewhere and put it at {target}"


def _accept(path: Path, target: Path, url: str, sha256: str) -> None:
    """Refuses a file whose hash is not the expected one or not the one first seen; notes the first, unread as it is."""
    with path.open("rb") as file:
        if is_web_page(file.read(_HEAD)):
            raise GanwalkError(f"{path} is a web page, not the file: delete it, {_by_hand(url, target)}")
    found, record = hash_file(path), _beside(target, _RECORD)
    remedy = "delete it, and it is downloaded again" if path == target else "it was not kept; try again later"
    if not found.startswith(sha256):
        raise GanwalkError(
            f"{target.name} from {url} is another file than expected: its SHA-256 is {found}, not {sha256}…; {remedy}"
        )
    seen = record.read_text(encoding="utf-8").split()[:1] if record.exists() else []
    if seen and seen[0] != found:
        raise GanwalkError(
            f"{target.name} from {url} has changed: its SHA-256 is {found}, the one first seen is {seen[0]}; {remedy}; "
            f"if the change is wanted, delete {record}"
        )
    if not seen:
        # What is there and good serves where nothing can be written, too.
        with contextlib.suppress(GanwalkError) if path == target else contextlib.nullcontext():
            write_text(_beside(target, _UNREAD), f"{found}  {target.name}\n")


def _load_version(part: Path, url: str) -> _Version | None:
    """The version that a part belongs to; None if there is none, or none of this URL."""
    try:
        facts = json.loads(_beside(part, ".json").read_text(encoding="utf-8"))
        version = _Version(**facts)
    except (OSError, ValueError, TypeError):
        return None
    texts = all(isinstance(text, str) for text in (version.etag, version.modified))
    return version if texts and version.url == url and isinstance(version.total, (int, type(None))) else None


def _beside(path: Path, suffix: str) -> Path:
    return path.parent / f"{path.name}{suffix}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _beside(part, ".json").unlink(missing_ok=True)
