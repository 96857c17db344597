"""Small previews of slow generators: stop the synthesis early, and read colours off its features.

The features of an early layer already hold the colours of the image, nearly linearly. A ridge regression from the
channels of that layer to the image, shrunk to its size, gives a generator that costs what the first layers cost. It
works for every generator that can stop at a layer, since it needs to know nothing else of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator, Noise, device_of, sample_labels, sample_z
from ganwalk.generators.wrapper import Wrapper

# Pixels on a side of a preview: enough to see what moves.
PREVIEW_RESOLUTION = 64
# Share of unseen images (R²) from which previews show what the images do.
FAITHFUL = 0.5
# Relative weight of the ridge: features are many and correlated, samples few.
_RIDGE = 1e-3


@dataclass(frozen=True)
class Preview(Wrapper):
    """A generator of small images, to be walked like the one whose first layers it runs.

    Attributes:
        generator: the whole one.
        layer: where the synthesis stops.
        weights: (channels + 1, colours), the last row the constant.
        image_size: height and width of the previews.
        fit: share of the variance of unseen small images that the previews explain (R²).
    """

    generator: Any
    layer: int
    weights: Tensor
    image_size: tuple[int, int]
    fit: float

    @property
    def resolution(self) -> int:
        """Larger side of the previews."""
        return max(self.image_size)

    def synthesis(
        self, w: Tensor, *, until: int | None = None, noise: Noise = "const", seed: int | None = None
    ) -> Tensor:
        """Small images (n, colours, height, width) of styles; GanwalkError if a layer is asked for."""
        if until is not None:
            raise GanwalkError("a preview has no layers: ask the whole generator for features")
        features = _features(self.generator, w, self.layer, self.image_size, noise, seed)
        return torch.einsum("nchw,cd->ndhw", features, self.weights[:-1]) + self.weights[-1][:, None, None]


def fit_preview(
    generator: Generator,
    *,
    samples: int = 4,
    seed: int = 0,
    class_index: int | None = None,
    image_of: Callable[[int], Tensor] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Preview | None:
    """A preview fitted on a few samples, half as many again tell how well; None if no layer is early enough.

    Args:
        samples: whole images that are made for the fit.
        seed: of the first sample, the others follow; most faithful is a preview of what it was fitted on.
        class_index: of a conditional generator; None draws classes.
        image_of: the image (1, colours, h, w) of a seed, where somebody needs it besides; None makes it.
        on_progress: called with images done and images in all.
    """
    chosen = _preview_layer(generator)
    if chosen is None:
        return None
    layer, size = chosen
    held = max(1, samples // 2)
    inputs, targets = [], []
    with torch.no_grad():
        for k in range(samples + held):
            z = sample_z(generator, 1, seed + k)
            w = generator.mapping(z, sample_labels(generator, 1, class_index, seed + k))
            image = generator.synthesis(w) if image_of is None else image_of(seed + k)
            inputs.append(_columns(_features(generator, w, layer, size, "const", None)))
            targets.append(_columns(functional.adaptive_avg_pool2d(image, size)))
            if on_progress is not None:
                on_progress(k + 1, samples + held)
        x, y = torch.cat(inputs[:samples]).cpu().double(), torch.cat(targets[:samples]).cpu().double()
        x = functional.pad(x, (0, 1), value=1.0)
        gram = x.T @ x
        ridge = _RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
        weights = torch.linalg.solve(gram + ridge, x.T @ y)
        unseen = functional.pad(torch.cat(inputs[samples:]).cpu().double(), (0, 1), value=1.0)
        truth = torch.cat(targets[samples:]).cpu().double()
        error = (unseen @ weights - truth).square().mean()
        spread = (truth - truth.mean(dim=0)).square().mean().clamp_min(1e-12)
    return Preview(generator, layer, weights.float().to(device_of(generator)), size, float(1 - error / spread))


def _preview_layer(generator: Generator) -> tuple[int, tuple[int, int]] | None:
    """The last layer of at most the preview's size, if that is below the image's, and its size without margins."""
    sizes = generator.layer_resolutions[:-1]
    margin = _margin(sizes)
    limit = min(PREVIEW_RESOLUTION, generator.resolution // 2)
    fitting = [k for k, size in enumerate(sizes) if 8 <= size - 2 * margin <= limit]
    if not fitting:
        return None
    share = (sizes[max(fitting)] - 2 * margin) / generator.resolution
    height, width = (max(1, round(side * share)) for side in generator.image_size)
    return max(fitting), (height, width)


def _margin(sizes: Sequence[int]) -> int:
    """Pixels around the image on each side of a feature map, as StyleGAN3 has them.

    The image doubles from layer to layer and the margin does not, so that the first step up is the smaller image.
    """
    steps = ((size, larger - size) for size, larger in itertools.pairwise(sizes) if larger > size)
    size, image = next(steps, (0, 0))
    return max(0, size - image) // 2


def _features(
    generator: Generator, w: Tensor, layer: int, size: tuple[int, int], noise: Noise, seed: int | None
) -> Tensor:
    """Features (n, channels, *size) of a layer, without its margins."""
    features = generator.synthesis(w, until=layer, noise=noise, seed=seed)
    (height, width), (top, left) = size, ((a - b) // 2 for a, b in zip(features.shape[2:], size, strict=True))
    return features[..., top : top + height, left : left + width]


def _columns(maps: Tensor) -> Tensor:
    """Maps (n, channels, h, w) as rows of channels (n·h·w, channels)."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2)
