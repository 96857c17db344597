"""VAEs trained with a topological term, and the metrics of disentanglement.

    python -m vae.train --help
    python -m vae.evaluate --help

    from vae import TopDis                      # the term alone, for a decoder of your own

The rooms: `data` (images with known factors), `models` (encoder and decoder), `objectives` (one file each), `topdis`
(the term), `step` and `training` (the loop), `metrics` (one file each), `evaluation` and `outputs` (scores and
pictures). Of ganwalk only `ganwalk.rtd` and its foundations (errors, files, downloads, sheets, terminal) are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["TopDis"]

if TYPE_CHECKING:
    from vae.topdis import TopDis


def __getattr__(name: str) -> Any:
    # Imported when it is used: `import vae.data` alone should not load torch.
    if name == "TopDis":
        from vae.topdis import TopDis

        return TopDis
    raise AttributeError(f"module 'vae' has no attribute {name!r}")
