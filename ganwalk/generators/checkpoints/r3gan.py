"""Snapshots of R3GAN (.pkl): a pickled dict whose `G_ema` is a plain module of torch; its state dict is read, too.

Nothing describes the architecture: it is read off the tensors' shapes. Stages that were trained in bfloat16 are
computed in float32, like all others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.generators.checkpoints.filters import filter_fields
from ganwalk.generators.checkpoints.nvidia_network import Network, held_modules, is_module
from ganwalk.generators.checkpoints.stored import generator_state, load_tensors, named_tensors, shape_of
from ganwalk.generators.r3gan import R3GANConfig
from ganwalk.inert.tensors import StoredTensor

_STAGE = "Model.MainLayers."
_MARKS = (f"{_STAGE}0.Layers.0.Basis", f"{_STAGE}0.Layers.0.LinearLayer.weight", "Model.AggregationLayer.Layer.weight")
_NAMES = {
    "Model.EmbeddingLayer.weight": "embedding.weight",
    _MARKS[0]: "basis",
    _MARKS[1]: "linear.weight",
    _MARKS[2]: "output.weight",
}


def is_r3gan(value: Any) -> bool:
    """Whether an inert object is such a snapshot, its generator alone, or the state of that."""
    return _module(value) is not None or generator_state(_MARKS, value) is not None


def read_r3gan(value: Any) -> tuple[R3GANConfig, dict[str, Tensor]]:
    """Configuration and tensors of the averaged generator, under our names.

    Raises:
        GanwalkError: tensors are missing or computed otherwise than by the official code.
    """
    module = _module(value)
    stored = named_tensors(generator_state(_MARKS, value)) if module is None else module.tensors()
    kernels = {name: tensor for name, tensor in stored.items() if name.endswith(".Resampler.Kernel")}
    fields = filter_fields(load_tensors(kernels))
    if "resample_columns" in fields:
        raise GanwalkError("is not supported: its up-sampling filter is not separable")
    tensors = {_ours(name): tensor for name, tensor in stored.items() if name not in kernels}
    return _config(stored, fields["resample_filter"]), load_tensors(tensors)


def _module(value: Any) -> Network | None:
    """The averaged generator, or the only one, as a pickled module; None if there is none."""
    for network in held_modules(value):
        model = network.children.get("Model")
        if is_module(model) and {"MainLayers", "AggregationLayer"} <= Network(model, network.name).children.keys():
            return network
    return None


def _config(stored: Mapping[str, StoredTensor], taps: tuple[float, ...]) -> R3GANConfig:
    blocks: dict[int, int] = {}
    for name in stored:
        if match := re.fullmatch(r"Model\.MainLayers\.(\d{1,3})\.Layers\.\d{1,3}\.LinearLayer3\.Layer\.weight", name):
            blocks[int(match[1])] = blocks.get(int(match[1]), 0) + 1
    if sorted(blocks) != list(range(len(blocks))) or not blocks:
        raise GanwalkError("is damaged: its stages are not numbered from 0 on, or have no blocks")
    shapes = [shape_of(stored, f"{_STAGE}{k}.Layers.1.LinearLayer2.Layer.weight", 4) for k in range(len(blocks))]
    if any(shape[1] == 0 or shape[0] % shape[1] for shape in shapes):
        raise GanwalkError("is damaged: its convolutions do not part into groups")
    label = "Model.EmbeddingLayer.weight"
    embed_dim, c_dim = shape_of(stored, label, 2) if label in stored else (0, 0)
    return R3GANConfig(
        widths=tuple(shape_of(stored, f"{_STAGE}{k}.Layers.1.LinearLayer3.Layer.weight", 4)[0] for k in sorted(blocks)),
        expanded=tuple(shape[0] for shape in shapes),
        groups=tuple(shape[0] // shape[1] for shape in shapes),
        blocks=tuple(blocks[k] for k in sorted(blocks)),
        z_dim=shape_of(stored, _MARKS[1], 2)[1] - embed_dim,
        c_dim=c_dim,
        embed_dim=embed_dim,
        img_channels=shape_of(stored, _MARKS[2], 4)[0],
        resample_filter=taps,
    )


def _ours(name: str) -> str:
    """Our name of a tensor of theirs; unknown ones keep their name and are refused later."""
    if name in _NAMES:
        return _NAMES[name]
    match = re.fullmatch(r"Model\.MainLayers\.(\d{1,3})\.Layers\.(\d{1,3})\.(.+)", name)
    if match is None:
        return name
    stage, layer, part = f"stages.{match[1]}", int(match[2]), match[3]
    if layer == 0:
        return f"{stage}.transition.weight" if part == "LinearLayer.Layer.weight" else name
    if inner := re.fullmatch(r"LinearLayer([123])\.Layer\.weight|NonLinearity([12])\.Bias", part):
        kind = f"conv{inner[1]}.weight" if inner[1] else f"conv{inner[2]}.bias"
        return f"{stage}.blocks.{layer - 1}.{kind}"
    return name
