"""Images with known factors, on which the codes of an encoder are scored: a data set's, or the generator's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ganwalk.discovery.view import View
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.factors import LatentReader, factor_source
from ganwalk.files.data_place import DataPlace
from ganwalk.generators.base import Generator, device_of, sample_labels, sample_z

if TYPE_CHECKING:
    from vae.data.base import ImageData

# Instead of a data set: fresh latents of a generator that knows its factors.
LATENTS = LatentReader.identity
# Classes of a continuous factor, about as many as the data sets' have.
_BINS = 10
# Apart from the draws of trainings, and from the batches of other scores.
_STREAM = 2**41
_CHUNK = 256


class LabelledImages(Protocol):
    """Images whose factors are known.

    Attributes:
        name: of the data set, or "latents".
        channels: of the images.
        factor_names: F of them.
        factor_bins: into how many classes each factor is cut, as of `vae.metrics`; None of factors that are classes.
    """

    name: str
    channels: int
    factor_names: tuple[str, ...]
    factor_bins: int | None

    def batches(self, n: int, seed: int) -> Iterator[tuple[Tensor, np.ndarray]]:
        """n images drawn by the seed, in parts: (m, channels, h, w) in [-1, 1], and their factors (m, F)."""
        ...


def check_data_set(generator: Generator, name: str | None) -> str:
    """The data set to score on; None takes the one behind the generator.

    Raises:
        GanwalkError: there is no such one, or none is known.
    """
    from vae.data import DATASETS

    known = factor_source(generator)
    name = name or known
    if name is None:
        raise GanwalkError(
            "no data set with known factors is known for this generator: give the one that it was trained on, "
            "such as --dataset shapes3d"
        )
    if name not in DATASETS and name != known:
        raise GanwalkError(f"unknown data set {name!r:.40}: choose one of {', '.join(DATASETS)}")
    return name


def labelled_images(generator: Generator, view: View, name: str, place: DataPlace | None = None) -> LabelledImages:
    """The images of a name that `check_data_set` has passed.

    Args:
        view: of latents, how they are drawn.
    Raises:
        GanwalkError: the data set has no known factors, or cannot be had, or the generator's images are grey and its
            are not.
    """
    if name == LATENTS:
        return LatentImages(generator, view)
    from vae.data import load_dataset

    place = place or DataPlace()
    data = load_dataset(
        name,
        resolution=32 if generator.resolution <= 32 else 64,
        root=place.root,
        download=place.download,
        progress=place.progress,
    )
    if not data.factor_names:
        raise GanwalkError(f"{name} has no known factors: choose another --dataset")
    if data.channels > generator.img_channels:
        raise GanwalkError(f"{name} is in colour, and the generator's images are grey: choose another --dataset")
    return DataSetImages(data, device_of(generator))


class DataSetImages:
    """Images of a data set with factors, drawn uniformly from its whole grid."""

    factor_bins: int | None = None

    def __init__(self, data: ImageData, device: torch.device):
        self._data, self._device = data, device
        self.name, self.channels, self.factor_names = data.name, data.channels, data.factor_names

    def batches(self, n: int, seed: int) -> Iterator[tuple[Tensor, np.ndarray]]:
        indices = np.random.default_rng([seed, _STREAM]).integers(len(self._data), size=n)
        for start in range(0, n, _CHUNK):
            part = indices[start : start + _CHUNK]
            images = torch.from_numpy(self._data.images(part)).to(self._device)
            yield images.permute(0, 3, 1, 2).float() / 127.5 - 1, self._data.factors(part)


class LatentImages:
    """Images of fresh latents of a generator that knows its factors; these are continuous, and as they are there.

    Where the generator's mapping makes factors come together they do here, too: a code that confuses two such factors
    is then not found out altogether.
    """

    name = LATENTS
    factor_bins: int | None = _BINS

    def __init__(self, generator: Any, view: View):
        self._generator, self._view = generator, view
        self._factors = LatentReader(generator).factors
        self.channels = generator.img_channels
        self.factor_names = tuple(generator.factor_names)

    def batches(self, n: int, seed: int) -> Iterator[tuple[Tensor, np.ndarray]]:
        generator, view = self._generator, self._view
        for start in range(0, n, view.chunk):
            m, own = min(view.chunk, n - start), seed + _STREAM + start
            with torch.no_grad():
                c = sample_labels(generator, m, view.class_index, own)
                styles = view.styles(generator, sample_z(generator, m, own), c)
                images = generator.synthesis(styles, noise=view.noise, seed=own)
                factors = generator.factors(styles[:, 0]).cpu().double().numpy()
            for k, factor in enumerate(self._factors):
                if factor.kind == "circular":
                    factors[:, k] %= factor.period
            yield images, factors


def encode_all(
    images: LabelledImages, encode: Callable[[Tensor], Tensor], n: int, seed: int, on_share: Callable[[float], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Codes (n, D) and factors (n, F) of n images drawn by the seed."""
    codes, factors, done = [], [], 0
    for batch, labels in images.batches(n, seed):
        codes.append(encode(batch).cpu().numpy())
        factors.append(labels)
        done += len(labels)
        on_share(done / n)
    return np.concatenate(codes), np.concatenate(factors)
