"""Reads the factors of a scene off its picture: a small network, trained by pretrained/train_predictor.py."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganwalk.files.shipped import shipped_file

FACTOR_NAMES = ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "azimuth")
_HUES = 3
_SHAPES = 4


@dataclass(frozen=True)
class ScenePrediction:
    """Predicted factors of n pictures.

    Attributes:
        hues: (n, 3) floor, wall and object hue in [0, 1).
        scale, azimuth: (n,) each, from -1 to 1 over the range of the renderings.
        shape: (n, shapes) probabilities; of scenes: cube, cylinder, sphere, capsule.
    """

    hues: Tensor
    scale: Tensor
    azimuth: Tensor
    shape: Tensor


class ScenePredictor(nn.Module):
    """Convolutional regressor of hue vectors, scale, azimuth and shape logits from 64 px pictures in [-1, 1].

    Args:
        shapes: how many there are.
    """

    def __init__(self, shapes: int = _SHAPES) -> None:
        super().__init__()
        widths = (3, 16, 32, 48, 64)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(widths))
        self.hidden = nn.Linear(widths[-1] * 16, 128)
        self.out = nn.Linear(128, 2 * _HUES + 2 + shapes)

    def features(self, images: Tensor) -> Tensor:
        """Hidden features (n, 128) of pictures (n, 3, 64, 64)."""
        x = images
        for conv in self.convs:
            x = F.silu(conv(x))
        return F.silu(self.hidden(x.flatten(1)))

    def forward(self, images: Tensor) -> Tensor:
        """Raw outputs (n, 8 + shapes): three hue vectors, scale and azimuth in [-1, 1], logits of the shapes."""
        return self.out(self.features(images))

    def predict(self, images: Tensor) -> ScenePrediction:
        """Factors of pictures (n, 3, 64, 64) in [-1, 1]."""
        raw = self(images)
        vectors = raw[:, : 2 * _HUES].view(-1, _HUES, 2)
        hues = torch.atan2(vectors[..., 1], vectors[..., 0]) / (2 * math.pi) % 1.0
        return ScenePrediction(
            hues=hues,
            scale=raw[:, 2 * _HUES],
            azimuth=raw[:, 2 * _HUES + 1],
            shape=raw[:, 2 * _HUES + 2 :].softmax(dim=1),
        )


def prediction_loss(raw: Tensor, factors: Tensor) -> Tensor:
    """Mean squared error of hue vectors, scale and azimuth plus the cross-entropy of the shape.

    Args:
        raw: outputs of the predictor (n, 8 + shapes).
        factors: (n, 6) in the order of `FACTOR_NAMES`: hues in [0, 1), scale and azimuth in [-1, 1], shape from 0.
    """
    angle = factors[:, :_HUES] * (2 * math.pi)
    vectors = torch.stack([angle.cos(), angle.sin()], dim=2).flatten(1)
    regression = F.mse_loss(raw[:, : 2 * _HUES + 2], torch.cat([vectors, factors[:, [3, 5]]], dim=1))
    return regression + 0.2 * F.cross_entropy(raw[:, 2 * _HUES + 2 :], factors[:, 4].long())


def load_predictor() -> ScenePredictor:
    """The shipped predictor, in evaluation mode."""
    from safetensors.torch import load_file

    predictor = ScenePredictor()
    predictor.load_state_dict(load_file(shipped_file("scenes-predictor.safetensors")))
    return predictor.eval().requires_grad_(False)
