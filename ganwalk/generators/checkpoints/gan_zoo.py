"""Checkpoints of pytorch_GAN_zoo's progressive GANs (.pth): a pickled configuration, and the average `avgG`.

Its layers compute (W x + b)·√(2 / fan_in), the bias and the projection to RGB included: both are folded into the
tensors here.
"""

from __future__ import annotations

import math
import re
from typing import Any

from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.generators.checkpoints.stored import load_tensors, named_tensors, state_dict
from ganwalk.generators.progan import ProGANConfig
from ganwalk.generators.progressive import HE_GAIN
from ganwalk.inert.numpy_values import plain_number
from ganwalk.inert.pickle_reader import Record
from ganwalk.inert.tensors import StoredTensor

# The losses whose generators end in a tanh; the others' end without an activation.
_TANH_LOSSES = ("MSE", "DCGAN")


def is_gan_zoo(value: Any) -> bool:
    """Whether an inert object is a checkpoint of a progressive GAN."""
    state = _state(value)
    return state is not None and any(name.startswith("formatLayer.") for name in state)


def read_gan_zoo(value: Any) -> tuple[ProGANConfig, dict[str, Tensor]]:
    """Configuration and tensors of the averaged generator, under our names.

    Raises:
        GanwalkError: tensors or numbers of the configuration are missing or damaged.
    """
    facts = _facts(value)
    equalized = facts.get("equalizedlR", True) is not False
    stored = named_tensors(_state(value))
    if not equalized:
        stored = {re.sub(r"\.(weight|bias)$", r".module.\1", name): tensor for name, tensor in stored.items()}
    scales = len([name for name in stored if re.fullmatch(r"toRGBLayers\.\d+\.module\.weight", name)])
    tensors: dict[str, Tensor] = {}
    for name, tensor in load_tensors(stored).items():
        layer, kind = _layer(name)
        tensors[f"{layer}.{kind}"] = _folded(layer, kind, tensor, stored[name[: -len(kind)] + "weight"], equalized)
    classes = _whole(facts.get("categoryVectorDim", 0), "categoryVectorDim")
    channels = []
    for block in range(scales):
        weight = tensors.get(f"layer{2 * block + 1}.weight")
        if weight is None or weight.ndim != 4:
            raise GanwalkError(f"is damaged: the convolutions of scale {block} are missing")
        channels.append(weight.shape[0])
    code = stored.get("formatLayer.module.weight")
    if code is None or code.ndim != 2:
        raise GanwalkError("is damaged: formatLayer.module.weight is missing or no matrix")
    alpha, slope = facts.get("alpha", 0), facts.get("leakyReluLeak", 0.2)
    if not all(isinstance(number, int | float) for number in (alpha, slope)):
        raise GanwalkError("is damaged: its configuration holds no numbers where it should")
    config = ProGANConfig(
        resolution=4 * 2 ** max(scales - 1, 0),
        block_channels=tuple(channels),
        z_dim=code.shape[1] - classes,
        c_dim=classes,
        img_channels=tensors["output0.weight"].shape[0] if "output0.weight" in tensors else 3,
        lod=float(alpha) if scales > 1 else 0.0,
        pixel_norm=facts.get("perChannelNormalization", True) is not False,
        normalize_latents=facts.get("perChannelNormalization", True) is not False,
        slope=float(slope),
        tanh=facts.get("lossCriterion") in _TANH_LOSSES,
    )
    return config, tensors


def _state(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    return state_dict(value.get("avgG"), value.get("netG"))


def _facts(value: Any) -> dict[str, Any]:
    """The attributes of the pickled configuration, those that are plain values."""
    config = value.get("config")
    if isinstance(config, Record):
        config = config.state
    if not isinstance(config, dict):
        return {}
    plain = {key: plain_number(entry) for key, entry in config.items() if isinstance(key, str)}
    return {key: entry for key, entry in plain.items() if isinstance(entry, str | int | float | None)}


def _whole(value: Any, name: str) -> int:
    if type(value) is not int:
        raise GanwalkError(f"is damaged: {name} should be a whole number")
    return value


def _layer(name: str) -> tuple[str, str]:
    """Our name of a layer of theirs, and weight or bias; GanwalkError if there is no such layer."""
    if match := re.fullmatch(r"formatLayer\.module\.(weight|bias)", name):
        return "layer0", match[1]
    if match := re.fullmatch(r"groupScale0\.0\.module\.(weight|bias)", name):
        return "layer1", match[1]
    if match := re.fullmatch(r"scaleLayers\.(\d{1,2})\.([01])\.module\.(weight|bias)", name):
        return f"layer{2 * int(match[1]) + 2 + int(match[2])}", match[3]
    if match := re.fullmatch(r"toRGBLayers\.(\d{1,2})\.module\.(weight|bias)", name):
        return f"output{match[1]}", match[2]
    raise GanwalkError(f"is not supported: it holds {name:.60}, which a progressive GAN has no place for")


def _folded(layer: str, kind: str, tensor: Tensor, weight: StoredTensor, equalized: bool) -> Tensor:
    """A tensor with their scales instead of ours, and in our shape."""
    fan_in = math.prod(weight.shape[1:])
    if fan_in == 0 or tensor.ndim == 0:
        raise GanwalkError(f"is damaged: the tensors of {layer} are empty")
    theirs = math.sqrt(2 / fan_in) if equalized else 1.0
    if kind == "bias":
        tensor = tensor * theirs
        return tensor.view(-1, 4, 4) if layer == "layer0" and tensor.numel() % 16 == 0 else tensor
    if layer == "layer0" and tensor.ndim == 2 and len(tensor) % 16 == 0:
        # A dense layer is the convolution of one pixel with the flipped kernel; its fan-in counts the 16 pixels.
        tensor = tensor.view(-1, 4, 4, tensor.shape[1]).permute(0, 3, 1, 2).flip((2, 3))
        return tensor * (theirs * math.sqrt(16 * fan_in) / HE_GAIN)
    return tensor * (theirs * math.sqrt(fan_in) / (1.0 if layer.startswith("output") else HE_GAIN))
