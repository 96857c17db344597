"""What the scores of a representation consist of, and how long each part should take."""

from __future__ import annotations

from typing import Any

from ganwalk.evaluation.representation.labelled import LATENTS
from ganwalk.evaluation.representation.training import latents_of_encoder, seconds_per_step
from ganwalk.evaluation.settings import EvaluationSettings
from ganwalk.generators.base import Generator
from ganwalk.progress.phases import Phase

# Of the metrics, for each dimension of the codes, roughly.
_SECONDS_OF_METRICS = {"full": 6.0, "quick": 0.5}


def phases_of_representation(
    generator: Generator, n: int, settings: EvaluationSettings, seconds_per_image: float
) -> list[Phase]:
    """The phases of `represent` along n directions, by their names there.

    Args:
        settings: with None filled in.
    """
    from vae.metrics import LEVELS

    pairs, batch = settings.encoder_pairs, settings.encoder_batch
    assert pairs is not None
    step = seconds_per_step(generator, n, batch, settings.encoder_width)
    level: Any = settings.metrics
    # What an encoder sees of an image costs it a third of what its training does.
    code = step / (3 * batch) + seconds_per_image * (settings.dataset == LATENTS)
    made = latents_of_encoder(n, pairs) * seconds_per_image
    return [
        Phase("encoder", made + settings.encoder_steps * step),
        Phase("codes", (LEVELS[level].train_rows + LEVELS[level].test_rows) * code),
        Phase("metrics", _SECONDS_OF_METRICS[level] * n),
    ]
