"""The network that tells which direction was walked, and how far (Voynov & Babenko, ICML 2020), and what it sees.

Images are averaged down. Of large generators it sees the features that are compared, by the principal components of
their channels: hundreds of images would be made to be averaged down to a few pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganwalk.discovery.learned.convolutions import halved, halvings

# Height and width of what the network sees.
SIZE = 32
# Channels that it sees of features, their principal components; images have fewer.
CHANNELS = 16
# Of its convolutions and of what they end in.
_WIDTHS = (16, 32, 48)
HIDDEN = 128


@dataclass(frozen=True)
class Sight:
    """What the network sees of images or features (n, channels, h, w): few pixels, few channels.

    Attributes:
        components: (channels, CHANNELS) that channels are projected to; None leaves them.
    """

    components: Tensor | None

    @staticmethod
    def of(maps: Tensor) -> Sight:
        """For maps like these, already small."""
        return Sight(_components(maps) if maps.shape[1] > CHANNELS else None)

    def __call__(self, maps: Tensor) -> Tensor:
        maps = small(maps)
        return maps if self.components is None else torch.einsum("nchw,cd->ndhw", maps, self.components)


def small(images: Tensor) -> Tensor:
    """Images averaged down to `SIZE` pixels, those that are not square to squares; smaller squares as they are."""
    height, width = images.shape[2:]
    return images if height == width <= SIZE else F.adaptive_avg_pool2d(images, min(SIZE, max(height, width)))


def _components(maps: Tensor) -> Tensor:
    """Principal components (channels, CHANNELS) of the channels over all places of maps (n, channels, h, w)."""
    columns = maps.transpose(0, 1).flatten(1)
    columns = columns - columns.mean(dim=1, keepdim=True)
    vectors = torch.linalg.eigh((columns @ columns.T).cpu().double()).eigenvectors[:, -CHANNELS:]
    return vectors.to(device=maps.device, dtype=maps.dtype)


def convolutions(channels: int, size: int, *, dropout: float) -> nn.Sequential:
    """Maps (m, channels, size, size) → features (m, HIDDEN)."""
    values = _WIDTHS[-1] * halved(size, len(_WIDTHS)) ** 2
    return nn.Sequential(
        *halvings((channels, *_WIDTHS)), nn.Flatten(), nn.Dropout(dropout), nn.Linear(values, HIDDEN), nn.SiLU()
    )


class ShiftPredictor(nn.Module):
    """Answers (m, answers) and signed amplitudes (m,) of pairs: maps beside how they change, (m, 2·channels, h, w)."""

    def __init__(self, channels: int, size: int, answers: int):
        super().__init__()
        self.body = convolutions(channels, size, dropout=0.2)
        self.answer = nn.Linear(HIDDEN, answers)
        self.amount = nn.Linear(HIDDEN, 1)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        x = self.body(inputs)
        return self.answer(x), self.amount(x)[:, 0]


def shift_loss(answers: Tensor, amounts: Tensor, labels: Tensor, true_amounts: Tensor) -> Tensor:
    """Cross-entropy of the answer and a quarter of the amplitude's absolute error, the paper's loss and weight."""
    return F.cross_entropy(answers, labels) + 0.25 * F.l1_loss(amounts, true_amounts)


def balanced(count: int, answers: int, rng: torch.Generator) -> Tensor:
    """Labels (count,) in random order, each equally often (give or take one)."""
    return (torch.arange(count) % answers)[torch.randperm(count, generator=rng)]
