"""DCGAN as PyTorch's tutorial writes it: a state dict `main.N.weight` or the whole module, alone or in a dict.

Batch norm, as it computes after the training, is folded into the convolutions before it. State dicts do not say what
has no tensors: strides and rectifiers are the tutorial's. Modules do, and are held to it.
"""

from __future__ import annotations

import re
import reprlib
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.generators.checkpoints.normalisation import BATCH_NORM_EPS, BATCH_NORM_PARTS, along, batch_norm, is_count
from ganwalk.generators.checkpoints.nvidia_network import Network, held_modules, is_module
from ganwalk.generators.checkpoints.stored import load_tensors, nested_dicts
from ganwalk.generators.checkpoints.strangers import RUN_ITS_CODE, class_of
from ganwalk.generators.dcgan import DCGANConfig
from ganwalk.inert.tensors import StoredTensor

_FIRST = "main.0.weight"
# Classes of the layers of a whole module, and what those are to compute; the first one's stride, on one place, is none.
_CONVOLUTION, _NORM = "torch.nn.modules.conv.ConvTranspose2d", "torch.nn.modules.batchnorm.BatchNorm2d"
_RECTIFIER, _IMAGE = "torch.nn.modules.activation.ReLU", "torch.nn.modules.activation.Tanh"
_STEM = {"padding": (0, 0), "output_padding": (0, 0), "dilation": (1, 1), "groups": 1}
_DOUBLING = {**_STEM, "stride": (2, 2), "padding": (1, 1)}
# Dicts in a file, and prefixes in a dict, that are looked at: nobody keeps so many networks together.
_MOST_NETWORKS = 32


def is_dcgan(value: Any) -> bool:
    """Whether an inert object is such a state dict, or a dict that holds one."""
    return _network(value) is not None


def read_dcgan(value: Any) -> tuple[DCGANConfig, dict[str, Tensor]]:
    """Configuration and tensors of the generator, the averaged one first, under our names.

    Raises:
        GanwalkError: it has parts or sizes that the tutorial's has not.
    """
    module = _module(value)
    if module is not None:
        _check_layers(module)
    state = _network(value) or {}
    stored = {name: entry for name, entry in state.items() if isinstance(entry, StoredTensor)}
    if len(stored) < len(state):
        raise GanwalkError("is damaged: its generator holds something that is no tensor")
    weights = _convolutions(stored)
    norms = _norms(stored, weights)
    for index, weight in weights.items():
        height, width = weight.shape[2:]
        if height != width or (index > 0 and height != 4):
            raise _unknown(f"main.{index} convolves with {height}×{width} weights, whose stride it does not tell")
    known = [f"main.{index}.{part}" for index in weights for part in ("weight", "bias")]
    known += [f"main.{index}.{part}" for index in norms.values() for part in BATCH_NORM_PARTS]
    surplus = next((name for name in stored if name not in known and not is_count(name)), None)
    if surplus is not None:
        raise _unknown(f"it holds {surplus:.60}")
    loaded = load_tensors({name: tensor for name, tensor in stored.items() if name in known})
    tensors = {}
    for layer, index in enumerate(weights):
        kernel = loaded[f"main.{index}.weight"].double()
        bias = loaded.get(f"main.{index}.bias", torch.zeros(kernel.shape[1])).double()
        if index in norms:
            factor, offset = batch_norm(loaded, f"main.{norms[index]}")
            kernel, bias = kernel * along(factor, kernel, 1), bias * along(factor, bias, 0) + offset
        tensors[f"layer{layer}.weight"], tensors[f"layer{layer}.bias"] = kernel.float(), bias.float()
    shapes = [weight.shape for weight in weights.values()]
    config = DCGANConfig(
        channels=tuple(shape[1] for shape in shapes[:-1]),
        z_dim=shapes[0][0],
        img_channels=shapes[-1][1],
        first_size=shapes[0][2],
    )
    return config, tensors


