"""Checkpoints of lucidrains/lightweight-gan (`model_N.pt`): the state of the whole training in one dict.

The averaged generator is `GE`; the training copy G and the discriminator D are left in the file. Nothing describes the
architecture: it is read off the tensors' shapes. Batch norm is folded into the convolutions before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.generators.checkpoints.lucidrains import training_state
from ganwalk.generators.checkpoints.normalisation import BATCH_NORM_PARTS, along, batch_norm, is_count
from ganwalk.generators.checkpoints.stored import load_tensors, named_tensors, shape_of
from ganwalk.generators.lightweight import LightweightConfig
from ganwalk.inert.tensors import StoredTensor

_FIRST, _FIRST_NORM, _LAST = "initial_conv.0", "initial_conv.1", "out_conv"
# Inside of a layer: the 1×1 convolution, the one of 4×4, its noise and its batch norm.
_EXPAND, _CONV, _NOISE, _NORM = "0.0.net.0", "0.2.1", "0.3.weight", "0.4"
_ATTENTION = {"2.norm.": "norm.", "2.fn.to_lin_kv.net.": "to_lin_kv.", "2.fn.": ""}
_GATE = {"1.to_k.": "to_k.", "1.net.0.": "conv1.", "1.net.2.": "conv2.", "1.dct_weights": "dct_weights"}


def is_lightweight_gan(value: Any) -> bool:
    """Whether an inert object is such a checkpoint."""
    names = training_state(value)
    return f"GE.{_FIRST}.weight" in names and f"GE.{_LAST}.weight" in names


def read_lightweight_gan(value: Any) -> tuple[LightweightConfig, dict[str, Tensor]]:
    """Configuration and tensors of the averaged generator, under our names.

    Raises:
        GanwalkError: tensors are missing, or computed otherwise than by the versions since 0.20 of the package.
    """
    state = training_state(value)
    averaged = {name.removeprefix("GE."): entry for name, entry in state.items() if name.startswith("GE.")}
    stored = {name: tensor for name, tensor in named_tensors(averaged).items() if not is_count(name)}
    blurs = {name: tensor for name, tensor in stored.items() if name.endswith(".0.1.f")}
    for name, tensor in load_tensors(blurs).items():
        if tensor.tolist() != [1.0, 2.0, 1.0]:
            raise GanwalkError(f"is not supported: the filter GE.{name} is not 1 2 1")
    config = _config(stored)
    stored = {name: tensor for name, tensor in stored.items() if name not in blurs}
    return config, _folded(load_tensors(stored), config)


def _config(stored: Mapping[str, StoredTensor]) -> LightweightConfig:
    def layers_with(part: str) -> list[int]:
        matches = [re.fullmatch(rf"layers\.(\d{{1,4}})\.{re.escape(part)}", name) for name in stored]
        return sorted(int(match[1]) for match in matches if match)

    return LightweightConfig(
        channels=tuple(
            shape_of(stored, f"layers.{k}.{_CONV}.weight", 4)[0] // 2
            for k in range(len(layers_with(f"{_CONV}.weight")))
        ),
        latent_dim=shape_of(stored, f"{_FIRST}.weight", 4)[0],
        attention=tuple(layers_with("2.norm.g")),
        gate_channels=tuple(
            shape_of(stored, f"layers.{k}.1.net.0.weight", 4)[0] for k in layers_with("1.net.0.weight")
        ),
        frequencies=any(name.endswith(".1.dct_weights") for name in stored),
        img_channels=shape_of(stored, f"{_LAST}.weight", 4)[0],
    )


def _folded(loaded: dict[str, Tensor], config: LightweightConfig) -> dict[str, Tensor]:
    """Our tensors of theirs; unknown ones keep their name and are refused later."""
    tensors: dict[str, Tensor] = {}

    def fold(convolution: str, norm: str, ours: str, dim: int) -> Tensor:
        """Takes a convolution and the batch norm after it; returns the factor of its channels."""
        factor, offset = batch_norm(loaded, norm)
        weight, bias = (loaded.pop(f"{convolution}.{part}").double() for part in ("weight", "bias"))
        tensors[f"{ours}.weight"] = (weight * along(factor, weight, dim)).float()
        tensors[f"{ours}.bias"] = (bias * along(factor, bias, 0) + offset).float()
        for part in BATCH_NORM_PARTS:
            loaded.pop(f"{norm}.{part}", None)
        return factor.float()

    fold(_FIRST, _FIRST_NORM, "initial", dim=1)
    sources = [source for source, _ in config.gates]
    for index in range(len(config.channels)):
        theirs, ours = f"layers.{index}", f"layers.{index}"
        factor = fold(f"{theirs}.{_CONV}", f"{theirs}.{_NORM}", f"{ours}.conv", dim=0)
        tensors[f"{ours}.noise_strength"] = loaded.pop(f"{theirs}.{_NOISE}") * factor
    for name, tensor in loaded.items():
        tensors[_ours(name, sources)] = tensor
    return tensors


def _ours(name: str, sources: list[int]) -> str:
    """Our name of a tensor that is taken as it is."""
    if name.startswith(f"{_LAST}."):
        return name.replace(_LAST, "output")
    match = re.fullmatch(r"layers\.(\d{1,4})\.(.+)", name)
    if match is None:
        return name
    layer, part = int(match[1]), match[2]
    if part.startswith(f"{_EXPAND}."):
        return f"layers.{layer}.expand.{part.removeprefix(_EXPAND + '.')}"
    for theirs, ours in _ATTENTION.items():
        if part.startswith(theirs):
            return f"layers.{layer}.attention.{ours}{part.removeprefix(theirs)}"
    for theirs, ours in _GATE.items():
        if part.startswith(theirs) and layer in sources:
            return f"gates.{sources.index(layer)}.{ours}{part.removeprefix(theirs)}"
    return name
