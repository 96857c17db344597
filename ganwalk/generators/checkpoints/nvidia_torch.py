"""NVIDIA's PyTorch snapshots (stylegan2-ada-pytorch, stylegan3 and forks), from an inert pickle; StyleGAN2 in them."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.generators.checkpoints.filters import common_taps
from ganwalk.generators.checkpoints.nvidia_network import Network, is_network, mapping_fields
from ganwalk.generators.checkpoints.nvidia_stylegan3 import is_stylegan3, stylegan3_config
from ganwalk.generators.checkpoints.stored import load_tensors
from ganwalk.generators.stylegan2 import StyleGAN2Config, channel_fields


def is_nvidia_snapshot(value: Any) -> bool:
    """Whether an inert pickle has the form of a snapshot: a dict of networks."""
    return isinstance(value, dict) and any(is_network(value.get(name)) for name in ("G_ema", "G", "D"))


def read_snapshot(snapshot: dict[str, Any]) -> tuple[Any, dict[str, Tensor]]:
    """Configuration and tensors of the averaged generator `G_ema`, under our names, which are NVIDIA's.

    Raises:
        GanwalkError: the generator is missing, of an unknown architecture, or computes something ours does not.
    """
    if not is_network(snapshot.get("G_ema")):
        raise GanwalkError("holds no G_ema, the averaged generator: it may be a discriminator or a metric's network")
    generator = Network(snapshot["G_ema"], "G_ema")
    synthesis, mapping = generator.child("synthesis"), generator.child("mapping")
    stored = {name: tensor for name, tensor in generator.tensors().items() if not name.endswith("num_batches_tracked")}
    if is_stylegan3(synthesis):
        return stylegan3_config(generator, synthesis, mapping), load_tensors(stored)
    if "b4" not in synthesis.children:
        raise GanwalkError(
            f"is a {generator.class_name} of an architecture that is not supported: it is neither a StyleGAN2 nor a "
            "StyleGAN3"
        )
    filters = {name: tensor for name, tensor in stored.items() if name.endswith("resample_filter")}
    config = _config(generator, synthesis, mapping, common_taps(load_tensors(filters)))
    return config, load_tensors({name: tensor for name, tensor in stored.items() if name not in filters})


def _config(generator: Network, synthesis: Network, mapping: Network, taps: tuple[float, ...]) -> StyleGAN2Config:
    resolution = generator.whole("img_resolution")
    blocks = {name: synthesis.child(name) for name in synthesis.children}
    last = blocks.get(f"b{resolution}")
    if last is None:
        raise GanwalkError(f"is damaged: it makes {resolution} px images but has no block b{resolution}")
    layer = last.child("conv1")
    clamp = layer.get("conv_clamp")
    widths = {name: block.child("conv1") for name, block in blocks.items()}
    channels = {int(name[1:]): conv.rows("weight") for name, conv in widths.items() if name[1:].isdigit()}
    _check_uniform(blocks, layer)
    return StyleGAN2Config(
        img_resolution=resolution,
        z_dim=generator.whole("z_dim"),
        w_dim=generator.whole("w_dim"),
        c_dim=generator.whole("c_dim", 0),
        img_channels=generator.whole("img_channels"),
        **mapping_fields(mapping),
        architecture=str(last.get("architecture", "skip")),
        **channel_fields(channels),
        activation=str(layer.get("activation", "lrelu")),
        conv_clamp=None if clamp is None else float(clamp),
        resample_filter=taps,
        use_noise=bool(layer.get("use_noise", True)),
    )


def _check_uniform(blocks: dict[str, Network], last: Network) -> None:
    """All layers must compute alike: one configuration describes them."""
    for block in blocks.values():
        for name in block.children:
            part = block.child(name)
            if name not in ("conv0", "conv1"):
                continue
            for key in ("activation", "conv_clamp", "use_noise"):
                if part.get(key) != last.get(key):
                    raise GanwalkError(f"is not supported: {part.name}.{key} differs from the other layers'")
