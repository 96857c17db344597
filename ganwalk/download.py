"""From a URL to a whole, checked file: resumed, retried, and refused if it is not what it should be.

Beside the file `x.pkl` lie `x.pkl.sha256` (its hash when it was first seen, in the format of sha256sum) and, during a
download, `x.pkl.part` with what has arrived, `x.pkl.part.json` with the version that it belongs to, and `x.pkl.lock`.
"""

from __future__ import annotations

import contextlib
import email.utils
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from ganwalk.errors import GanwalkError, one_line
from ganwalk.files import is_web_page, locked, publish, write_text

Progress = Callable[[int, "int | None"], None]
"""Called with the bytes that are there, and with those of the whole file if they are known."""

MAX_BYTES = 8 * 2**30
# Of a connection that is cut, the bytes of a block that has not filled are lost: blocks are small.
_BLOCK = 2**14
_MAX_REDIRECTS = 5
_MAX_WAIT = 60.0
_REDIRECTS = (301, 302, 303, 307, 308)
# Too early, timed out, too many requests, and the server's own troubles: they pass.
_PASSING = (408, 425, 429, 500, 502, 503, 504)
# A download that has come this much further may fail as often as a new one.
_STRIDE = 2**20


@dataclass(frozen=True)
class Limits:
    """How long and how much.

    Attributes:
        connect_timeout: seconds until a server must have been reached.
        read_timeout: seconds of silence after which a connection counts as cut.
        attempts: failures in a row, without progress, that end a download.
        first_delay: seconds before the second attempt; each further one waits twice as long, up to a minute.
        max_bytes: larger files are refused.
    """

    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    attempts: int = 5
    first_delay: float = 1.0
    max_bytes: int = MAX_BYTES


@dataclass(frozen=True)
class _Version:
    """What the server said of the file that a part belongs to."""

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
    progress: Progress | None = None,
    limits: Limits | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """The file `target`, downloaded from `url` unless it is there, after its hash has been checked.

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
    with _cache_errors(target):
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            # Two processes that want the same file take turns: the second finds it, or continues the first one's part.
            with locked(target, waiting=lambda: _report(target, progress)):
                if not target.exists():
                    _download(url, target, sha256, progress, limits, sleep)
                    return target
        _accept(target, target, url, sha256)
    return target


def _download(
    url: str,
    target: Path,
    sha256: str,
    progress: Progress | None,
    limits: Limits,
    sleep: Callable[[float], None],
) -> None:
    """Fetches the file into its part, attempt by attempt, and renames it once it is whole and checked."""
    import requests

    part = _beside(target, ".part")
    failures, farthest, reached = 0, _size(part), False
    with requests.Session() as session:
        while True:
            try:
                _fetch(session, url, part, bool(sha256), progress, limits)
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


def _fetch(session: Any, url: str, part: Path, hash_known: bool, progress: Progress | None, limits: Limits) -> None:
    """One attempt: goes on from what is there, as far as the connection lasts; returns when the part is whole."""
    known = _load_version(part, url)
    start = _size(part) if known else 0
    if known and start and start == known.total:
        return
    # Without a validator, the rest could be another file's; only a known hash would tell.
    if not known or not (known.validator or hash_known):
        start = 0
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if known and known.validator:
            headers["If-Range"] = known.validator
    with _answer(session, url, headers, limits) as response:
        status = response.status_code
        if status == 206 and start and known:
            version = _continued(response, start, known)
            if version is None:
                _discard(part)
                raise _Passing("the server sent another part of the file than was asked for")
        elif status == 416 and start:
            _discard(part)
            raise _Passing("the server has less of the file than is already here")
        elif status == 200:
            start = 0
            version = _Version(
                url, response.headers.get("ETag", ""), response.headers.get("Last-Modified", ""), _length(response)
            )
        else:
            raise _unusable(response)
        _check_kind(response, version.total, limits)
        _receive(response, part, start, version, progress, limits)
    if version.total is not None and _size(part) != version.total:
        raise _Passing(f"the connection was cut after {_size(part)} of {version.total} bytes")


def _receive(
    response: Any, part: Path, start: int, version: _Version, progress: Progress | None, limits: Limits
) -> None:
    """Appends the body to the first `start` bytes of the part."""
    done = start
    if not start:
        part.unlink(missing_ok=True)
    # Written before the bytes: a part without its version is worth nothing.
    write_text(_beside(part, ".json"), json.dumps(asdict(version)))
    with part.open("ab") as file:
        for block in _blocks(response, limits):
            if done == 0 and is_web_page(block[:64]):
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
            response = session.get(url, headers=headers, stream=True, timeout=timeout, allow_redirects=False)
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


def _blocks(response: Any, limits: Limits) -> Iterator[bytes]:
    """The body in blocks; a cut or silent connection is a failure that passes."""
    import requests
    import urllib3

    try:
        yield from response.iter_content(_BLOCK)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        silent = "timed out" in str(error).lower()
        reason = f"nothing came for {limits.read_timeout:g} s" if silent else "the connection was cut"
        raise _Passing(reason) from error


def _continued(response: Any, start: int, known: _Version) -> _Version | None:
    """The version that a 206 continues, or None if it is not the rest of what is here (RFC 9110, section 14.4)."""
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    if not match or int(match[1]) != start:
        return None
    total = None if match[3] == "*" else int(match[3])
    if total is not None and (int(match[2]) >= total or known.total not in (None, total)):
        return None
    if known.etag and response.headers.get("ETag", known.etag) != known.etag:
        return None
    return _Version(known.url, known.etag, known.modified, known.total if total is None else total)


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


def _report(target: Path, progress: Progress | None) -> None:
    """Reports what another process has downloaded."""
    part = _beside(target, ".part")
    if progress and part.exists():
        progress(_size(part), None)


def _by_hand(url: str, target: Path) -> str:
    return f"download it elsewhere and put it at {target}"


def _accept(path: Path, target: Path, url: str, sha256: str) -> None:
    """Refuses a file whose hash is not the expected one or not the one first seen; records the first."""
    with path.open("rb") as file:
        if is_web_page(file.read(64)):
            raise GanwalkError(f"{path} is a web page, not the file: delete it, {_by_hand(url, target)}")
        file.seek(0)
        digest = hashlib.sha256()
        while block := file.read(2**20):
            digest.update(block)
    found, record = digest.hexdigest(), _beside(target, ".sha256")
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
            write_text(record, f"{found}  {target.name}\n")


def _load_version(part: Path, url: str) -> _Version | None:
    """The version that a part belongs to; None if there is none, or none of this URL."""
    try:
        facts = json.loads(_beside(part, ".json").read_text(encoding="utf-8"))
        version = _Version(**facts)
    except (OSError, ValueError, TypeError):
        return None
    texts = all(isinstance(text, str) for text in (version.etag, version.modified))
    return version if texts and version.url == url and isinstance(version.total, (int, type(None))) else None


@contextlib.contextmanager
def _cache_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise GanwalkError(
            f"cannot keep {target}: {reason}; free some space, or choose another folder with GANWALK_CACHE"
        ) from error


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _beside(part, ".json").unlink(missing_ok=True)
