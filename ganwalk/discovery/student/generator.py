"""The student as a generator: the mapping of the network, and a fitted network in place of its synthesis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganwalk.discovery.student.fitting import Network
from ganwalk.discovery.view import View
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator, Noise, broadcast_styles
from ganwalk.generators.wrapper import Wrapper
from ganwalk.layers import ranges_of


def told_apart(view: View, num_layers: int) -> tuple[int, ...]:
    """The layers whose styles tell a student everything, one for each run of layers that share a style.

    Styles differ between layers only where some layers are shifted and where truncation stops.
    """
    bounds = {0}
    if view.layers is not None:
        bounds |= {bound for first, last in ranges_of(view.layers) for bound in (first, last + 1)}
    if view.truncation_cutoff is not None and view.truncation_psi != 1:
        bounds.add(view.truncation_cutoff)
    return tuple(sorted(bound for bound in bounds if bound < num_layers and bound <= view.layer))


def inputs_of(styles: Tensor, layers: tuple[int, ...]) -> Tensor:
    """What a student is given (n, len(layers)·w_dim) of styles (n, num_layers, w_dim)."""
    return torch.cat([styles[:, layer] for layer in layers], dim=1)


@dataclass(frozen=True)
class Student(Wrapper):
    """A generator whose only features are coordinates (n, k) of the features of a network's layer.

    Attributes:
        generator: the network whose mapping it uses.
        layer: the one that is compared.
        told: layers whose styles the fitted network is given, from `told_apart`.
        network: on the generator's device.
        unit: factor of the coordinates, by which a mean square over them is one over the features.
    """

    generator: Any
    layer: int
    told: tuple[int, ...]
    network: Network
    unit: float

    def synthesis(
        self, w: Tensor, *, until: int | None = None, noise: Noise = "const", seed: int | None = None
    ) -> Tensor:
        """Coordinates (n, k) of styles; GanwalkError if another layer is asked for."""
        if until != self.layer:
            raise GanwalkError(f"this student knows layer {self.layer} only")
        generator: Generator = self.generator
        styles = broadcast_styles(w, generator.num_layers, generator.w_dim)
        return self.network(inputs_of(styles, self.told)) * self.unit
