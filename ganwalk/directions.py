"""The artifact: directions in a latent space, and where they come from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.files import atomic_path
from ganwalk.generators.base import Generator
from ganwalk.generators.loading import GeneratorIdentity

# The one key of the metadata. safetensors writes several in random order, and equal results should be equal files.
KEY = "ganwalk-directions-1"
# Rows of unit length within this; orthogonality is asked of discovered directions only, others' may be what they are.
_TOLERANCE = 1e-3
_MAX_VALUES = 2**28


@dataclass(frozen=True)
class Directions:
    """Unit vectors in a latent space of one generator, sorted by their effect.

    Attributes:
        vectors: (n, d) float32 rows of unit length.
        scales: (n,) latent standard deviation along each direction: a shift by amplitude a is a·scale·vector.
        space: "z" or "w".
        generator: identity of the generator they belong to.
        layers: first and last layer (inclusive) whose style is shifted; None shifts all.
        method: how they were found, such as "rtd" or "imported".
        settings: JSON-able settings of the method.
        seed: seed of the method.
        version: version of ganwalk that wrote them.
        effects: (n,) mean image change of a shift, or None if it was not measured.
    """

    vectors: Tensor
    scales: Tensor
    space: str
    generator: GeneratorIdentity
    layers: tuple[int, int] | None = None
    method: str = "imported"
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    version: str = ""
    effects: Tensor | None = None

    def __post_init__(self) -> None:
        vectors, scales = self.vectors, self.scales
        if vectors.ndim != 2 or len(vectors) == 0 or vectors.shape[1] == 0:
            raise GanwalkError(f"directions must be a matrix (n, d), not of shape {tuple(vectors.shape)}")
        for name, values in (("scales", scales), ("effects", self.effects)):
            if values is not None and values.shape != (len(vectors),):
                raise GanwalkError(f"{name} must be one number per direction, not of shape {tuple(values.shape)}")
        if not (torch.isfinite(vectors).all() and torch.isfinite(scales).all()):
            raise GanwalkError("directions hold values that are not finite")
        if (vectors.norm(dim=1) - 1).abs().max() > _TOLERANCE:
            raise GanwalkError("directions must have unit length")
        if self.space not in ("z", "w"):
            raise GanwalkError(f"directions are in the unknown space {self.space!r:.40}")

    def __len__(self) -> int:
        return len(self.vectors)

    def step(self, index: int, amplitude: float = 1.0) -> Tensor:
        """The shift (d,) by `amplitude` standard deviations along a direction."""
        if not 0 <= index < len(self):
            raise GanwalkError(f"direction {index} does not exist: there are directions 0 to {len(self) - 1}")
        return self.vectors[index] * (self.scales[index] * amplitude)

    def check(self, generator: Generator) -> None:
        """Raises GanwalkError if these directions cannot be walked in this generator."""
        if self.space == "w" and not generator.style_based:
            raise GanwalkError("these directions are in w, but the generator has no w space")
        total = generator.w_dim if self.space == "w" else generator.z_dim
        if self.vectors.shape[1] != total:
            raise GanwalkError(
                f"these directions have {self.vectors.shape[1]} dimensions, the generator's {self.space} has {total}"
            )
        if self.layers is not None and not 0 <= self.layers[0] <= self.layers[1] < generator.num_layers:
            raise GanwalkError(
                f"layers {self.layers[0]}-{self.layers[1]} do not exist: the generator has layers 0 to "
                f"{generator.num_layers - 1}"
            )

    def save(self, path: Path | str) -> None:
        """Writes safetensors with everything else as metadata, atomically."""
        from safetensors.torch import save_file

        tensors = {"vectors": self.vectors, "scales": self.scales}
        if self.effects is not None:
            tensors["effects"] = self.effects
        facts = {
            "space": self.space,
            "layers": self.layers,
            "generator": asdict(self.generator),
            "method": self.method,
            "settings": self.settings,
            "seed": self.seed,
            "version": self.version,
        }
        metadata = {KEY: json.dumps(facts)}
        with atomic_path(path) as partial:
            save_file(
                {name: t.detach().float().cpu().contiguous() for name, t in tensors.items()},
                partial,
                metadata,
            )

    @staticmethod
    def load(path: Path | str) -> Directions:
        """Reads what `save` wrote.

        Raises:
            GanwalkError: the file is missing, damaged, or something else.
        """
        from safetensors import SafetensorError, safe_open

        path = Path(path)
        if path.is_dir():
            raise GanwalkError(f"{path} is a folder: give the directions.safetensors in it")
        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata() or {}
                if KEY not in metadata:
                    raise GanwalkError(f"{path} is not a directions file: make one with ganwalk discover or import")
                tensors = {}
                for name in ("vectors", "scales", "effects"):
                    if name in file.keys():  # noqa: SIM118 (no container)
                        shape = file.get_slice(name).get_shape()
                        if torch.Size(shape).numel() > _MAX_VALUES:
                            raise GanwalkError(f"{path} is damaged: {name} has the shape {shape}")
                        tensors[name] = file.get_tensor(name).float()
            facts = json.loads(metadata[KEY])
            layers = facts["layers"]
            return Directions(
                vectors=tensors["vectors"],
                scales=tensors["scales"],
                space=str(facts["space"]),
                generator=GeneratorIdentity(**facts["generator"]),
                layers=None if layers is None else (int(layers[0]), int(layers[1])),
                method=str(facts["method"]),
                settings=dict(facts["settings"]),
                seed=int(facts["seed"]),
                version=str(facts["version"]),
                effects=tensors.get("effects"),
            )
        except FileNotFoundError:
            raise GanwalkError(f"{path} does not exist: run ganwalk discover first, or check the path") from None
        except OSError as error:
            raise GanwalkError(f"cannot read {path}: {error.strerror or error}") from error
        except SafetensorError as error:
            raise GanwalkError(f"{path} is not a directions file, or a damaged one") from error
        except (KeyError, ValueError, TypeError, IndexError, RecursionError) as error:
            if isinstance(error, GanwalkError):
                raise
            raise GanwalkError(f"{path} is damaged: its description cannot be read") from error


def shift_latents(latents: Tensor, step: Tensor, layers: tuple[int, int] | None) -> Tensor:
    """Latents plus step (d,): codes z (n, d) as they are, styles (n, num_layers, d) on every layer of the range."""
    if latents.ndim == 2 or layers is None:
        return latents + step
    first, last = layers
    selected = torch.zeros(latents.shape[1], 1, dtype=latents.dtype, device=latents.device)
    selected[first : last + 1] = 1
    return latents + selected * step


def walk(
    generator: Generator,
    directions: Directions,
    index: int,
    z: Tensor,
    amplitudes: Tensor,
    *,
    c: Tensor | None = None,
    truncation_psi: float = 1.0,
    layers: tuple[int, int] | None = None,
) -> Tensor:
    """Styles along a direction: (n, len(amplitudes), num_layers, w_dim) for codes z (n, z_dim).

    In w the samples are truncated, then shifted. `layers` narrows the shift; None takes the directions' own range.
    """
    layers = layers or directions.layers
    steps = directions.step(index).to(z.device) * amplitudes.to(z.device)[:, None]
    if directions.space == "z":
        if layers is not None:
            raise GanwalkError("a range of layers needs directions in w, and these are in z")
        rows = [generator.mapping(z + step, c, truncation_psi=truncation_psi) for step in steps]
    else:
        w = generator.mapping(z, c, truncation_psi=truncation_psi)
        rows = [shift_latents(w, step, layers) for step in steps]
    return torch.stack(rows, dim=1)
