"""Checkpoints of rosinality/stylegan2-pytorch (.pt): `g_ema`, the averaged generator, and `latent_avg`.

Encoders for it (pSp, e4e and what grew from them) keep it as `decoder.` in their own `state_dict`.

Its StyleGAN2 is NVIDIA's under other names, but scales weights before they are demodulated.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.generators.checkpoints.filters import filter_fields
from ganwalk.generators.checkpoints.mean_style import estimated_mean_style
from ganwalk.generators.checkpoints.stored import load_tensors, named_tensors, nested_dicts, shape_of, state_with
from ganwalk.generators.stylegan2 import StyleGAN2Config, channel_fields, first_size
from ganwalk.inert.tensors import StoredTensor

_MARKS = ("input.input", "conv1.conv.modulation.weight", "style.1.weight")
_PARTS = {
    "conv.modulation.weight": "affine.weight",
    "conv.modulation.bias": "affine.bias",
    "conv.weight": "weight",
    "activate.bias": "bias",
    "noise.weight": "noise_strength",
    "bias": "bias",
}


def is_rosinality(value: Any) -> bool:
    """Whether an inert object is such a checkpoint, or the state of its generator alone."""
    return _network(value)[0] is not None


def read_rosinality(value: Any) -> tuple[StyleGAN2Config, dict[str, Tensor]]:
    """Configuration and tensors of the averaged generator, under NVIDIA's names.

    Raises:
        GanwalkError: tensors are missing or computed otherwise than by the official code.
    """
    state, average = _network(value)
    return convert_state(named_tensors(state), average)


def convert_state(
    stored: dict[str, StoredTensor], average: StoredTensor | None
) -> tuple[StyleGAN2Config, dict[str, Tensor]]:
    """Configuration and tensors of a generator that is given by its state dict and its mean style; errors as above."""
    kernels = load_tensors({name: tensor for name, tensor in stored.items() if name.endswith(".kernel")})
    stored = {name: tensor for name, tensor in stored.items() if name not in kernels}
    loaded = load_tensors(stored)
    tensors = dict(_converted(name, tensor) for name, tensor in loaded.items())
    # The gain of up-sampling is part of its kernels.
    config = _config(stored, filter_fields(kernels, total=4.0))
    if isinstance(average, StoredTensor):
        tensors["mapping.w_avg"] = _average(load_tensors({"latent_avg": average})["latent_avg"], config.w_dim)
    else:
        tensors["mapping.w_avg"] = estimated_mean_style(config, tensors)
    return config, tensors


def _network(value: Any) -> tuple[dict[str, Any] | None, Any]:
    """The state dict of the generator, the averaged one first, and the mean style beside it; None where there is none.

    The mean of styles is an entry of the file, or of the dict that the generator lies in.
    """
    if not isinstance(value, dict):
        return None, None
    for holder in (*nested_dicts(value), value):
        state = state_with(_MARKS, holder)
        if state is not None:
            average = value.get("latent_avg", holder.get("latent_avg"))
            return {name: entry for name, entry in state.items() if name != "latent_avg"}, average
    return None, None


def _average(stored: Tensor, w_dim: int) -> Tensor:
    """The mean style (w_dim,), which encoders store once for every layer."""
    rows = stored.reshape(-1, w_dim) if stored.numel() % w_dim == 0 else stored[None]
    if not torch.equal(rows, rows[:1].expand_as(rows)):
        raise GanwalkError("is not supported: its latent_avg differs between layers")
    return rows[0]


def _config(stored: dict[str, StoredTensor], filters: dict[str, Any]) -> StyleGAN2Config:
    blocks = len([name for name in stored if re.fullmatch(r"to_rgbs\.\d+\.bias", name)])
    channels = {4: shape_of(stored, "conv1.conv.weight", 5)[1]}
    for block in range(blocks):
        channels[8 * 2**block] = shape_of(stored, f"convs.{2 * block + 1}.conv.weight", 5)[1]
    layers = len([name for name in stored if re.fullmatch(r"style\.\d+\.weight", name)])
    width, z_dim = shape_of(stored, "style.1.weight", 2)
    return StyleGAN2Config(
        img_resolution=4 * 2**blocks,
        first_size=first_size(shape_of(stored, "input.input", 4)),
        z_dim=z_dim,
        w_dim=shape_of(stored, "conv1.conv.modulation.weight", 2)[1],
        img_channels=shape_of(stored, "to_rgb1.conv.weight", 5)[1],
        mapping_layers=layers,
        mapping_features=width if layers > 1 else None,
        **filters,
        **channel_fields(channels),
    )


def _converted(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    """A tensor under NVIDIA's name and in its shape; unknown ones keep their name and are refused later."""
    if match := re.fullmatch(r"style\.(\d{1,3})\.(weight|bias)", name):
        return f"mapping.fc{int(match[1]) - 1}.{match[2]}", tensor
    if name == "input.input":
        return "synthesis.b4.const", tensor[0]
    if match := re.fullmatch(r"noises\.noise_(\d{1,2})", name):
        return f"synthesis.{_layer(int(match[1]))}.noise_const", tensor[0, 0] if tensor.ndim == 4 else tensor
    if match := re.fullmatch(r"(conv1|to_rgb1|convs\.(\d{1,2})|to_rgbs\.(\d{1,2}))\.(.+)", name):
        part = _PARTS.get(match[4])
        if part is None:
            return name, tensor
        if match[1].startswith("to_rgb"):
            layer = f"b{4 if match[3] is None else 8 * 2 ** int(match[3])}.torgb"
        else:
            layer = _layer(0 if match[2] is None else int(match[2]) + 1)
        if part == "weight" and tensor.ndim == 5:
            tensor = tensor[0]
            if not layer.endswith("torgb"):
                tensor = tensor / tensor[0].numel() ** 0.5
        elif part in ("bias", "noise_strength"):
            tensor = tensor.flatten() if part == "bias" else tensor.reshape(tensor.shape[1:])
        return f"synthesis.{layer}.{part}", tensor
    return name, tensor


def _layer(k: int) -> str:
    """NVIDIA's name of the k-th styled convolution."""
    return "b4.conv1" if k == 0 else f"b{4 * 2 ** ((k + 1) // 2)}.conv{(k + 1) % 2}"
