"""The settings of a discovery, and their resolution against a generator."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ganwalk.discovery.subspace import resolve_space
from ganwalk.discovery.view import View, default_chunk, default_layer
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator, check_layer, check_layers, space_dim

STARTS = ("jacobian", "random")


@dataclass(frozen=True)
class DiscoverySettings:
    """Options of `ganwalk discover`; None means: chosen for the generator.

    Attributes:
        n_directions: how many directions to find.
        method: one of `ganwalk.discovery.methods.METHODS`.
        space: "w" or "z"; by default w for style-based generators.
        subspace_dim: principal components inside which the basis is rotated; by default n_directions.
        layers: layers whose style is shifted (first, last inclusive); by default all.
        layer: layer whose features are compared; by default the image, or early features of large generators.
        amplitude: length of a shift in standard deviations along the direction.
        ramp: share of the amplitude at the first step; shifts grow to the whole during the first half.
        equalize: scale every direction's shift so that all change the image equally.
        start: where the optimisation starts, "jacobian" or "random" (`optimisation.start`).
        steps: optimisation steps.
        batch: points of a cloud.
        directions_per_step: directions whose RTD is measured in one step.
        both_signs: shift a direction both ways in one step, instead of a random one.
        minimax: of RTD, use the max terms beside the min terms.
        lr: learning rate of Adam on the rotation's parameters.
        truncation_psi, class_index: of the batches.
        chunk: images synthesised at once (bounds the memory); by default 64, or fewer of large feature maps.
        evaluate_every: steps between two evaluations on the held batch, which also equalise the shifts anew.
        seed: fixes everything random.
    """

    n_directions: int = 20
    method: str = "rtd"
    space: str | None = None
    subspace_dim: int | None = None
    layers: tuple[int, int] | None = None
    layer: int | None = None
    amplitude: float = 2.0
    ramp: float = 0.5
    equalize: bool = True
    start: str = "jacobian"
    steps: int = 200
    batch: int = 64
    directions_per_step: int = 4
    both_signs: bool = False
    minimax: bool = True
    lr: float = 0.05
    truncation_psi: float = 1.0
    class_index: int | None = None
    chunk: int | None = None
    evaluate_every: int = 50
    seed: int = 0

    def resolve(self, generator: Generator) -> DiscoverySettings:
        """These settings with every None filled in and every value checked against the generator."""
        space = resolve_space(generator, self.space)
        total = space_dim(generator, space)
        for name in ("n_directions", "batch", "directions_per_step", "chunk", "evaluate_every"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise GanwalkError(f"{name.replace('_', '-')} must be at least 1, not {getattr(self, name)}")
        if self.batch < 3:
            raise GanwalkError("batch must be at least 3: fewer points have no topology to compare")
        if self.steps < 0:
            raise GanwalkError(f"steps must not be negative, got {self.steps}")
        for name in ("amplitude", "lr"):
            if not 0 < getattr(self, name) < float("inf"):
                raise GanwalkError(f"{name} must be positive and finite, not {getattr(self, name)}")
        if not 0 < self.ramp <= 1:
            raise GanwalkError(f"ramp must be a share in (0, 1], not {self.ramp}")
        if not abs(self.truncation_psi) < float("inf"):
            raise GanwalkError(f"truncation must be a finite number, not {self.truncation_psi}")
        if self.start not in STARTS:
            raise GanwalkError(f"unknown start {self.start!r}: choose {' or '.join(STARTS)}")
        if self.n_directions > total:
            raise GanwalkError(
                f"n-directions {self.n_directions} is above the {total} dimensions of {space}: "
                f"use --n-directions {total} or fewer"
            )
        subspace_dim = self.n_directions if self.subspace_dim is None else self.subspace_dim
        if not self.n_directions <= subspace_dim <= total:
            raise GanwalkError(
                f"subspace-dim must lie between n-directions ({self.n_directions}) and the {total} dimensions "
                f"of {space}, not {subspace_dim}"
            )
        check_layers(generator, self.layers, space)
        layer = default_layer(generator) if self.layer is None else check_layer(self.layer, generator.num_layers)
        if self.layers is not None and self.layers[0] > layer:
            raise GanwalkError(
                f"features of layer {layer} do not depend on layers {self.layers[0]}-{self.layers[1]}: "
                f"use --layer {self.layers[1]} or higher"
            )
        if self.class_index is not None and not 0 <= self.class_index < generator.c_dim:
            raise GanwalkError(f"class {self.class_index} does not exist: this generator has {generator.c_dim} classes")
        return replace(
            self,
            space=space,
            subspace_dim=subspace_dim,
            layer=layer,
            chunk=default_chunk(generator, layer) if self.chunk is None else self.chunk,
            directions_per_step=min(self.directions_per_step, self.n_directions),
        )

    def view(self) -> View:
        """How latents become points; only for resolved settings."""
        assert self.space is not None and self.layer is not None and self.chunk is not None
        return View(
            space=self.space,
            layers=self.layers,
            layer=self.layer,
            noise="const",
            truncation_psi=self.truncation_psi,
            class_index=self.class_index,
            chunk=self.chunk,
        )
