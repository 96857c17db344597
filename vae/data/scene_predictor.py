"""Reads the factors of a scene off its picture: a small network, trained by pretrained/train_predictor.py."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae.data.scenes import AZIMUTH_RANGE, SCALE_RANGE, SHAPE_NAMES

_HUES = 3
_OUTPUTS = 2 * _HUES + 2 + len(SHAPE_NAMES)


@dataclass(frozen=True)
class ScenePrediction:
    """Predicted factors of n pictures.

    Attributes:
        hues: (n, 3) floor, wall and object hue in [0, 1).
        certainty: (n, 3) length of each predicted hue vector: near 1 for a clear colour.
        scale: (n,), azimuth: (n,) degrees.
        shape: (n, 4) probabilities of cube, cylinder, sphere, capsule.
    """

    hues: Tensor
    certainty: Tensor
    scale: Tensor
    azimuth: Tensor
    shape: Tensor


class ScenePredictor(nn.Module):
    """Convolutional regressor of hue vectors, scale, azimuth and shape logits from 64 px pictures in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 16, 32, 48, 64)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(widths))
        self.hidden = nn.Linear(widths[-1] * 16, 128)
        self.out = nn.Linear(128, _OUTPUTS)

    def features(self, images: Tensor) -> Tensor:
        """Hidden features (n, 128) of pictures (n, 3, 64, 64)."""
        x = images
        for conv in self.convs:
            x = F.silu(conv(x))
        return F.silu(self.hidden(x.flatten(1)))

    def forward(self, images: Tensor) -> Tensor:
        """Raw outputs (n, 12): three hue vectors, scale and azimuth in [-1, 1], four shape logits."""
        return self.out(self.features(images))

    def predict(self, images: Tensor) -> ScenePrediction:
        """Factors of pictures (n, 3, 64, 64) in [-1, 1]."""
        raw = self(images)
        vectors = raw[:, : 2 * _HUES].view(-1, _HUES, 2)
        hues = torch.atan2(vectors[..., 1], vectors[..., 0]) / (2 * math.pi) % 1.0
        scale, azimuth = raw[:, 2 * _HUES], raw[:, 2 * _HUES + 1]
        return ScenePrediction(
            hues=hues,
            certainty=vectors.norm(dim=2),
            scale=_from_unit(scale, SCALE_RANGE),
            azimuth=_from_unit(azimuth, AZIMUTH_RANGE),
            shape=raw[:, 2 * _HUES + 2 :].softmax(dim=1),
        )


def prediction_loss(raw: Tensor, factors: Tensor) -> Tensor:
    """Mean squared error of hue vectors, scale and azimuth plus the cross-entropy of the shape.

    Args:
        raw: outputs of the predictor (n, 12).
        factors: factor values (n, 6) as in `vae.data.scenes`.
    """
    angle = factors[:, :_HUES] * (2 * math.pi)
    vectors = torch.stack([angle.cos(), angle.sin()], dim=2).flatten(1)
    ranged = torch.stack([_to_unit(factors[:, 3], SCALE_RANGE), _to_unit(factors[:, 5], AZIMUTH_RANGE)], dim=1)
    regression = F.mse_loss(raw[:, : 2 * _HUES + 2], torch.cat([vectors, ranged], dim=1))
    return regression + 0.2 * F.cross_entropy(raw[:, 2 * _HUES + 2 :], factors[:, 4].long())


def load_predictor() -> ScenePredictor:
    """The shipped predictor, in evaluation mode."""
    from safetensors.torch import load_file

    name = "scenes-predictor.safetensors"
    here = Path(__file__).resolve().parent
    candidates = (here / name, here.parents[1] / "pretrained" / name)
    predictor = ScenePredictor()
    predictor.load_state_dict(load_file(next(path for path in candidates if path.exists())))
    return predictor.eval().requires_grad_(False)


def _to_unit(values: Tensor, limits: tuple[float, float]) -> Tensor:
    low, high = limits
    return (values - low) / (high - low) * 2 - 1


def _from_unit(values: Tensor, limits: tuple[float, float]) -> Tensor:
    low, high = limits
    return (values + 1) / 2 * (high - low) + low
