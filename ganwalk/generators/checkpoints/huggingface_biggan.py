"""Hugging Face's BigGAN-deep (pytorch-pretrained-BigGAN): a bare state dict, described by a config.json beside it.

Spectral normalisation is folded into the weights. Without its description, a file is read as the three that were
published: two blocks for each size, of which the second doubles it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.files import read_text
from ganwalk.generators.biggan import BigGANConfig
from ganwalk.generators.checkpoints.normalisation import spectral_norm
from ganwalk.generators.checkpoints.stored import load_tensors, named_tensors, shape_of, state_with
from ganwalk.inert.tensors import StoredTensor

_EMBEDDING, _FIRST, _LAST = "embeddings.weight", "generator.gen_z", "generator.conv_to_rgb"
_MARKS = (_EMBEDDING, f"{_FIRST}.weight_orig", f"{_LAST}.weight_orig")
_LAYER = "generator.layers."
_DESCRIPTION = "config.json"
_MAX_DESCRIPTION_BYTES = 2**20
# Users draw the code from a normal distribution that is cut off there, and scale it by the truncation.
_Z_LIMIT = 2.0
_OUTPUTS = 3
_ATTENTION = {"theta": "theta", "phi": "phi", "g": "g", "o_conv": "o"}


@dataclass(frozen=True)
class _Description:
    """What shapes do not tell: which blocks double the size, and what is added to variances."""

    up: tuple[bool, ...]
    eps: float


def is_huggingface_biggan(value: Any) -> bool:
    """Whether an inert object is such a state dict."""
    return state_with(_MARKS, value) is not None


def read_huggingface_biggan(value: Any, path: Path) -> tuple[BigGANConfig, dict[str, Tensor]]:
    """Configuration and tensors under our names.

    Args:
        path: of the file, beside which its config.json is looked for.
    Raises:
        GanwalkError: tensors are missing, or the description is, or does not fit them.
    """
    stored = named_tensors(state_with(_MARKS, value))
    numbers = sorted({int(match[1]) for name in stored if (match := re.match(r"generator\.layers\.(\d{1,3})\.", name))})
    attention = [number for number in numbers if f"{_LAYER}{number}.gamma" in stored]
    blocks = [number for number in numbers if number not in attention]
    if numbers != list(range(len(numbers))) or not blocks:
        raise GanwalkError("is damaged: its layers are not numbered from 0 on")
    shapes = [(_width(stored, number, 0, 1), _width(stored, number, 3, 0)) for number in blocks]
    described = _described(path, shapes)
    z_dim, c_dim = shape_of(stored, _EMBEDDING, 2)
    config = BigGANConfig(
        widths=(shapes[0][0], *(out for _, out in shapes)),
        up=described.up,
        z_dim=z_dim,
        c_dim=c_dim,
        embed_dim=z_dim,
        conditioning="all",
        deep=True,
        attention=tuple(number - place for place, number in enumerate(attention)),
        n_stats=shape_of(stored, f"{_LAYER}{blocks[0]}.bn_0.running_means", 2)[0],
        eps=described.eps,
        output_eps=described.eps,
        z_limit=_Z_LIMIT,
    )
    return config, _tensors(load_tensors(stored), blocks, attention, config)


def _width(stored: Mapping[str, StoredTensor], number: int, convolution: int, dimension: int) -> int:
    return shape_of(stored, f"{_LAYER}{number}.conv_{convolution}.weight_orig", 4)[dimension]


def _described(path: Path, shapes: list[tuple[int, int]]) -> _Description:
    """The description in the file beside, or that of the published networks if their shapes are of that kind."""
    names = (_DESCRIPTION, path.name.replace(f"pytorch_model{path.suffix}", _DESCRIPTION))
    beside = next((path.with_name(name) for name in names if path.with_name(name).is_file()), None)
    if beside is None or beside == path:
        up = tuple(number % 2 == 1 for number in range(len(shapes)))
        if len(shapes) % 2 or any(below != out for below, out in shapes[::2]):
            raise GanwalkError(f"needs its {_DESCRIPTION} beside it, which tells where its blocks double the size")
        return _Description(up, 1e-4)
    try:
        facts = json.loads(read_text(beside, _MAX_DESCRIPTION_BYTES))
        width, layers, eps = facts["channel_width"], facts["layers"], facts["eps"]
        up = tuple(layer[0] for layer in layers)
        described = [(layer[1] * width, layer[2] * width) for layer in layers]
    except (ValueError, KeyError, TypeError, LookupError, RecursionError, OSError) as error:
        raise GanwalkError(f"has a {beside.name} beside it that is none of a BigGAN: get the right one") from error
    if described != shapes or not all(type(flag) is bool for flag in up):
        raise GanwalkError(f"does not fit the {beside.name} beside it: get the right one")
    return _Description(up, eps)


def _tensors(
    loaded: dict[str, Tensor], blocks: list[int], attention: list[int], config: BigGANConfig
) -> dict[str, Tensor]:
    """Our tensors of theirs; unknown ones keep their name and are refused later."""
    tensors: dict[str, Tensor] = {}

    def normalised(theirs: str, ours: str, factor: Tensor | float = 1.0) -> None:
        """Takes a layer under spectral norm, with its bias if it has one."""
        tensors[f"{ours}.weight"] = (spectral_norm(loaded, theirs) * factor).float()
        for kind in ("orig", "u", "v"):
            loaded.pop(f"{theirs}.weight_{kind}")
        if f"{theirs}.bias" in loaded:
            tensors[f"{ours}.bias"] = loaded.pop(f"{theirs}.bias")

    def statistics(theirs: str, ours: str) -> None:
        for kind, name in (("means", "running_means"), ("variances", "running_vars")):
            if f"{theirs}.{name}" in loaded:
                tensors[f"{ours}.{kind}"] = loaded.pop(f"{theirs}.{name}")

    tensors["embedding.weight"] = loaded.pop(_EMBEDDING)
    normalised(_FIRST, "linear")
    for part in ("weight", "bias"):
        tensors[f"linear.{part}"] = _channels_first(tensors[f"linear.{part}"], config.widths[0])
    for block, number in enumerate(blocks):
        for k in range(4):
            theirs, ours = f"{_LAYER}{number}.bn_{k}", f"block{block}.norms.{k}"
            normalised(f"{theirs}.scale", f"{ours}.gain")
            normalised(f"{theirs}.offset", f"{ours}.shift")
            statistics(theirs, ours)
            normalised(f"{_LAYER}{number}.conv_{k}", f"block{block}.convs.{k}")
    for place, number in zip(config.attention, attention, strict=True):
        gamma = loaded.pop(f"{_LAYER}{number}.gamma").double()
        for name, ours in _ATTENTION.items():
            factor = gamma if ours == "o" else 1.0
            normalised(f"{_LAYER}{number}.snconv1x1_{name}", f"attention{place}.{ours}", factor)
    statistics("generator.bn", "output_norm")
    for theirs, ours in (("weight", "gain"), ("bias", "shift")):
        if f"generator.bn.{theirs}" in loaded:
            tensors[f"output_norm.{ours}"] = loaded.pop(f"generator.bn.{theirs}")
    normalised(_LAST, "output")
    # The network computes as many pictures as it has channels, of which the first three are the colours.
    for part in ("weight", "bias"):
        if f"output.{part}" in tensors:
            tensors[f"output.{part}"] = tensors[f"output.{part}"][:_OUTPUTS]
    return tensors | loaded


def _channels_first(tensor: Tensor, channels: int) -> Tensor:
    """Rows of the first layer, (4·4·c, …), as (c·4·4, …)."""
    if len(tensor) != 16 * channels:
        raise GanwalkError(f"is damaged: its first layer has {len(tensor)} rows, not 16·{channels}")
    return tensor.unflatten(0, (4, 4, channels)).movedim(2, 0).flatten(0, 2)
