"""Discovery: turns a generator into directions.

Names are imported when they are first used: `ganwalk.discovery.settings`, for command lines, loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganwalk.faces import names_from

_HOMES = {
    "DiscoveryResult": "ganwalk.discovery.results",
    "DiscoverySettings": "ganwalk.discovery.settings",
    "discover": "ganwalk.discovery.api",
    "run_discovery": "ganwalk.discovery.run",
}

__all__ = ["DiscoveryResult", "DiscoverySettings", "discover", "run_discovery"]

if TYPE_CHECKING:
    from ganwalk.discovery.api import discover
    from ganwalk.discovery.results import DiscoveryResult
    from ganwalk.discovery.run import run_discovery
    from ganwalk.discovery.settings import DiscoverySettings

__getattr__, __dir__ = names_from(__name__, _HOMES)
