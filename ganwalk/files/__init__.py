"""Files: written whole or not at all, and read although nobody vouches for them.

Here: `writing` and `reading`, with the `places` that are written to, `locks` between processes, `temporaries` on the
way to a file, `times`, and the `cache`; what files of tensors (`tensors`) and of numpy (`npy`) hold; and where files
come from: with the package (`shipped`), by `download`, or from wherever a public data set lies (`data_place`).
"""

from typing import TYPE_CHECKING

from ganwalk.faces import names_from

_HOMES = {
    "DIRECTIONS_KEY": "ganwalk.files.tensors",
    "as_timestamp": "ganwalk.files.times",
    "atomic_path": "ganwalk.files.writing",
    "cache_errors": "ganwalk.files.cache",
    "cache_folder": "ganwalk.files.cache",
    "check_free": "ganwalk.files.places",
    "check_regular": "ganwalk.files.reading",
    "check_writable": "ganwalk.files.places",
    "hash_file": "ganwalk.files.reading",
    "is_web_page": "ganwalk.files.reading",
    "lock_owner": "ganwalk.files.locks",
    "locked": "ganwalk.files.locks",
    "made_folder": "ganwalk.files.places",
    "open_regular": "ganwalk.files.reading",
    "owned_folder": "ganwalk.files.places",
    "publish": "ganwalk.files.writing",
    "read_json": "ganwalk.files.reading",
    "read_text": "ganwalk.files.reading",
    "timestamp": "ganwalk.files.times",
    "try_locked": "ganwalk.files.locks",
    "write_bytes": "ganwalk.files.writing",
    "write_csv": "ganwalk.files.writing",
    "write_json": "ganwalk.files.writing",
    "write_text": "ganwalk.files.writing",
}

__all__ = [
    "DIRECTIONS_KEY",
    "as_timestamp",
    "atomic_path",
    "cache_errors",
    "cache_folder",
    "check_free",
    "check_regular",
    "check_writable",
    "hash_file",
    "is_web_page",
    "lock_owner",
    "locked",
    "made_folder",
    "open_regular",
    "owned_folder",
    "publish",
    "read_json",
    "read_text",
    "timestamp",
    "try_locked",
    "write_bytes",
    "write_csv",
    "write_json",
    "write_text",
]

if TYPE_CHECKING:
    from ganwalk.files.cache import cache_errors, cache_folder
    from ganwalk.files.locks import lock_owner, locked, try_locked
    from ganwalk.files.places import check_free, check_writable, made_folder, owned_folder
    from ganwalk.files.reading import check_regular, hash_file, is_web_page, open_regular, read_json, read_text
    from ganwalk.files.tensors import DIRECTIONS_KEY
    from ganwalk.files.times import as_timestamp, timestamp
    from ganwalk.files.writing import atomic_path, publish, write_bytes, write_csv, write_json, write_text

__getattr__, __dir__ = names_from(__name__, _HOMES)
