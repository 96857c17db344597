"""Samples: which latents are shown, whether they are drawn from seeds or stored."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.generators.base import (
    SPACES,
    Generator,
    broadcast_styles,
    check_class,
    check_codes,
    check_truncation,
    device_of,
    nvidia_z,
    one_hot,
    sample_labels,
    sample_z,
)
from ganwalk.options.ranges import SEED_STYLES


class Samples(Protocol):
    """At least one latent of a generator, with what it is called. Equal samples show the same, and hash equally.

    Attributes:
        labels: what each is called, such as "seed 3".
        titles: the same at the start of a sentence, such as "Seed 3".
        summary: all of them within a sentence, such as "seeds 1, 2".
        origin: whose they are, where labels leave that open, such as "NVIDIA's seeds"; else empty.
        truncation_psi: distance from the mean style that is kept; 1 truncates nothing.
        truncation_cutoff: truncate only this many first layers; None truncates all.
    """

    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def titles(self) -> tuple[str, ...]: ...
    @property
    def summary(self) -> str: ...
    @property
    def origin(self) -> str: ...
    @property
    def truncation_psi(self) -> float: ...
    @property
    def truncation_cutoff(self) -> int | None: ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Samples]:
        """Each by itself."""
        ...

    def select(self, indices: Sequence[int]) -> Samples:
        """The samples at `indices`, in that order; GanwalkError if there is none."""
        ...

    def check(self, generator: Generator) -> None:
        """Raises GanwalkError if this generator cannot show them."""
        ...

    def codes(self, generator: Generator) -> tuple[Tensor, Tensor | None]:
        """Codes (n, z_dim), and one-hot labels (n, c_dim) for a conditional generator.

        Raises:
            GanwalkError: there are no codes: styles are all that is known of these samples.
        """
        ...

    def styles(self, generator: Generator) -> Tensor:
        """Styles (n, num_layers, w_dim), truncated."""
        ...

    def shifted_styles(self, generator: Generator, shifts: Tensor) -> Tensor:
        """Styles (n, m, num_layers, w_dim), truncated, of codes z to which each of the shifts (m, z_dim) is added.

        Raises:
            GanwalkError: there are no codes: styles are all that is known of these samples.
        """
        ...


@dataclass(frozen=True)
class DrawnSamples:
    """Samples of a standard normal distribution in z, one for each seed.

    Attributes:
        seeds: of their codes, and of their classes.
        truncation_psi, truncation_cutoff: as of `Samples`.
        class_index: of a conditional generator; None draws classes.
        seed_style: whose codes the seeds stand for: "torch", or "nvidia" for those of NVIDIA's scripts.
    Raises:
        GanwalkError: on construction, if there is no seed, or no such style.
    """

    seeds: tuple[int, ...]
    truncation_psi: float = 1.0
    truncation_cutoff: int | None = None
    class_index: int | None = None
    seed_style: str = "torch"

    def __post_init__(self) -> None:
        if not self.seeds:
            raise GanwalkError("at least one sample is needed: give --seeds such as 1-6")
        if self.seed_style not in SEED_STYLES:
            raise GanwalkError(f"unknown seed style {self.seed_style!r:.40}: choose {' or '.join(SEED_STYLES)}")

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(f"seed {seed}" for seed in self.seeds)

    @property
    def titles(self) -> tuple[str, ...]:
        return tuple(f"Seed {seed}" for seed in self.seeds)

    @property
    def summary(self) -> str:
        whose = "NVIDIA's " if self.seed_style == "nvidia" else ""
        return f"{whose}seed{'s' * (len(self) > 1)} {', '.join(map(str, self.seeds))}"

    @property
    def origin(self) -> str:
        return f"NVIDIA's seed{'s' * (len(self) > 1)}" if self.seed_style == "nvidia" else ""

    def __len__(self) -> int:
        return len(self.seeds)

    def __iter__(self) -> Iterator[DrawnSamples]:
        return (replace(self, seeds=(seed,)) for seed in self.seeds)

    def select(self, indices: Sequence[int]) -> DrawnSamples:
        return replace(self, seeds=tuple(self.seeds[index] for index in indices))

    def check(self, generator: Generator) -> None:
        check_truncation(generator, self.truncation_psi, self.truncation_cutoff)
        check_class(generator, self.class_index)

    def codes(self, generator: Generator) -> tuple[Tensor, Tensor | None]:
        self.check(generator)
        if self.seed_style == "nvidia":
            z = torch.cat([nvidia_z(generator, seed) for seed in self.seeds])
        else:
            z = torch.cat([sample_z(generator, 1, seed) for seed in self.seeds])
        rows = [sample_labels(generator, 1, self.class_index, seed) for seed in self.seeds]
        labels = [row for row in rows if row is not None]
        return z, torch.cat(labels) if labels else None

    def styles(self, generator: Generator) -> Tensor:
        return _styles(self, generator, *self.codes(generator))

    def shifted_styles(self, generator: Generator, shifts: Tensor) -> Tensor:
        return _shifted_styles(self, generator, *self.codes(generator), shifts)


@dataclass(frozen=True)
class StoredSamples:
    """Latents that were kept, or found for pictures: codes z, or styles, which are shown as they are.

    Samples are compared by the fingerprint of their latents, since tensors have no equality of their own.

    Attributes:
        latents: (n, z_dim) in z; (n, w_dim), or (n, num_layers, w_dim) with a style for each layer, in w. They are
            copied, as float32 on the CPU, and go to the generator's device when they are used.
        space: "z" or "w".
        labels: as of `Samples`, such as names of pictures; empty ones are numbered.
        truncation_psi, truncation_cutoff: as of `Samples`; of codes only.
        class_index: of codes of a conditional generator.
        fingerprint: SHA-256 of the latents.
    Raises:
        GanwalkError: on construction, if the values do not agree with this.
    """

    latents: Tensor = field(compare=False, repr=False)
    space: str
    labels: tuple[str, ...] = ()
    truncation_psi: float = 1.0
    truncation_cutoff: int | None = None
    class_index: int | None = None
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        latents = self.latents
        if self.space not in SPACES:
            raise GanwalkError(f"latents are in the unknown space {self.space!r:.40}: choose z or w")
        if latents.ndim not in ((2,) if self.space == "z" else (2, 3)) or latents.numel() == 0:
            shapes = "(n, z_dim)" if self.space == "z" else "(n, w_dim) or (n, num_layers, w_dim)"
            raise GanwalkError(f"latents of shape {tuple(latents.shape)} given, expected {shapes}")
        if not latents.is_floating_point() or not is_finite(latents):
            raise GanwalkError("latents hold values that are not finite numbers")
        if self.space == "w" and (self.truncation_psi != 1 or self.truncation_cutoff is not None):
            raise GanwalkError("styles are shown as they are: truncation is of latent codes, drop it")
        if self.space == "w" and self.class_index is not None:
            raise GanwalkError("styles are shown as they are: a class is of latent codes, drop it")
        if self.labels and len(self.labels) != len(latents):
            raise GanwalkError(f"{len(self.labels)} labels for {len(latents)} samples")
        copied = latents.detach().to("cpu", torch.float32, copy=True).contiguous()
        digest = hashlib.sha256(f"{tuple(copied.shape)}".encode())
        digest.update(copied.view(-1).numpy().data)
        object.__setattr__(self, "latents", copied)
        object.__setattr__(self, "labels", self.labels or tuple(f"sample {k}" for k in range(len(copied))))
        object.__setattr__(self, "fingerprint", digest.hexdigest())

    @property
    def titles(self) -> tuple[str, ...]:
        # Names of files stay as they are.
        return self.labels

    @property
    def summary(self) -> str:
        return ", ".join(self.labels)

    @property
    def origin(self) -> str:
        return ""

    def __len__(self) -> int:
        return len(self.latents)

    def __iter__(self) -> Iterator[StoredSamples]:
        return (self.select([index]) for index in range(len(self)))

    def select(self, indices: Sequence[int]) -> StoredSamples:
        rows = list(indices)
        return replace(self, latents=self.latents[rows], labels=tuple(self.labels[row] for row in rows))

    def check(self, generator: Generator) -> None:
        if self.space == "w":
            if not generator.style_based:
                raise GanwalkError("styles given, but this generator has no w space: give its latent codes z")
            broadcast_styles(self.latents, generator.num_layers, generator.w_dim)
            return
        check_codes(self.latents, generator.z_dim)
        check_truncation(generator, self.truncation_psi, self.truncation_cutoff)
        check_class(generator, self.class_index)
        if generator.c_dim > 0 and self.class_index is None:
            raise GanwalkError("latent codes of a class-conditional generator need their class: give --class")

    def codes(self, generator: Generator) -> tuple[Tensor, Tensor | None]:
        if self.space == "w":
            raise GanwalkError("these samples are styles, whose codes z nobody knows: use what works in w")
        self.check(generator)
        z = self.latents.to(device_of(generator))
        if self.class_index is None:
            return z, None
        return z, one_hot(torch.full((len(self),), self.class_index, device=z.device), generator.c_dim)

    def styles(self, generator: Generator) -> Tensor:
        if self.space == "z":
            return _styles(self, generator, *self.codes(generator))
        self.check(generator)
        return broadcast_styles(self.latents.to(device_of(generator)), generator.num_layers, generator.w_dim)

    def shifted_styles(self, generator: Generator, shifts: Tensor) -> Tensor:
        if self.space == "w":
            raise GanwalkError("these samples are styles, which directions in z cannot shift: use directions in w")
        return _shifted_styles(self, generator, *self.codes(generator), shifts)


def is_finite(values: Tensor) -> bool:
    """Whether all values, of which there is one at least, are finite numbers; torch.isfinite makes copies."""
    return all(math.isfinite(end) for end in torch.aminmax(values))


def describe_truncation(samples: Samples) -> str:
    """Such as "ψ 0.7 in the first 4 layers"; nothing where nothing is truncated."""
    psi, cutoff = samples.truncation_psi, samples.truncation_cutoff
    if psi == 1:
        return ""
    if cutoff is None:
        return f"ψ {psi:g}"
    return f"ψ {psi:g} in the first {'layer' if cutoff == 1 else f'{cutoff} layers'}"


def _styles(samples: Samples, generator: Generator, z: Tensor, c: Tensor | None) -> Tensor:
    psi, cutoff = samples.truncation_psi, samples.truncation_cutoff
    return generator.mapping(z, c, truncation_psi=psi, truncation_cutoff=cutoff)


def _shifted_styles(samples: Samples, generator: Generator, z: Tensor, c: Tensor | None, shifts: Tensor) -> Tensor:
    return torch.stack([_styles(samples, generator, z + shift, c) for shift in shifts], dim=1)
