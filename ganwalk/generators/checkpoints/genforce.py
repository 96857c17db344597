"""Checkpoints of genforce and SeFa (.pth): `generator_smooth` of a ProGAN, StyleGAN or StyleGAN2.

Their networks follow NVIDIA's TensorFlow code, also in the orientation of kernels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.generators.checkpoints.filters import filter_fields
from ganwalk.generators.checkpoints.mean_style import estimated_mean_style
from ganwalk.generators.checkpoints.stored import load_tensors, named_tensors, shape_of, state_dict
from ganwalk.generators.progan import ProGANConfig
from ganwalk.generators.stylegan1 import StyleGAN1Config
from ganwalk.generators.stylegan2 import StyleGAN2Config, channel_fields, first_size
from ganwalk.inert.tensors import StoredTensor

# From this size on StyleGAN's layers up-sample and convolve at once by default ("auto"), with flipped kernels.
AUTO_FUSED_RESOLUTION = 128


def is_genforce(value: Any) -> bool:
    """Whether an inert object is such a checkpoint, or the state of one of its generators."""
    state = _state(value)
    return state is not None and _architecture(state) is not None


def read_genforce(value: Any) -> tuple[Any, dict[str, Tensor]]:
    """Configuration and tensors of the averaged generator, under our names.

    Files do not say whether StyleGAN's layers were fused: the default of the code that wrote them is assumed.

    Raises:
        GanwalkError: tensors are missing, or computed otherwise than by the official code.
    """
    state = _state(value)
    stored = named_tensors(state)
    architecture = _architecture(stored)
    if architecture == "progan":
        return read_progan(stored)
    return read_stylegan1(stored) if architecture == "stylegan1" else _read_stylegan2(stored)


def read_progan(stored: dict[str, StoredTensor]) -> tuple[ProGANConfig, dict[str, Tensor]]:
    """ProGAN: the names are ours, the bias of the first layer is one for every channel."""
    blocks = _count(r"output(\d+)\.weight", stored)
    tensors = load_tensors(stored)
    if "layer0.bias" in tensors and tensors["layer0.bias"].ndim == 1:
        tensors["layer0.bias"] = tensors["layer0.bias"][:, None, None].repeat(1, 4, 4)
    config = ProGANConfig(
        resolution=4 * 2 ** max(blocks - 1, 0),
        block_channels=tuple(shape_of(stored, f"layer{2 * block + 1}.weight", 4)[0] for block in range(blocks)),
        z_dim=shape_of(stored, "layer0.weight", 4)[1],
        img_channels=shape_of(stored, "output0.weight", 4)[0],
        lod=_number(tensors.pop("lod", None)),
    )
    return config, tensors


def read_stylegan1(stored: dict[str, StoredTensor]) -> tuple[StyleGAN1Config, dict[str, Tensor]]:
    """StyleGAN; its up-sampling layers are fused from the resolution on that it takes by itself."""
    tensors: dict[str, Tensor] = {}
    for name, tensor in load_tensors(stored).items():
        if name.endswith(".blur.kernel"):
            fields = filter_fields({name: tensor[0, 0]} if tensor.ndim == 4 and len(tensor) else {})
            if fields != {"resample_filter": (1.0, 2.0, 1.0)}:
                raise GanwalkError(f"is not supported: the filter {name} is not 1 2 1")
            continue
        if match := re.fullmatch(r"mapping\.dense(\d+)\.(.*)", name):
            name = f"mapping.fc{match[1]}.{match[2]}"
        elif name == "truncation.w_avg":
            name = "mapping.w_avg"
        name = name.replace(".style.", ".affine.").replace(".apply_noise.weight", ".noise_strength")
        if name.endswith(".apply_noise.noise"):
            name = name.replace(".apply_noise.noise", ".noise_const")
            tensor = tensor[0, 0] if tensor.ndim == 4 else tensor
        if (match := re.fullmatch(r"synthesis\.layer(\d{1,2})\.weight", name)) and tensor.ndim == 4:
            k = int(match[1])
            if k % 2 == 0 and 4 * 2 ** (k // 2) >= AUTO_FUSED_RESOLUTION:
                tensor = tensor.flip((2, 3))
        tensors[name] = tensor
    blocks = _count(r"synthesis\.output(\d+)\.weight", stored)
    layers = _count(r"mapping\.dense(\d+)\.weight", stored)
    width, z_dim = shape_of(stored, "mapping.dense0.weight", 2)
    label = stored.get("mapping.label_weight")
    label_features = None
    if label is not None:
        c_dim, label_features = shape_of(stored, "mapping.label_weight", 2)
        z_dim -= label_features
    config = StyleGAN1Config(
        resolution=4 * 2 ** max(blocks - 1, 0),
        block_channels=tuple(shape_of(stored, f"synthesis.layer{2 * k + 1}.weight", 4)[0] for k in range(blocks)),
        z_dim=z_dim,
        w_dim=shape_of(stored, "synthesis.layer0.style.weight", 2)[1],
        c_dim=0 if label is None else c_dim,
        img_channels=shape_of(stored, "synthesis.output0.weight", 4)[0],
        mapping_layers=layers,
        mapping_features=width if layers > 1 else None,
        label_features=label_features,
        lod=_number(tensors.pop("synthesis.lod", None)),
    )
    return config, _with_average(config, tensors)


def _read_stylegan2(stored: dict[str, StoredTensor]) -> tuple[StyleGAN2Config, dict[str, Tensor]]:
    if any(".skip_layer" in name for name in stored):
        raise GanwalkError("is not supported: genforce's resnet StyleGAN2, which its own code cannot run")
    kernels, tensors = {}, {}
    for name, tensor in load_tensors(stored).items():
        if name.endswith(".kernel"):
            kernels[name] = tensor[0, 0] if tensor.ndim == 4 and tensor.shape[:2] == (1, 1) else tensor
        else:
            name, tensor = _stylegan2_tensor(name, tensor)
            tensors[name] = tensor
    for name, kernel in kernels.items():
        if not torch.equal(kernel, kernel.flip(tuple(range(kernel.ndim)))):
            raise GanwalkError(f"is not supported: the filter {name} is not symmetric, and genforce does not flip it")
    convolutions = _count(r"synthesis\.layer(\d+)\.weight", stored)
    blocks = (convolutions + 1) // 2
    channels = {4 * 2**k: shape_of(stored, f"synthesis.layer{2 * k}.weight", 4)[0] for k in range(blocks)}
    layers = _count(r"mapping\.dense(\d+)\.weight", stored)
    width, z_dim = shape_of(stored, "mapping.dense0.weight", 2)
    label = stored.get("mapping.label_weight")
    c_dim, label_features = shape_of(stored, "mapping.label_weight", 2) if label is not None else (0, None)
    config = StyleGAN2Config(
        img_resolution=4 * 2 ** max(blocks - 1, 0),
        first_size=first_size(shape_of(stored, "synthesis.early_layer.const", 4)),
        z_dim=z_dim - (label_features or 0),
        w_dim=shape_of(stored, "synthesis.layer0.style.weight", 2)[1],
        c_dim=c_dim,
        img_channels=shape_of(stored, f"synthesis.output{max(blocks - 1, 0)}.weight", 4)[0],
        mapping_layers=layers,
        mapping_features=width if layers > 1 else None,
        embed_features=label_features,
        label_concat=label is not None,
        architecture="skip" if "synthesis.output0.weight" in stored else "orig",
        **filter_fields(kernels, total=4.0),
        **channel_fields(channels),
    )
    return config, _with_average(config, tensors)


def _stylegan2_tensor(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    """A tensor of StyleGAN2 under NVIDIA's name, in its orientation and scale."""
    if match := re.fullmatch(r"mapping\.dense(\d+)\.(.*)", name):
        return f"mapping.fc{match[1]}.{match[2]}", tensor
    if name == "truncation.w_avg":
        return "mapping.w_avg", tensor
    if name == "synthesis.early_layer.const":
        return "synthesis.b4.const", tensor[0]
    match = re.fullmatch(r"synthesis\.(layer|output)(\d{1,2})\.(.+)", name)
    if match is None:
        return name, tensor
    k, part = int(match[2]), match[3].replace("style.", "affine.").replace("noise", "noise_const")
    part = part.replace("noise_const_strength", "noise_strength")
    if match[1] == "output":
        layer = f"b{4 * 2**k}.torgb"
    else:
        layer = "b4.conv1" if k == 0 else f"b{4 * 2 ** ((k + 1) // 2)}.conv{(k + 1) % 2}"
    if part == "affine.bias":
        tensor = tensor + 1
    elif part == "noise_const" and tensor.ndim == 4:
        tensor = tensor[0, 0]
    elif part == "weight" and match[1] == "layer" and tensor.ndim == 4:
        tensor = tensor / tensor[0].numel() ** 0.5
        tensor = tensor.flip((2, 3)) if layer.endswith("conv0") else tensor
    return f"synthesis.{layer}.{part}", tensor


def _with_average(config: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    if "mapping.w_avg" not in tensors:
        tensors["mapping.w_avg"] = estimated_mean_style(config, tensors)
    return tensors


def _state(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    # Its training keeps the networks beside optimisers and counters.
    networks = value["models"] if isinstance(value.get("models"), dict) else value
    return state_dict(networks.get("generator_smooth"), networks.get("generator"), networks)


def _architecture(state: Mapping[str, Any]) -> str | None:
    if "synthesis.early_layer.const" in state:
        return "stylegan2"
    if "synthesis.layer0.const" in state and "synthesis.layer0.apply_noise.weight" in state:
        return "stylegan1"
    return "progan" if {"layer0.weight", "layer1.weight", "output0.weight"} <= state.keys() else None


def _count(pattern: str, stored: dict[str, StoredTensor]) -> int:
    return sum(re.fullmatch(pattern, name) is not None for name in stored)


def _number(tensor: Tensor | None) -> float:
    if tensor is None:
        return 0.0
    if tensor.numel() != 1:
        raise GanwalkError("is damaged: its level of detail is no number")
    return float(tensor)
