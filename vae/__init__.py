"""VAEs trained with a topological term, and the metrics of disentanglement.

    python -m vae.train --help
    python -m vae.evaluate --help
    python -m vae.score --help                  # codes of your own, from a file

    from vae import TopDis                      # the term alone, for a decoder of your own

The rooms: `data` (images with known factors), `models` (encoder and decoder), `objectives` (one file each), `topdis`
(the term), `training` (the loop and its steps), `metrics` (one file each), `scores` (of trained models), `runs` (a
whole training with what it leaves), `codes` (anybody's codes). Of ganwalk only `ganwalk.rtd` and foundations are used:
files, downloads, options, the ledger of runs, videos, and the like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganwalk.faces import names_from

__all__ = ["TopDis"]

if TYPE_CHECKING:
    from vae.topdis import TopDis

_HOMES = {"TopDis": "vae.topdis"}

# `import vae.data` alone should not load torch.
__getattr__, __dir__ = names_from(__name__, _HOMES)
