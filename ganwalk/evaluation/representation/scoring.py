"""From directions to an encoder, and from its codes to the scores of representations: the protocol of DisCo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ganwalk.directions import Directions
from ganwalk.discovery.view import View
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.representation.encoder import Encoder
from ganwalk.evaluation.representation.labelled import LabelledImages, encode_all
from ganwalk.evaluation.representation.training import train_encoder
from ganwalk.generators.base import Generator
from ganwalk.progress.callbacks import OnStage

# Scores that are shown beside those of directions; the rest are kept with them.
SHOWN = (
    "mig",
    "sap",
    "dci_disentanglement",
    "dci_completeness",
    "dci_informativeness",
    "factor_vae",
    "beta_vae",
    "irs",
)


@dataclass(frozen=True)
class Representation:
    """The representation that directions make, by the encoder that reads coordinates along them.

    Attributes:
        encoder: trained on the generator's images.
        dataset: whose images were encoded: a name of `vae.data`, or "latents" for images of fresh latents.
        factors: names of its F factors.
        scores: by the names in `vae.metrics.SCORES`.
        information: (n, F) mutual information in nats between codes and factors, of 20 bins.
    """

    encoder: Encoder
    dataset: str
    factors: tuple[str, ...]
    scores: dict[str, float]
    information: np.ndarray

    def summary(self) -> dict[str, float]:
        """The scores that are shown, and how well the encoder reads directions on average."""
        fit = float(self.encoder.fit.nanmean())
        return {"representation_fit": fit, **{f"representation_{name}": self.scores[name] for name in SHOWN}}

    def to_json(self) -> dict[str, Any]:
        """What is worth keeping beside the encoder, as JSON can hold it."""
        return {
            "dataset": self.dataset,
            "scores": self.scores,
            "names": self.factors,
            "information": self.information.tolist(),
        }


def represent(
    generator: Generator,
    directions: Directions,
    view: View,
    images: LabelledImages,
    *,
    level: Any = "full",
    seed: int = 0,
    threads: int | None = None,
    on_share: OnStage | None = None,
    **training: Any,
) -> Representation:
    """Trains the encoder of directions, and scores its codes as `vae.scores.evaluation` scores those of a model.

    Args:
        view: with the last layer.
        images: with known factors, other than those that the encoder is trained on.
        level: of the metrics, "full" or "quick"; see `vae.metrics.score_codes`.
        threads: of the models that the metrics fit.
        on_share: told "encoder", "codes" or "metrics", and how much of it is done.
        training: of `train_encoder`: pairs, steps, batch, lr, width.
    Raises:
        GanwalkError: there can be no such encoder, or its training diverged.
    """
    from vae.metrics import LEVELS, mutual_information, score_codes

    def tell(what: str, share: float) -> None:
        if on_share is not None:
            on_share(what, share)

    encoder = train_encoder(
        generator, directions, view, seed=seed, on_share=lambda share: tell("encoder", share), **training
    )
    rows = LEVELS[level].train_rows
    n = rows + LEVELS[level].test_rows
    codes, factors = encode_all(images, encoder.encode, n, seed, lambda share: tell("codes", share))
    if not np.isfinite(codes).all():
        raise GanwalkError("the encoder's codes are not finite: give a smaller --encoder-lr")
    tell("metrics", 0.0)
    bins = images.factor_bins
    scores = score_codes(
        codes[:rows],
        factors[:rows],
        codes[rows:],
        factors[rows:],
        level=level,
        factor_bins=bins,
        seed=seed,
        threads=threads,
    )
    information = mutual_information(codes, factors, factor_bins=bins)
    tell("metrics", 1.0)
    return Representation(encoder, images.name, images.factor_names, scores, information)
