"""Checkpoints of Projected GAN's FastGAN (`best_model.pkl`, `training-state`): `G_ema`, a plain module of torch.

Spectral and batch normalisation are folded into the weights beside them; parts beyond the image's size, which the
official code builds and never runs, are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.generators.checkpoints.normalisation import (
    along,
    batch_norm,
    is_count,
    spectral_norm,
    standardisation,
)
from ganwalk.generators.checkpoints.nvidia_network import Network, held_modules, is_module
from ganwalk.generators.checkpoints.stored import generator_state, load_tensors, named_tensors, shape_of
from ganwalk.generators.fastgan import GATES, SIZES, FastGANConfig
from ganwalk.inert.tensors import StoredTensor

_FIRST = "synthesis.init.init.0"
_FIRST_NORM = "synthesis.init.init.1"
_LAST = "synthesis.to_big"
_EMBEDDING = "synthesis.embed.weight"
_MARKS = (f"{_FIRST}.weight_orig", f"{_LAST}.weight_orig")
# Names in a block of its convolutions, of the batch norm after each, and of the noise between, if there is any.
_Units = tuple[tuple[str, str, str | None], ...]
_BLOCKS: tuple[_Units, ...] = (
    (("conv1", "bn1", "noise"), ("conv2", "bn2", "noise")),
    (("conv", "bn", None),),
    (("1", "3", "2"), ("5", "7", "6")),
    (("1", "2", None),),
)


def is_projected_gan(value: Any) -> bool:
    """Whether an inert object is such a checkpoint, its generator alone, or the state of that."""
    return _module(value) is not None or generator_state(_MARKS, value) is not None


def read_projected_gan(value: Any) -> tuple[FastGANConfig, dict[str, Tensor]]:
    """Configuration and tensors of the averaged generator, under our names.

    Raises:
        GanwalkError: tensors are missing or computed otherwise than by the official code.
    """
    module = _module(value)
    stored = named_tensors(generator_state(_MARKS, value)) if module is None else module.tensors()
    resolution = _resolution(stored) if module is None else module.whole("img_resolution")
    stored = {name: tensor for name, tensor in stored.items() if not is_count(name) and not _beyond(name, resolution)}
    units = _units(stored)
    config = _config(stored, resolution, units, None if module is None else module.whole("c_dim", 0))
    parts = _parts(config, units)
    surplus = next((name for name in stored if name.rpartition(".")[0] not in parts), None)
    if surplus is not None:
        raise GanwalkError(f"is not supported: it holds {surplus:.80}, which a FastGAN has no place for")
    return config, _folded(load_tensors(stored), config, units)


def _module(value: Any) -> Network | None:
    """The averaged generator, or the only one, as a pickled module; None if there is none."""
    for network in held_modules(value):
        synthesis = network.children.get("synthesis")
        if is_module(synthesis) and {"init", "feat_8", "to_big"} <= Network(synthesis, network.name).children.keys():
            return network
    return None


def _resolution(stored: Mapping[str, StoredTensor]) -> int:
    """The size whose features are as many as the image is made of."""
    wanted = shape_of(stored, _MARKS[1], 4)[1]
    for size in SIZES:
        weights = [stored.get(f"synthesis.feat_{size}.{block[-1][0]}.weight_orig") for block in _BLOCKS]
        if any(weight is not None and weight.ndim == 4 and weight.shape[0] == 2 * wanted for weight in weights):
            return size
    raise GanwalkError(f"is not supported: its images are of none of {SIZES} px")


def _beyond(name: str, resolution: int) -> bool:
    match = re.match(r"synthesis\.(?:feat|se)_(\d{1,5})\.", name)
    return match is not None and int(match[1]) > resolution


def _units(stored: Mapping[str, StoredTensor]) -> _Units:
    """The kind of block that the network consists of."""
    for units in _BLOCKS:
        if all(f"synthesis.feat_8.{convolution}.weight_orig" in stored for convolution, _, _ in units):
            return units
    raise GanwalkError("is damaged: the convolutions of synthesis.feat_8 are missing")


def _config(stored: Mapping[str, StoredTensor], resolution: int, units: _Units, c_dim: int | None) -> FastGANConfig:
    """The configuration; `c_dim` is None where a file does not tell, and every embedded class is one."""
    if resolution not in SIZES:
        raise GanwalkError(f"is not supported: FastGANs make images of {SIZES} px, not of {resolution!r:.20}")
    convolutions = [f"synthesis.feat_{size}.{units[-1][0]}.weight_orig" for size in _sizes(resolution)]
    first = shape_of(stored, _MARKS[0], 4)
    widths = [first[1], *(shape_of(stored, name, 4)[0] for name in convolutions)]
    rows, embed_dim = shape_of(stored, _EMBEDDING, 2) if _EMBEDDING in stored else (0, 0)
    if rows == 0 or c_dim is None:
        c_dim = rows
    if c_dim > rows:
        raise GanwalkError(f"is damaged: it has {c_dim} classes, but embeds {rows}")
    return FastGANConfig(
        resolution=resolution,
        channels=tuple(width // 2 for width in widths),
        full=len(units) == 2,
        z_dim=first[0],
        c_dim=c_dim,
        embed_dim=embed_dim,
        img_channels=shape_of(stored, _MARKS[1], 4)[0],
    )


def _sizes(resolution: int) -> list[int]:
    """Of all blocks, 8 px and more."""
    return [2**k for k in range(3, resolution.bit_length())]


def _parts(config: FastGANConfig, units: _Units) -> set[str]:
    """Names of the layers that have tensors."""
    parts = {_FIRST, _FIRST_NORM, _EMBEDDING.rpartition(".")[0], _LAST}
    for size in _sizes(config.resolution):
        for names in units:
            parts |= {f"synthesis.feat_{size}.{name}" for name in names if name is not None}
            parts |= {f"synthesis.feat_{size}.{names[1]}.{linear}" for linear in ("gain", "bias")}
        parts |= {f"synthesis.se_{size}.main.{k}" for k in (1, 3)}
    return parts


def _folded(loaded: dict[str, Tensor], config: FastGANConfig, units: _Units) -> dict[str, Tensor]:
    """Our tensors of theirs."""
    first = spectral_norm(loaded, _FIRST, dim=1)
    factor, offset = batch_norm(loaded, _FIRST_NORM)
    tensors = {
        "first.weight": first * along(factor, first, 1),
        "first.bias": offset,
        "output.weight": spectral_norm(loaded, _LAST),
        "output.bias": _tensor(loaded, f"{_LAST}.bias"),
    }
    if config.c_dim > 0:
        tensors["embedding.weight"] = _tensor(loaded, _EMBEDDING)[: config.c_dim]
    for size in _sizes(config.resolution):
        block = f"synthesis.feat_{size}"
        for index, (convolution, norm, noise) in enumerate(units):
            ours, norm = f"block{size}.{index}", f"{block}.{norm}"
            weight = spectral_norm(loaded, f"{block}.{convolution}")
            if config.c_dim > 0:
                mean, variance = (_tensor(loaded, f"{norm}.stored_{kind}") for kind in ("mean", "var"))
                factor, offset = standardisation(mean, variance)
                for part, linear in (("gain", f"{norm}.gain"), ("shift", f"{norm}.bias")):
                    tensors[f"{ours}.{part}.weight"] = spectral_norm(loaded, linear)
                    tensors[f"{ours}.{part}.bias"] = _tensor(loaded, f"{linear}.bias")
            else:
                factor, offset = batch_norm(loaded, norm)
            tensors[f"{ours}.conv.weight"] = weight * along(factor, weight, 0)
            tensors[f"{ours}.conv.bias"] = offset
            if noise is not None:
                tensors[f"{ours}.noise_strength"] = _tensor(loaded, f"{block}.{noise}.weight") * factor
        if size in GATES:
            for k in (1, 2):
                tensors[f"gate{size}.conv{k}.weight"] = spectral_norm(loaded, f"synthesis.se_{size}.main.{2 * k - 1}")
    return {name: tensor.float() for name, tensor in tensors.items()}


def _tensor(loaded: dict[str, Tensor], name: str) -> Tensor:
    if name not in loaded:
        raise GanwalkError(f"is damaged: {name} is missing")
    return loaded[name]
