"""The catalog of public checkpoints: names, addresses, licences, and where their downloads lie."""

from __future__ import annotations

import difflib
import re
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from ganwalk.errors import GanwalkError
from ganwalk.files import cache_folder
from ganwalk.files.download import OnBytes, obtain
from ganwalk.files.shipped import shipped_file

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SHA256 = re.compile(r"[0-9a-f]{0,64}")


@dataclass(frozen=True)
class CatalogEntry:
    """A public checkpoint.

    Attributes:
        name: short name, such as "ffhq1024-ada".
        url: where its publisher keeps it.
        architecture: such as "stylegan2", "stylegan3-t", "pgan".
        resolution: height and width of its images in pixels.
        licence: name of its licence, with its limits of use.
        licence_url: where to read it.
        sha256: first hex digits of the file's SHA-256, as far as they are known.
    """

    name: str
    url: str
    architecture: str
    resolution: int
    licence: str
    licence_url: str
    sha256: str = ""


def catalog_file() -> Path:
    """The shipped catalog.toml."""
    return shipped_file("catalog.toml")


def read_catalog(path: Path | None = None) -> dict[str, CatalogEntry]:
    """All entries by name, in the file's order; by default those of the shipped catalog.

    Raises:
        GanwalkError: the file is no catalog; the message names the entry that is wrong.
    """
    path = path or catalog_file()
    try:
        families = tomllib.loads(path.read_text(encoding="utf-8"))["family"]
        entries: dict[str, CatalogEntry] = {}
        for family in families:
            for name, facts in family["checkpoints"].items():
                if name in entries:
                    raise GanwalkError(f"{name} is there twice")
                entries[name] = _entry(name, family, facts)
    except OSError as error:
        raise GanwalkError(f"cannot read {path}: {error.strerror or error}") from error
    except KeyError as error:
        raise GanwalkError(f"{path} is not a catalog: {error} is missing") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise GanwalkError(f"{path} is not a catalog: {error}") from error
    return entries


def find(name: str | Path) -> CatalogEntry | None:
    """The entry of that name, or None."""
    return read_catalog().get(str(name))


def close_names(name: str, n: int = 3) -> list[str]:
    """Up to n names of the catalog that resemble `name`: those that begin with it first."""
    names = list(read_catalog())
    wanted = name.lower()
    found = [entry for entry in names if entry.startswith(wanted)]
    found += difflib.get_close_matches(wanted, names, n=n, cutoff=0.6)
    return list(dict.fromkeys(found))[:n]


def cached_path(entry: CatalogEntry) -> Path:
    """Where the entry's file lies once it is downloaded, or put there by hand."""
    return cache_folder().absolute() / (entry.name + PurePosixPath(urlsplit(entry.url).path).suffix)


def obtain_checkpoint(entry: CatalogEntry, progress: OnBytes | None = None) -> Path:
    """The entry's file in the cache, downloaded first if it is not there.

    Raises:
        GanwalkError: it cannot be had, or is not the file it should be.
    """
    return obtain(entry.url, cached_path(entry), sha256=entry.sha256, progress=progress)


def _entry(name: str, family: dict[str, Any], facts: dict[str, Any]) -> CatalogEntry:
    entry = CatalogEntry(
        name=name,
        url=family["base"] + facts["file"],
        architecture=family["architecture"],
        resolution=facts["resolution"],
        licence=family["licence"],
        licence_url=family["licence_url"],
        sha256=facts.get("sha256", ""),
    )
    if not _NAME.fullmatch(name):
        raise GanwalkError(f"the name {name!r} is not of lower-case letters, digits and hyphens")
    for text in (entry.architecture, entry.licence, entry.licence_url):
        if not isinstance(text, str) or not text:
            raise GanwalkError(f"{name} has {text!r} where a text should be")
    address = urlsplit(entry.url)
    if address.scheme not in ("https", "http") or not address.hostname:
        raise GanwalkError(f"{name} has no web address, but {entry.url!r}")
    if type(entry.resolution) is not int or entry.resolution <= 0:
        raise GanwalkError(f"{name} has the resolution {entry.resolution!r}")
    if not isinstance(entry.sha256, str) or not _SHA256.fullmatch(entry.sha256):
        raise GanwalkError(f"{name} has the SHA-256 {entry.sha256!r}, which are not up to 64 hex digits")
    return entry
