"""Perceptual networks of people's own: a TorchScript file, or the package lpips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ganwalk.errors import GanwalkError
from ganwalk.files import check_regular, hash_file
from ganwalk.generators.calls import short_reason
from ganwalk.generators.external import is_program, load_script
from ganwalk.projection.distance import Measure

LPIPS = "lpips"
# Pixels on a side beyond which such networks, made for 224, are given smaller images.
_LARGEST = 256
# Colours of one-channel images, for networks that take three.
_COLOURS = 3


@dataclass(frozen=True)
class Perceptual:
    """A perceptual distance.

    Attributes:
        towards: from pictures (n, colours, h, w) in [-1, 1] to the distances of images from them.
        identity: what tells it from others.
    """

    towards: Callable[[Tensor], Measure]
    identity: str


def load_perceptual(name: str, device: torch.device | str, *, trust: bool) -> Perceptual:
    """A perceptual distance: `lpips` of the package of that name, or of a network in a TorchScript file.

    NVIDIA's vgg16.pt, which takes values up to 255 and knows `return_lpips`, is called as its own scripts do. Any other
    network maps images (n, 3, h, w) in [-1, 1] to features (n, …), or several such; distances are mean squares.

    Args:
        trust: whether to run the program in the file.
    Raises:
        GanwalkError: there is no such package or file, it is not trusted, or does not return features.
    """
    if name == LPIPS:
        return Perceptual(_lpips(device), LPIPS)
    path = Path(name)
    if not path.exists():
        raise GanwalkError(f"{path} does not exist: check --perceptual")
    check_regular(path)
    if not is_program(path):
        raise GanwalkError(f"{path} is not a TorchScript program: save the network by torch.jit.script(network).save")
    if not trust:
        raise GanwalkError(f"{path} is a TorchScript program, which runs only on your word: add --trust")
    network = load_script(path, device).eval()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    extract = _extractor(network)
    with torch.no_grad():
        _features(extract, torch.zeros(1, _COLOURS, 64, 64, device=device), path)

    # Features that are weighted for a distance add up; of others nothing is known but their number.
    reduce = torch.sum if _knows_lpips(network) else torch.mean

    def towards(pictures: Tensor) -> Measure:
        with torch.no_grad():
            wanted = _features(extract, _prepared(pictures), path)

        def measure(images: Tensor) -> Tensor:
            found = _features(extract, _prepared(images), path)
            squares = [(a - b).square().flatten(1) for a, b in zip(found, wanted, strict=True)]
            return torch.stack([reduce(part, dim=1) for part in squares]).sum(dim=0)

        return measure

    return Perceptual(towards, hash_file(path))


def _lpips(device: torch.device | str) -> Callable[[Tensor], Measure]:
    try:
        import lpips
    except ModuleNotFoundError:
        raise GanwalkError("lpips is not installed: pip install lpips, or give a TorchScript file") from None
    try:
        network: Any = lpips.LPIPS(net="vgg", verbose=False).to(device).eval().requires_grad_(False)
    except Exception as error:
        # It fetches the weights of VGG when they are not there.
        raise GanwalkError(f"lpips cannot be set up ({short_reason(error)}): give a TorchScript file") from error
    return lambda pictures: lambda images: network(_prepared(images), _prepared(pictures)).flatten()


def _knows_lpips(network: torch.nn.Module) -> bool:
    """Whether a program's forward has NVIDIA's switch for features that are weighted as LPIPS weighs them."""
    forward: Any = network.forward
    return any(argument.name == "return_lpips" for argument in forward.schema.arguments)


def _extractor(network: torch.nn.Module) -> Callable[[Tensor], Any]:
    if _knows_lpips(network):
        return lambda images: network((images + 1) * 127.5, resize_images=False, return_lpips=True)
    return network


def _features(extract: Callable[[Tensor], Any], images: Tensor, path: Path) -> list[Tensor]:
    try:
        found = extract(images)
    except Exception as error:
        shape = "×".join(map(str, images.shape[1:]))
        raise GanwalkError(f"{path} does not take images of {shape}: {short_reason(error)}") from error
    parts = list(found.values()) if isinstance(found, dict) else found if isinstance(found, list | tuple) else [found]
    if not parts or not all(isinstance(part, Tensor) and part.is_floating_point() for part in parts):
        raise GanwalkError(f"{path} returns no features: it must map images to floats (n, …)")
    if any(part.ndim < 2 or len(part) != len(images) for part in parts):
        raise GanwalkError(f"{path} returns features that are not one row for each image")
    return [part.float() for part in parts]


def _prepared(images: Tensor) -> Tensor:
    """Images in three colours and no larger than such networks are made for."""
    height, width = images.shape[-2:]
    if max(height, width) > _LARGEST:
        size = tuple(max(1, round(side * _LARGEST / max(height, width))) for side in (height, width))
        images = functional.interpolate(images, size=size, mode="area")
    return images.expand(-1, _COLOURS, -1, -1) if images.shape[1] == 1 else images
