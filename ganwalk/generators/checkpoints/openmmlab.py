"""Checkpoints of mmgeneration and mmagic (.pth): `generator_ema` of a ProGAN, StyleGAN, StyleGAN2 or StyleGAN3.

Nothing describes the architecture: it is read off the names and the shapes of the tensors. Their tools reverse the
channels of what most of these networks make, which is blue, green, red: here the last layers' weights are reversed.
Their norms of codes and pixels add 1e-6 to the root instead of 1e-8 below it, which no picture shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.generators.checkpoints import rosinality
from ganwalk.generators.checkpoints.filters import filter_fields
from ganwalk.generators.checkpoints.mean_style import estimated_mean_style
from ganwalk.generators.checkpoints.stored import load_tensors, named_tensors, shape_of, state_with
from ganwalk.generators.progan import ProGANConfig
from ganwalk.generators.progressive import HE_GAIN
from ganwalk.generators.stylegan1 import StyleGAN1Config
from ganwalk.generators.stylegan2 import StyleGAN2Config
from ganwalk.generators.stylegan3 import StyleGAN3Config
from ganwalk.inert.tensors import StoredTensor

# What StyleGAN3's files do not say: taps of a filter at the lower of its rates, and pixels around the image.
_FILTER_SIZE = 6
_MARGIN = 10
_FIRST_CUTOFF = 2.0
# Their names in StyleGAN2, and rosinality's, from whose network theirs descends.
_STYLEGAN2_PARTS = (
    (r"style_mapping\.(\d+)\.linear\.weight_orig", r"style.\1.weight"),
    (r"style_mapping\.(\d+)\.bias", r"style.\1.bias"),
    (r"constant_input\.input", "input.input"),
    (r"injected_noise_(\d+)", r"noises.noise_\1"),
    (r"(.+)\.conv\.weight_orig", r"\1.conv.weight"),
    (r"(.+)\.style_modulation\.linear\.weight_orig", r"\1.modulation.weight"),
    (r"(.+)\.style_modulation\.bias", r"\1.modulation.bias"),
    (r"(.+)\.noise_injector\.weight", r"\1.noise.weight"),
)
# Names within the layers of StyleGAN, and ours.
_STYLEGAN1_PARTS = {
    ("conv", "input"): "const",
    ("conv", "0.conv.weight_orig"): "weight",
    ("conv", "0.conv.bias"): "bias",
    ("conv", "conv.weight_orig"): "weight",
    ("conv", "conv.bias"): "bias",
    ("noise_injector", "weight"): "noise_strength",
    ("adain", "affine.weight_orig"): "affine.weight",
    ("adain", "affine.bias"): "affine.bias",
}


def is_openmmlab(value: Any) -> bool:
    """Whether an inert object is such a checkpoint, or the state of one of its generators."""
    return _network(value) is not None


def read_openmmlab(value: Any) -> tuple[Any, dict[str, Tensor]]:
    """Configuration and tensors of the averaged generator, under our names; its pictures are red, green, blue.

    Raises:
        GanwalkError: tensors are missing, or computed otherwise than by the published networks.
    """
    network = _network(value)
    assert network is not None
    read, state = network
    return read(named_tensors(state), _description(value))


def _network(value: Any) -> tuple[_Read, dict[str, Any]] | None:
    """The reader of an architecture, and the state of the generator, the averaged one first."""
    if not isinstance(value, dict):
        return None
    for marks, read in _ARCHITECTURES:
        state = state_with(marks, value.get("state_dict"), value)
        if state is not None:
            return read, state
    return None


def _description(value: dict[str, Any]) -> str | None:
    """The text of the configuration that the network was trained by, where the file has one."""
    meta = value.get("meta")
    text = meta.get("config", meta.get("cfg")) if isinstance(meta, dict) else None
    return text if isinstance(text, str) else None


def _stylegan2(stored: dict[str, StoredTensor], description: str | None) -> tuple[StyleGAN2Config, dict[str, Tensor]]:
    average = stored.get("w_avg")
    named = {_rosinality_name(name): tensor for name, tensor in stored.items() if name != "w_avg"}
    config, tensors = rosinality.convert_state(named, average)
    reversed_ = {name: t.flip(0) for name, t in tensors.items() if re.search(r"\.torgb\.(weight|bias)$", name)}
    return config, tensors | reversed_


def _rosinality_name(name: str) -> str:
    for theirs, its in _STYLEGAN2_PARTS:
        if match := re.fullmatch(theirs, name):
            return match.expand(its)
    return name


def _stylegan1(stored: dict[str, StoredTensor], description: str | None) -> tuple[StyleGAN1Config, dict[str, Tensor]]:
    """StyleGAN, which differs from the published one: its up-sampling layers rectify before they blur, too."""
    blocks = sum(re.fullmatch(r"to_rgbs\.\d+\.conv\.weight_orig", name) is not None for name in stored)
    depth = sum(re.fullmatch(r"style_mapping\.\d+\.linear\.weight_orig", name) is not None for name in stored)
    width, z_dim = shape_of(stored, "style_mapping.1.linear.weight_orig", 2)
    kernels = load_tensors({name: tensor for name, tensor in stored.items() if name.endswith(".kernel")})
    if kernels and filter_fields(kernels) != {"resample_filter": (1.0, 2.0, 1.0)}:
        raise GanwalkError("is not supported: the filter that it blurs by is not 1 2 1")
    config = StyleGAN1Config(
        resolution=4 * 2 ** max(blocks - 1, 0),
        block_channels=tuple(shape_of(stored, f"to_rgbs.{k}.conv.weight_orig", 4)[1] for k in range(blocks)),
        z_dim=z_dim,
        w_dim=shape_of(stored, "convs.0.adain1.affine.weight_orig", 2)[1],
        img_channels=shape_of(stored, "to_rgbs.0.conv.weight_orig", 4)[0],
        mapping_layers=depth,
        mapping_features=width if depth > 1 else None,
        rectified_twice=True,
        # That of torch's InstanceNorm2d.
        norm_epsilon=1e-5,
    )
    loaded = load_tensors({name: tensor for name, tensor in stored.items() if name not in kernels})
    tensors = dict(_stylegan1_tensor(name, tensor) for name, tensor in loaded.items())
    # The first layer is a constant without a bias.
    tensors["synthesis.layer0.bias"] = torch.zeros(config.block_channels[0])
    for k, channels in enumerate(channels for channels in config.block_channels for _ in range(2)):
        strength = tensors.get(f"synthesis.layer{k}.noise_strength")
        if strength is not None and strength.numel() == 1:
            tensors[f"synthesis.layer{k}.noise_strength"] = strength.reshape(1).repeat(channels)
    if "mapping.w_avg" not in tensors:
        tensors["mapping.w_avg"] = estimated_mean_style(config, tensors)
    return config, tensors


def _stylegan1_tensor(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    """A tensor of StyleGAN under our name and in our scale; unknown ones keep their name.

    Their mapping has no gain of √2, their styles and their projection to RGB have one.
    """
    if name == "w_avg":
        return "mapping.w_avg", tensor
    if match := re.fullmatch(r"style_mapping\.(\d{1,3})\.(linear\.weight_orig|bias)", name):
        kind = "bias" if match[2] == "bias" else "weight"
        return f"mapping.fc{int(match[1]) - 1}.{kind}", tensor if kind == "bias" else tensor / HE_GAIN
    if match := re.fullmatch(r"injected_noise_(\d{1,2})", name):
        return f"synthesis.layer{match[1]}.noise_const", tensor[0, 0] if tensor.ndim == 4 else tensor
    if match := re.fullmatch(r"to_rgbs\.(\d{1,2})\.conv\.(weight_orig|bias)", name):
        kind = match[2].removesuffix("_orig")
        return f"synthesis.output{match[1]}.{kind}", tensor.flip(0) * (HE_GAIN if kind == "weight" else 1.0)
    match = re.fullmatch(r"convs\.(\d{1,2})\.(conv|noise_injector|adain)([12])\.(.+)", name)
    if match is None:
        return name, tensor
    part = _STYLEGAN1_PARTS.get((match[2], match[4]))
    if part is None:
        return name, tensor
    if match[2] == "adain":
        if part.endswith("weight"):
            tensor = tensor * HE_GAIN
        elif tensor.ndim == 1:
            # Scales come first, and ours are added to 1.
            tensor = torch.cat([tensor[: len(tensor) // 2] - 1, tensor[len(tensor) // 2 :]])
    return f"synthesis.layer{2 * int(match[1]) + int(match[3]) - 1}.{part}", tensor


def _stylegan3(stored: dict[str, StoredTensor], description: str | None) -> tuple[StyleGAN3Config, dict[str, Tensor]]:
    names = sorted({name.split(".")[1] for name in stored if re.match(r"synthesis\.L\d{1,2}_\d{1,5}_\d{1,5}\.", name)})
    numbers = sorted(tuple(int(n) for n in name[1:].split("_")) for name in names)
    if [index for index, *_ in numbers] != list(range(len(numbers))) or not numbers:
        raise GanwalkError("is damaged: its layers are not numbered from L0 on")
    layers = [f"synthesis.L{index}_{size}_{channels}" for index, size, channels in numbers]
    sizes = [numbers[0][1], *(size for _, size, _ in numbers)]
    up = tuple(_factor(stored, f"{layer}.up_filter") for layer in layers)
    down = tuple(_factor(stored, f"{layer}.down_filter") for layer in layers)
    _check_rates(sizes, up, down)
    width, z_dim = shape_of(stored, "style_mapping.fc0.weight", 2)
    depth = sum(re.fullmatch(r"style_mapping\.fc\d+\.weight", name) is not None for name in stored)
    embed_features, c_dim = None, 0
    if "style_mapping.embed.weight" in stored:
        embed_features, c_dim = shape_of(stored, "style_mapping.embed.weight", 2)
    config = StyleGAN3Config(
        img_resolution=sizes[-1],
        channels=(shape_of(stored, "synthesis.input.freqs", 2)[0], *(channels for _, _, channels in numbers)),
        sizes=tuple(sizes),
        kernels=tuple(shape_of(stored, f"{layer}.weight", 4)[2] for layer in layers),
        up=up,
        down=down,
        up_taps=tuple(_taps(stored, f"{layer}.up_filter") for layer in layers),
        down_taps=tuple(_taps(stored, f"{layer}.down_filter") for layer in layers),
        radial=tuple(f"{layer}.down_filter" in stored and stored[f"{layer}.down_filter"].ndim == 2 for layer in layers),
        input_rate=float(sizes[0] - 2 * _MARGIN),
        input_bandwidth=_FIRST_CUTOFF,
        z_dim=z_dim - (embed_features or 0),
        w_dim=shape_of(stored, "synthesis.input.affine.weight", 2)[1],
        c_dim=c_dim,
        img_channels=numbers[-1][2],
        mapping_layers=depth,
        mapping_features=width if depth > 1 else None,
        embed_features=embed_features,
    )
    tensors = {re.sub("^style_mapping", "mapping", name): tensor for name, tensor in load_tensors(stored).items()}
    # Those that NVIDIA trained make red, green, blue, and say so where they say anything.
    if description is not None and re.search(r"rgb2bgr\W{1,3}True", description) is None:
        for name in (f"{layers[-1]}.weight", f"{layers[-1]}.bias"):
            if name in tensors:
                tensors[name] = tensors[name].flip(0)
    return config, tensors


def _taps(stored: dict[str, StoredTensor], name: str) -> int:
    """Taps of a filter, 1 where there is none."""
    if name not in stored:
        return 1
    shape = stored[name].shape
    if len(shape) not in (1, 2) or len(set(shape)) != 1:
        raise GanwalkError(f"is damaged: the filter {name} has the shape {shape}")
    return shape[0]


def _factor(stored: dict[str, StoredTensor], name: str) -> int:
    """The factor that a filter of the published length resamples by."""
    taps = _taps(stored, name)
    if taps > 1 and taps % _FILTER_SIZE:
        raise GanwalkError(f"is not supported: the filter {name} has {taps} taps, no multiple of {_FILTER_SIZE}")
    return max(1, taps // _FILTER_SIZE)


def _check_rates(sizes: list[int], up: tuple[int, ...], down: tuple[int, ...]) -> None:
    """Raises GanwalkError unless the margins are those of the published networks: none around the last two layers."""
    rates = [size - 2 * _MARGIN for size in sizes[:-2]] + sizes[-2:]
    for layer in range(len(up)):
        if rates[layer] <= 0 or rates[layer] * up[layer] != rates[layer + 1] * down[layer]:
            raise GanwalkError(
                f"is not supported: the sizes of its layer {layer} do not follow from filters of {_FILTER_SIZE} taps "
                f"and margins of {_MARGIN} pixels"
            )


def _progan(stored: dict[str, StoredTensor], description: str | None) -> tuple[ProGANConfig, dict[str, Tensor]]:
    blocks = sum(re.fullmatch(r"torgb_layers\.\d+\.conv\.weight_orig", name) is not None for name in stored)
    width = shape_of(stored, "conv_blocks.0.conv.weight_orig", 4)[1]
    rows, z_dim = shape_of(stored, "noise2feat.linear.weight_orig", 2)
    if rows != 16 * width:
        raise GanwalkError(f"is damaged: noise2feat makes {rows} values, expected {16 * width}")
    channels = [_bias(stored, f"conv_blocks.{2 * block}") for block in range(blocks)]
    fused = _is_fused(stored, channels)
    labels = re.search(r"label_size\W{1,3}(\d{1,6})\b", description or "")
    config = ProGANConfig(
        resolution=4 * 2 ** max(blocks - 1, 0),
        block_channels=tuple(channels),
        z_dim=z_dim - (int(labels[1]) if labels else 0),
        c_dim=int(labels[1]) if labels else 0,
        img_channels=_bias(stored, "torgb_layers.0"),
    )
    return config, dict(_progan_tensor(name, tensor, fused) for name, tensor in load_tensors(stored).items())


def _bias(stored: dict[str, StoredTensor], layer: str) -> int:
    return shape_of(stored, f"{layer}.conv.bias", 1)[0]


def _is_fused(stored: dict[str, StoredTensor], channels: list[int]) -> bool:
    """Whether up-sampling layers are transposed convolutions, whose weights are (in, out, 3, 3).

    The first layer that changes the number of channels tells; without one, the default of their code is assumed.
    """
    for block in range(1, len(channels)):
        if channels[block] != channels[block - 1]:
            return shape_of(stored, f"conv_blocks.{2 * block - 1}.conv.weight_orig", 4)[0] == channels[block - 1]
    return True


def _progan_tensor(name: str, tensor: Tensor, fused: bool) -> tuple[str, Tensor]:
    """A tensor of ProGAN under our name, in our orientation and scale; unknown ones keep their name."""
    if name == "noise2feat.linear.weight_orig":
        return "layer0.weight", tensor.unflatten(0, (-1, 4, 4)).permute(0, 3, 1, 2).flip((2, 3))
    if name == "noise2feat.bias":
        return "layer0.bias", tensor.reshape(-1, 1, 1).repeat(1, 4, 4)
    if match := re.fullmatch(r"torgb_layers\.(\d{1,2})\.conv\.(weight_orig|bias)", name):
        return f"output{match[1]}.{match[2].removesuffix('_orig')}", tensor.flip(0)
    match = re.fullmatch(r"conv_blocks\.(\d{1,2})\.conv\.(weight_orig|bias)", name)
    if match is None:
        return name, tensor
    layer = int(match[1]) + 1
    if match[2] == "weight_orig" and layer % 2 == 0 and fused and tensor.ndim == 4:
        # Their scale is √2 by the second axis, which is that of the outputs here.
        tensor = tensor.transpose(0, 1).flip((2, 3)) * (tensor.shape[0] / tensor.shape[1]) ** 0.5
    return f"layer{layer}.{match[2].removesuffix('_orig')}", tensor


_Read = Callable[[dict[str, StoredTensor], str | None], tuple[Any, dict[str, Tensor]]]
# The tensors by which an architecture is known, and its reader.
_ARCHITECTURES: tuple[tuple[tuple[str, ...], _Read], ...] = (
    (("style_mapping.1.linear.weight_orig", "constant_input.input", "conv1.conv.weight_orig"), _stylegan2),
    (("style_mapping.1.linear.weight_orig", "convs.0.conv1.input", "convs.0.adain1.affine.weight_orig"), _stylegan1),
    (("style_mapping.fc0.weight", "synthesis.input.freqs", "synthesis.input.affine.weight"), _stylegan3),
    (("noise2feat.linear.weight_orig", "conv_blocks.0.conv.weight_orig", "torgb_layers.0.conv.weight_orig"), _progan),
)
