"""The artifact: directions in a latent space, and where they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganwalk.directions.labels import Label, check_unique, find_direction
from ganwalk.directions.reach import Reach
from ganwalk.directions.words import as_html, as_text, describe
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import SPACES, Generator, GeneratorIdentity, check_layers
from ganwalk.generators.channels import channel_mask, channelled, space_dim
from ganwalk.layers import Layers, is_layers, layer_mask, layers_of

# What discover writes, and what other commands look for where no file is given.
DIRECTIONS_FILE = "directions.safetensors"
# Rows of unit length within the first; discovered ones orthonormal within the second, imported ones are what they are.
_UNIT_TOLERANCE = 1e-3
_ORTHONORMAL_TOLERANCE = 1e-4
# Products that it takes to check angles; beyond it, and so beyond all that methods find, nobody knows them.
_MAX_PRODUCTS = 2**37
_MAX_LAYERS = 999
WPLUS = "w+"
CHANNELS = "s"


@dataclass(frozen=True)
class Directions:
    """Unit vectors in a latent space of one generator, sorted by their effect.

    Attributes:
        vectors: (n, d) float32 rows of unit length, orthogonal unless they were imported or are oblique. In w+ they are
            (n, num_layers, d), a row for each layer's style, and length and angles are those of all rows together.
        scales: (n,) latent standard deviation along each direction: a shift by amplitude a is a·scale·vector.
        space: "z", "w", "w+", where a direction shifts each layer's style by a vector of its own, or "s", where it
            shifts the outputs of the affine layers (`ganwalk.generators.channels`).
        generator: identity of the generator they belong to.
        layers: whose styles are shifted (`ganwalk.layers`): first and last, or several such pairs; None shifts all. In
            w+ and s there are none: what is not shifted is zero in the vectors.
        own_layers: likewise for each direction, where they differ, and `layers` is None; empty where they do not.
        method: how they were found, such as "rtd" or "imported".
        settings: JSON-able settings of the method.
        seed: seed of the method.
        version: version of ganwalk that wrote them.
        created: when they were found, as `ganwalk.files.timestamp`; empty in files of versions that did not say.
        effects: (n,) mean image change of a shift, or None if it was not measured.
        labels: names and notes that people gave, one per direction; empty ones where nothing was given.
        oblique: whether the method leaves directions that need not be orthogonal.
        channels: in s, layer and number of channels of each affine layer; empty elsewhere.
        reach: how far they may be walked, and at which pace, or None if it was not measured.
    Raises:
        GanwalkError: on construction, if the values do not agree with this.
    """

    vectors: Tensor
    scales: Tensor
    space: str
    generator: GeneratorIdentity
    layers: Layers | None = None
    method: str = "imported"
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    version: str = ""
    created: str = ""
    effects: Tensor | None = None
    labels: tuple[Label, ...] = ()
    oblique: bool = False
    own_layers: tuple[Layers | None, ...] = ()
    channels: tuple[tuple[int, int], ...] = ()
    reach: Reach | None = None

    def __post_init__(self) -> None:
        vectors, scales = self.vectors, self.scales
        if self.space not in (*SPACES, WPLUS, CHANNELS):
            raise GanwalkError(f"directions are in the unknown space {self.space!r:.40}")
        if self.space == WPLUS and (vectors.ndim != 3 or vectors.numel() == 0 or vectors.shape[1] > _MAX_LAYERS):
            raise GanwalkError(f"directions in w+ must be (n, num_layers, d), not of shape {tuple(vectors.shape)}")
        if self.space != WPLUS and (vectors.ndim != 2 or vectors.numel() == 0):
            raise GanwalkError(f"directions must be a matrix (n, d), not of shape {tuple(vectors.shape)}")
        self._check_channels()
        for values in (vectors, scales, self.effects):
            if values is not None and values.dtype != torch.float32:
                raise GanwalkError(f"directions must be float32, not {values.dtype}")
        for name, values in (("scales", scales), ("effects", self.effects)):
            if values is None:
                continue
            if values.shape != (len(vectors),):
                raise GanwalkError(f"{name} must be one number per direction, not of shape {tuple(values.shape)}")
            if not torch.isfinite(values).all():
                raise GanwalkError(f"{name} hold values that are not finite")
        if not torch.isfinite(vectors).all():
            raise GanwalkError("directions hold values that are not finite")
        if (scales < 0).any():
            raise GanwalkError("scales must not be negative")
        if (self.rows.norm(dim=1) - 1).abs().max() > _UNIT_TOLERANCE:
            raise GanwalkError("directions must have unit length")
        if len(vectors) * self.rows.numel() > _MAX_PRODUCTS:
            object.__setattr__(self, "oblique", True)
        free = self.oblique or self.method.startswith("imported")
        if not free and not _orthonormal(self.rows):
            raise GanwalkError(f"directions of the method {self.method!r:.40} must be orthonormal")
        self._check_layers()
        if all(label == Label() for label in self.labels):
            object.__setattr__(self, "labels", (Label(),) * len(vectors))
        if len(self.labels) != len(vectors):
            raise GanwalkError(f"{len(self.labels)} labels for {len(vectors)} directions")
        if self.reach is not None and len(self.reach) != len(vectors):
            raise GanwalkError(f"the reach of {len(self.reach)} directions for {len(vectors)}")
        check_unique(self.labels)

    def _check_channels(self) -> None:
        if (self.space == CHANNELS) != bool(self.channels):
            raise GanwalkError("directions in s, and only these, say how many channels each affine layer has")
        for entry in self.channels:
            pair = isinstance(entry, tuple) and len(entry) == 2 and all(type(number) is int for number in entry)
            if not pair or not 0 <= entry[0] <= _MAX_LAYERS or entry[1] < 1:
                raise GanwalkError(f"channels must be layers and numbers, not {entry!r:.40}")
        if self.channels and sum(count for _, count in self.channels) != self.vectors.shape[1]:
            raise GanwalkError("directions in s must have a value for each channel of the affine layers")

    def _check_layers(self) -> None:
        if self.own_layers and self.layers is not None:
            raise GanwalkError("directions have layers together, or each of its own, not both")
        if self.own_layers and len(self.own_layers) != len(self.vectors):
            raise GanwalkError(f"layers of {len(self.own_layers)} directions for {len(self.vectors)}")
        for layers in (self.layers, *self.own_layers):
            if layers is not None and not is_layers(layers):
                raise GanwalkError(f"layers must be a first and a last layer, or such pairs, not {layers!r:.40}")
            if layers is not None and self.space in (WPLUS, CHANNELS):
                raise GanwalkError(f"directions in {self.space} have values for each layer, and no layers beside")
        if self.own_layers and all(layers == self.own_layers[0] for layers in self.own_layers):
            object.__setattr__(self, "layers", self.own_layers[0])
            object.__setattr__(self, "own_layers", ())

    def __len__(self) -> int:
        return len(self.vectors)

    def __repr__(self) -> str:
        return f"<{describe(self)}>"

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    @property
    def rows(self) -> Tensor:
        """The vectors as a matrix: (n, d), or (n, num_layers·d) in w+."""
        return self.vectors.flatten(1)

    @property
    def sampled_space(self) -> str:
        """The space, "z", "w" or "s", whose samples are shifted."""
        return "w" if self.space == WPLUS else self.space

    def layers_of(self, index: int) -> Layers | None:
        """The layers that a direction shifts; None is all."""
        self.step(index)
        if self.space == CHANNELS:
            parts = self.vectors[index].split([count for _, count in self.channels])
            entered = {layer for layer, _ in self.channels}
            moved = {layer for (layer, _), part in zip(self.channels, parts, strict=True) if part.any()}
            return None if moved == entered else layers_of(moved)
        if self.space != WPLUS:
            return self.own_layers[index] if self.own_layers else self.layers
        shifted = self.vectors[index].any(dim=1).tolist()
        return None if all(shifted) else layers_of(layer for layer, any_value in enumerate(shifted) if any_value)

    def shift(self, index: int, amplitude: float = 1.0, *, num_layers: int, layers: Layers | None = None) -> Tensor:
        """What a walk adds to a latent: (d,) in z, (1, S) in s; else (num_layers, d), zero where nothing is shifted.

        Args:
            num_layers: of the generator.
            layers: in w, those to shift instead of the direction's own; in w+ and s, those to leave of its own.
        """
        step = self.step(index, amplitude)
        if self.space == "z":
            return step
        if self.space == CHANNELS:
            return step[None] if layers is None else step[None] * channel_mask(self.channels, layers, step)
        if layers is None and self.space == "w":
            layers = self.layers_of(index)
        step = step.expand(num_layers, -1)
        return step if layers is None else layer_mask(layers, num_layers, step) * step

    def shifts(self, amplitude: float = 1.0, *, num_layers: int) -> Tensor:
        """`shift` of every direction: (n, d) in z, (n, 1, S) in s, else (n, num_layers, d)."""
        return torch.stack([self.shift(index, amplitude, num_layers=num_layers) for index in range(len(self))])

    def step(self, index: int, amplitude: float = 1.0) -> Tensor:
        """The shift (d,) by `amplitude` standard deviations along a direction; in w+, (num_layers, d)."""
        if not 0 <= index < len(self):
            raise GanwalkError(f"direction {index} does not exist: there are directions 0 to {len(self) - 1}")
        return self.vectors[index] * (self.scales[index] * amplitude)

    def title(self, index: int) -> str:
        """The number of a direction, and its name if it has one."""
        self.step(index)
        name = self.labels[index].name
        return f"{index} · {name}" if name else str(index)

    @property
    def class_index(self) -> int | None:
        """The class of a conditional generator that they were discovered in, if it was a single one."""
        chosen = self.settings.get("class_index")
        return chosen if type(chosen) is int and chosen >= 0 else None

    def find(self, text: str) -> int:
        """The index of the direction with this number or name; GanwalkError if there is none."""
        return find_direction(text, self.labels)

    def visible(self) -> list[int]:
        """The directions that are not hidden; all of them if every one is."""
        shown = [index for index, label in enumerate(self.labels) if not label.hidden]
        return shown or list(range(len(self)))

    def labelled(self, index: int, label: Label) -> Directions:
        """The same directions with another label on one; GanwalkError if another one has its name."""
        self.step(index)
        return replace(self, labels=(*self.labels[:index], label, *self.labels[index + 1 :]))

    def fingerprint(self) -> str:
        """SHA-256 of what is walked: vectors, scales, space and layers, but not what they are called."""
        layers = self.own_layers or self.layers
        where = f"{self.space} {self.channels or layers}"
        digest = hashlib.sha256(f"{tuple(self.vectors.shape)} {where}".encode())
        for tensor in (self.vectors, self.scales):
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def select(self, indices: Sequence[int]) -> Directions:
        """The directions at `indices`, in that order; GanwalkError if one does not exist."""
        for index in indices:
            self.step(index)
        rows = torch.tensor(list(indices), dtype=torch.long, device=self.vectors.device)
        effects = None if self.effects is None else self.effects[rows]
        labels = tuple(self.labels[index] for index in indices)
        own = tuple(self.own_layers[index] for index in indices) if self.own_layers else ()
        return replace(
            self,
            vectors=self.vectors[rows],
            scales=self.scales[rows],
            effects=effects,
            labels=labels,
            own_layers=own,
            reach=None if self.reach is None else self.reach.select(indices),
        )

    def to(self, device: torch.device | str) -> Directions:
        """The same directions with their tensors on another device."""
        effects = None if self.effects is None else self.effects.to(device)
        reach = None if self.reach is None else self.reach.to(device)
        return replace(
            self, vectors=self.vectors.to(device), scales=self.scales.to(device), effects=effects, reach=reach
        )

    def check(self, generator: Generator) -> None:
        """Raises GanwalkError if these directions cannot be walked in this generator."""
        if self.space != "z" and not generator.style_based:
            raise GanwalkError(f"these directions are in {self.space}, but the generator has no w space")
        if self.space == CHANNELS and channelled(generator).style_channels != self.channels:
            raise GanwalkError("these directions are for other channels than the generator's affine layers have")
        total, found = space_dim(generator, self.sampled_space), self.vectors.shape[-1]
        if found != total:
            raise GanwalkError(f"these directions have {found} dimensions, the generator's {self.space} has {total}")
        if self.space == WPLUS and self.vectors.shape[1] != generator.num_layers:
            raise GanwalkError(
                f"these directions are for {self.vectors.shape[1]} layers, the generator has {generator.num_layers}"
            )
        for layers in (self.layers, *self.own_layers):
            check_layers(generator, layers, self.space)

    def save(self, path: Path | str) -> None:
        """Writes safetensors with everything else as metadata, atomically.

        Raises:
            GanwalkError: the settings are no JSON, or the file cannot be written.
        """
        from ganwalk.directions.storage import save_directions

        save_directions(self, path)

    @staticmethod
    def load(path: Path | str) -> Directions:
        """Reads what `save` wrote.

        Raises:
            GanwalkError: the file is missing, damaged, or something else.
        """
        from ganwalk.directions.storage import load_directions

        return load_directions(path)


def shift_latents(latents: Tensor, step: Tensor, layers: Layers | None) -> Tensor:
    """Latents plus step (d,): codes z (n, d) as they are, styles (n, num_layers, d) on these layers."""
    if latents.ndim == 2 or layers is None:
        return latents + step
    return latents + layer_mask(layers, latents.shape[1], latents) * step


def _orthonormal(vectors: Tensor) -> bool:
    if len(vectors) > vectors.shape[1]:
        return False
    gram = vectors @ vectors.T
    return bool((gram - torch.eye(len(vectors), device=vectors.device)).abs().max() <= _ORTHONORMAL_TOLERANCE)
