"""Checkpoints of ajbrock/BigGAN-PyTorch (`G_ema.pth`): bare state dicts of BigGAN and BigGAN-deep.

Sizes come from shapes. Spectral normalisation, for which the official code does one step of the power iteration in
every call, is folded into the weights; the inputs of linear maps are put in our order, code before class.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn.functional import normalize

from ganwalk.errors import GanwalkError
from ganwalk.generators.biggan import BigGANConfig
from ganwalk.generators.checkpoints.stored import generator_state, load_tensors, named_tensors, shape_of
from ganwalk.inert.tensors import StoredTensor

_MARKS = ("linear.weight", "blocks.0.0.conv1.weight", "output_layer.2.weight")
_SHARED = "shared.weight"
# Where versions of batch norm keep their statistics.
_STATISTICS = ("stored_{}", "bn.stored_{}", "bn.running_{}", "running_{}")
# What only the training needs: singular values and counts.
_LOGS = re.compile(r".*\.(sv\d+|accumulation_counter|num_batches_tracked)")


@dataclass(frozen=True)
class _Layers:
    """Names of the parts of a network: its blocks, and attention by the number of the block that it precedes."""

    blocks: tuple[str, ...]
    attention: dict[int, str]
    deep: bool

    @property
    def convolutions(self) -> int:
        return 4 if self.deep else 2


def is_biggan_pytorch(value: Any) -> bool:
    """Whether an inert object is such a state dict, or a dict that holds one."""
    return generator_state(_MARKS, value) is not None


def read_biggan_pytorch(value: Any) -> tuple[BigGANConfig, dict[str, Tensor]]:
    """Configuration and tensors under our names.

    Raises:
        GanwalkError: tensors are missing or computed otherwise than by the official code.
    """
    stored = {
        name: tensor
        for name, tensor in named_tensors(generator_state(_MARKS, value)).items()
        if not _LOGS.fullmatch(name)
    }
    layers = _layers(stored)
    config = _config(stored, layers)
    return config, _tensors(load_tensors(stored), layers, config)


def _layers(stored: Mapping[str, StoredTensor]) -> _Layers:
    parts = {
        (int(match[1]), int(match[2]))
        for name in stored
        if (match := re.match(r"blocks\.(\d{1,3})\.(\d{1,3})\.", name))
    }
    blocks: list[str] = []
    attention = {}
    for i, j in sorted(parts):
        name = f"blocks.{i}.{j}"
        if f"{name}.theta.weight" in stored:
            attention[len(blocks)] = name
        else:
            blocks.append(name)
    return _Layers(tuple(blocks), attention, deep="blocks.0.0.conv3.weight" in stored)


def _config(stored: Mapping[str, StoredTensor], layers: _Layers) -> BigGANConfig:
    last = f"conv{layers.convolutions}.weight"
    shapes = [
        (shape_of(stored, f"{name}.conv1.weight", 4)[1], shape_of(stored, f"{name}.{last}", 4)[0])
        for name in layers.blocks
    ]
    # BigGAN-deep's come in pairs, of which the second doubles the size.
    up = tuple(not layers.deep or number % 2 == 1 for number in range(len(shapes)))
    if layers.deep and (len(shapes) % 2 or any(below != out for below, out in shapes[::2])):
        raise GanwalkError("is not supported: it is no BigGAN-deep of two blocks for each size")
    first, inputs = (shape_of(stored, name, 2)[1] for name in ("linear.weight", "blocks.0.0.bn1.gain.weight"))
    if _SHARED in stored:
        c_dim, embed_dim = shape_of(stored, _SHARED, 2)
        conditioning, z_dim = "class", first
        if inputs > embed_dim:
            conditioning = "all" if layers.deep else "chunks"
            z_dim = inputs - embed_dim if layers.deep else first * (len(shapes) + 1)
    else:
        c_dim, embed_dim = shape_of(stored, "blocks.0.0.bn1.gain.weight", 2)[0], 0
        conditioning, z_dim = "class", first
    return BigGANConfig(
        widths=(shapes[0][0], *(out for _, out in shapes)),
        up=up,
        z_dim=z_dim,
        c_dim=c_dim,
        embed_dim=embed_dim,
        conditioning=conditioning,
        deep=layers.deep,
        attention=tuple(layers.attention),
        img_channels=shape_of(stored, "output_layer.2.weight", 4)[0],
    )


def _tensors(loaded: dict[str, Tensor], layers: _Layers, config: BigGANConfig) -> dict[str, Tensor]:
    """Our tensors of theirs; unknown ones keep their name and are refused later."""
    tensors: dict[str, Tensor] = {}

    def taken(theirs: str, ours: str, *, label: int = 0, factor: Tensor | float = 1.0) -> None:
        """Takes a layer, whose first `label` inputs are the class and come last with us."""
        weight = _normalised(loaded, theirs) * factor
        if label:
            weight = weight.roll(-label, dims=1)
        tensors[f"{ours}.weight"] = weight.float()
        if f"{theirs}.bias" in loaded:
            tensors[f"{ours}.bias"] = loaded.pop(f"{theirs}.bias")

    def statistics(theirs: str, ours: str) -> None:
        for kind, name in (("means", "mean"), ("variances", "var")):
            found = [key for form in _STATISTICS if (key := f"{theirs}.{form.format(name)}") in loaded]
            if found:
                tensors[f"{ours}.{kind}"] = loaded.pop(found[0])[None]

    if _SHARED in loaded:
        tensors["embedding.weight"] = loaded.pop(_SHARED).T
    taken("linear", "linear", label=config.embed_dim if config.conditioning == "all" else 0)
    for block, name in enumerate(layers.blocks):
        for k in range(layers.convolutions):
            norm, ours = f"{name}.bn{k + 1}", f"block{block}.norms.{k}"
            for theirs, part in (("gain", "gain"), ("bias", "shift")):
                if config.embed_dim == 0:
                    # A table of classes is a linear map of one-hot labels.
                    tensors[f"{ours}.{part}.weight"] = loaded.pop(f"{norm}.{theirs}.weight").T
                else:
                    taken(f"{norm}.{theirs}", f"{ours}.{part}", label=config.embed_dim)
            statistics(norm, ours)
            taken(f"{name}.conv{k + 1}", f"block{block}.convs.{k}")
        if not layers.deep:
            taken(f"{name}.conv_sc", f"block{block}.shortcut")
    for block, name in layers.attention.items():
        gamma = loaded.pop(f"{name}.gamma").double()
        for part in ("theta", "phi", "g", "o"):
            taken(f"{name}.{part}", f"attention{block}.{part}", factor=gamma if part == "o" else 1.0)
    for theirs, part in (("gain", "gain"), ("bias", "shift")):
        tensors[f"output_norm.{part}"] = loaded.pop(f"output_layer.0.{theirs}")
    statistics("output_layer.0", "output_norm")
    taken("output_layer.2", "output")
    return tensors | loaded


def _normalised(loaded: dict[str, Tensor], name: str) -> Tensor:
    """A weight, float64, divided by its largest singular value after one step of the power iteration from `u0`.

    Raises:
        GanwalkError: it is missing, or its singular vector does not fit it.
    """
    if f"{name}.weight" not in loaded:
        raise GanwalkError(f"is damaged: {name}.weight is missing")
    weight, u = loaded.pop(f"{name}.weight").double(), loaded.pop(f"{name}.u0", None)
    if u is None:
        return weight
    if weight.ndim < 2 or u.shape != (1, len(weight)):
        raise GanwalkError(f"is damaged: the singular vector of {name} does not fit its weight")
    matrix = weight.flatten(1)
    v = normalize(u.double() @ matrix)
    u = normalize(v @ matrix.T)
    return weight / (v @ matrix.T @ u.T).squeeze()
