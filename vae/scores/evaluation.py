"""A trained model on its data set: codes, scores, and how well it reconstructs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ganwalk.errors import GanwalkError
from vae.data.base import ImageData
from vae.metrics import (
    LEVELS,
    Reconstruction,
    active_units,
    kl_per_dimension,
    mutual_information,
    reconstruction,
    score_codes,
)
from vae.metrics.scores import Level
from vae.models import VAE
from vae.training.step import load_images

_CHUNK = 256
# Apart from the draws of trainings, whose seeds are [seed, step, process].
_STREAM = 2**40


@dataclass(frozen=True)
class Codes:
    """Images of a data set as a model encodes them.

    Attributes:
        indices: (n,) of the images.
        factors: (n, F) grid positions.
        mean, log_variance: (n, z_dim) of q(z|x).
    """

    indices: np.ndarray
    factors: np.ndarray
    mean: np.ndarray
    log_variance: np.ndarray


@dataclass(frozen=True)
class ModelScores:
    """Scores of a model.

    Attributes:
        values: by name; those of disentanglement only where factors are known.
        kl: (z_dim,) KL divergence in nats of every dimension.
        information: (z_dim, F) mutual information in nats between means and factors, without columns if none is known.
    """

    values: dict[str, float]
    kl: np.ndarray
    information: np.ndarray


def check_fit(model: VAE, data: ImageData, name: str = "the model") -> None:
    """GanwalkError if the images of a data set are not what the model takes."""
    takes, has = (model.config.resolution, model.config.channels), (data.resolution, data.channels)
    if takes != has:
        raise GanwalkError(
            f"{name} takes images of {_sizes(*takes)}, but {data.name} has {_sizes(*has)}: evaluate it on the "
            "data set that it was trained on"
        )


def _sizes(resolution: int, channels: int) -> str:
    return f"{resolution}×{resolution}×{channels}"


def encode(model: VAE, data: ImageData, indices: np.ndarray) -> Codes:
    """Codes of images, in chunks, on the device of the model.

    Raises:
        GanwalkError: the images do not fit the model, or its weights overflow.
    """
    check_fit(model, data)
    device = next(model.parameters()).device
    means, variances = [], []
    with torch.no_grad():
        for start in range(0, len(indices), _CHUNK):
            mean, log_variance = model.represent(load_images(data, indices[start : start + _CHUNK], device))
            means.append(mean.cpu().numpy())
            variances.append(log_variance.cpu().numpy())
    codes = Codes(indices, data.factors(indices), np.concatenate(means), np.concatenate(variances))
    if not (np.isfinite(codes.mean).all() and np.isfinite(codes.log_variance).all()):
        raise GanwalkError("the model's codes are not finite: train it again, with a smaller --lr")
    return codes


def reconstruct(model: VAE, data: ImageData, indices: np.ndarray) -> Reconstruction:
    """How well a model decodes the means of its codes, in chunks: memory does not grow with the number of images.

    Raises:
        GanwalkError: the model's weights overflow.
    """
    device = next(model.parameters()).device
    sums = np.zeros(3)
    with torch.no_grad():
        for start in range(0, len(indices), _CHUNK):
            batch = load_images(data, indices[start : start + _CHUNK], device)
            decoded = model.decode(model.represent(batch)[0]).sigmoid()
            if not bool(decoded.isfinite().all()):
                raise GanwalkError("the model's reconstructions are not finite: train it again, with a smaller --lr")
            part = reconstruction(batch.cpu().numpy(), decoded.cpu().numpy())
            sums += len(batch) * np.array([part.bce, part.mse, part.psnr])
    bce, mse, psnr = (sums / len(indices)).tolist()
    return Reconstruction(bce, mse, psnr)


def draw_rows(data: ImageData, n: int, seed: int) -> np.ndarray:
    """Indices (n,) drawn uniformly.

    Uniformly also where training drew factors together: scores ask what a code knows of each factor, and with factors
    that come together a code that confuses them would not be found out.
    """
    return np.random.default_rng([seed, _STREAM]).integers(len(data), size=n)


def evaluate_model(
    model: VAE,
    data: ImageData,
    *,
    level: Level = "full",
    seed: int = 0,
    threads: int | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> ModelScores:
    """Every score of a model, on images drawn by the seed.

    Args:
        level: "full" has the standard settings and takes minutes, "quick" seconds.
        threads: of the metrics' models.
        on_progress: told what is being done.
    """
    tell = on_progress or (lambda what: None)
    settings = LEVELS[level]
    training = model.training
    model.eval()
    tell("encoding")
    codes = encode(model, data, draw_rows(data, settings.train_rows + settings.test_rows, seed))
    tell("reconstructing")
    found = reconstruct(model, data, codes.indices[-settings.test_rows :])
    model.train(training)
    kl = kl_per_dimension(codes.mean, codes.log_variance)
    values: dict[str, float] = {}
    information = np.empty((codes.mean.shape[1], 0))
    if data.factor_names:
        tell("scoring")
        train, test = slice(None, settings.train_rows), slice(settings.train_rows, None)
        values |= score_codes(
            codes.mean[train],
            codes.factors[train],
            codes.mean[test],
            codes.factors[test],
            level=level,
            seed=seed,
            threads=threads,
        )
        information = mutual_information(codes.mean, codes.factors)
    else:
        values["active_units"] = float(active_units(codes.mean))
    values |= {"bce": found.bce, "mse": found.mse, "psnr": found.psnr, "kl": float(kl.sum())}
    return ModelScores(values, kl, information)