def _network(value: Any) -> dict[str, Any] | None:
    """The state dict of the generator, under the tutorial's names; None if there is none.

    A discriminator has the same names, but its convolutions are not transposed: their widths do not chain.
    """
    module = _module(value)
    if module is not None:
        value = {f"main.{name}": tensor for name, tensor in module.tensors().items()}
    if not isinstance(value, dict):
        return None
    for holder in (*nested_dicts(value)[:_MOST_NETWORKS], value):
        names = [name for name in holder if isinstance(name, str)]
        prefixes = [name.removesuffix(_FIRST) for name in names if f".{name}".endswith(f".{_FIRST}")]
        for prefix in sorted(prefixes, key=lambda prefix: "ema" not in prefix.lower())[:_MOST_NETWORKS]:
            state = {name.removeprefix(prefix): holder[name] for name in names if name.startswith(prefix)}
            shapes = [weight.shape for weight in _convolutions(state).values()]
            chained = all(above[1] == below[0] for above, below in pairwise(shapes))
            if len(shapes) > 1 and chained:
                return state
    return None


def _module(value: Any) -> Network | None:
    """The sequence `main` of a whole module, if that holds transposed convolutions and nothing else is beside it."""
    for network in held_modules(value):
        if list(network.children) == ["module"]:  # torch's data parallelism
            network = network.child("module")
        if list(network.children) == ["main"] and is_module(network.children["main"]):
            main = network.child("main")
            classes = [class_of(layer) for layer in main.children.values() if is_module(layer)]
            if _CONVOLUTION in classes:
                return main
    return None


def _check_layers(main: Network) -> None:
    """Raises GanwalkError unless every layer of a module computes what the tutorial's does."""
    last = str(len(main.children) - 1)
    for index, name in enumerate(main.children):
        layer = main.child(name)
        kind = class_of(main.children[name])
        known: dict[str, dict[str, Any]] = {
            _CONVOLUTION: _STEM if index == 0 else _DOUBLING,
            _NORM: {"eps": BATCH_NORM_EPS},
            _RECTIFIER: {},
        }
        if name == last:
            known[_IMAGE] = {}
        if kind not in known or name != str(index):
            raise _unknown(f"main.{index} is a {kind}")
        for attribute, value in known[kind].items():
            found = layer.state.get(attribute)
            if found != value:
                raise _unknown(f"{attribute} of main.{index} is {reprlib.repr(found)}, not {value!r}")
    if class_of(main.children[last]) != _IMAGE:
        raise _unknown(f"it does not end with a {_IMAGE}")


def _convolutions(state: dict[str, Any]) -> dict[int, StoredTensor]:
    """Weights of the convolutions by their place in the sequence, in order."""
    found = {}
    for name, entry in state.items():
        match = re.fullmatch(r"main\.(\d{1,3})\.weight", name)
        if match and isinstance(entry, StoredTensor) and entry.ndim == 4:
            found[int(match[1])] = entry
    return dict(sorted(found.items()))


def _norms(stored: dict[str, StoredTensor], weights: dict[int, StoredTensor]) -> dict[int, int]:
    """Places of the batch norms by that of the convolution before; only a rectifier stands between the layers.

    Raises:
        GanwalkError: something else does.
    """
    norms: dict[int, int] = {}
    places = list(weights)
    for index, following in zip(places, [*places[1:], None], strict=True):
        if any(f"main.{index + 1}.{part}" in stored for part in BATCH_NORM_PARTS):
            norms[index] = index + 1
        expected = index + (3 if index in norms else 2)
        if following is not None and following != expected:
            raise _unknown(f"main.{following} is a convolution where main.{expected} should be one")
    if places[-1] in norms:
        raise _unknown("its last convolution is normalised")
    return norms


def _unknown(reason: str) -> GanwalkError:
    return GanwalkError(f"is not supported: it is no DCGAN as PyTorch's tutorial has it ({reason}): {RUN_ITS_CODE}")
