"""NVIDIA's PyTorch snapshots (stylegan2-ada-pytorch, stylegan3 and forks), from an inert pickle; StyleGAN2 in them."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

from torch import Tensor

from ganwalk.errors import GanwalkError, one_line
from ganwalk.generators.checkpoints.filters import filter_fields
from ganwalk.generators.checkpoints.nvidia_network import Network, is_network, mapping_fields
from ganwalk.generators.checkpoints.nvidia_stylegan3 import is_stylegan3, stylegan3_config, stylegan3_tensors
from ganwalk.generators.checkpoints.stored import GENERATORS, load_tensors
from ganwalk.generators.checkpoints.strangers import RUN_ITS_CODE
from ganwalk.generators.stylegan2 import StyleGAN2Config, channel_fields, first_size

# Networks lie in a dict among a few other entries.
_MAX_NETWORKS = 1000


def is_nvidia_snapshot(value: Any) -> bool:
    """Whether an inert object is a network of theirs, or holds networks, as snapshots do."""
    return bool(_networks(value))


def read_snapshot(snapshot: Any) -> tuple[Any, dict[str, Tensor]]:
    """Configuration and tensors of the averaged generator, under our names, which are NVIDIA's.

    Args:
        snapshot: an inert dict with `G_ema`, or with a generator under another name, perhaps in a dict in it; a tuple
            of networks, whose last generator is taken; or the generator itself.
    Raises:
        GanwalkError: the generator is missing, of an unknown architecture, or computes something ours does not.
    """
    generator = _generator(snapshot)
    foreign = generator.foreign_part()
    if foreign is not None:
        raise _unknown(generator, f"its part {foreign[0]} is a {foreign[1]}")
    if "synthesis" not in generator.children:
        raise _unknown(generator, f"it has no part synthesis, but {', '.join(_parts(generator)) or 'none'}")
    synthesis, mapping = generator.child("synthesis"), generator.child("mapping")
    stored = {name: tensor for name, tensor in generator.tensors().items() if not name.endswith("num_batches_tracked")}
    if is_stylegan3(synthesis):
        config3 = stylegan3_config(generator, synthesis, mapping)
        return config3, load_tensors(stylegan3_tensors(config3, synthesis, stored))
    if "b4" not in synthesis.children:
        raise _unknown(generator, f"its synthesis, a {synthesis.class_name}, is neither a StyleGAN2 nor a StyleGAN3")
    filters = {name: tensor for name, tensor in stored.items() if name.endswith("resample_filter")}
    config = _config(generator, synthesis, mapping, filter_fields(load_tensors(filters)))
    return config, load_tensors({name: tensor for name, tensor in stored.items() if name not in filters})


def _networks(value: Any) -> dict[str, Any]:
    """The networks in an inert object by their names: itself, those of a dict and of dicts in it, or of a tuple."""
    if is_network(value):
        return {"G": value}
    if isinstance(value, list | tuple):
        return {f"network {index}": entry for index, entry in enumerate(value[:_MAX_NETWORKS]) if is_network(entry)}
    if not isinstance(value, dict):
        return {}
    named = [(name, entry) for name, entry in islice(value.items(), _MAX_NETWORKS) if isinstance(name, str)]
    found = {name: entry for name, entry in named if is_network(entry)}
    if not found:
        inner = [islice(entry.items(), _MAX_NETWORKS) for _, entry in named if isinstance(entry, dict)]
        found = {name: entry for items in inner for name, entry in items if isinstance(name, str) and is_network(entry)}
    return found


def _generator(snapshot: Any) -> Network:
    """The averaged generator, or the only one."""
    networks = _networks(snapshot)
    name = next((name for name in GENERATORS if name in networks), None)
    if name is None:
        found = [name for name, entry in networks.items() if "synthesis" in Network(entry, one_line(name, 40)).children]
        averages = [name for name in found if re.search("ema|avg|average|smooth", name.lower())]
        if not found:
            raise GanwalkError(
                "holds no G_ema, the averaged generator: it may be a discriminator or a metric's network"
            )
        if isinstance(snapshot, list | tuple):
            averages = found[-1:]
        if len(averages or found) > 1:
            several = one_line(", ".join(averages or found), 100)
            raise GanwalkError(
                f"holds several generators ({several}): save the one that you want alone, pickle.dump(G)"
            )
        name = (averages or found)[0]
    return Network(networks[name], one_line(name, 40))


def _unknown(generator: Network, reason: str) -> GanwalkError:
    return GanwalkError(
        f"holds {generator.name}, a {generator.class_name} of an architecture that is not supported: {reason}; known "
        f"are NVIDIA's StyleGAN2 and StyleGAN3, and for others {RUN_ITS_CODE}"
    )


def _parts(generator: Network) -> list[str]:
    return [one_line(str(name), 40) for name in list(generator.children)[:6]]


def _config(generator: Network, synthesis: Network, mapping: Network, filters: dict[str, Any]) -> StyleGAN2Config:
    resolution = generator.whole("img_resolution")
    blocks = {name: synthesis.child(name) for name in synthesis.children}
    last = blocks.get(f"b{resolution}")
    if last is None:
        raise GanwalkError(f"is damaged: it makes {resolution} px images but has no block b{resolution}")
    layer = last.child("conv1")
    clamp = layer.get("conv_clamp")
    widths = {name: block.child("conv1") for name, block in blocks.items()}
    channels = {int(name[1:]): conv.shape("weight")[0] for name, conv in widths.items() if name[1:].isdigit()}
    _check_uniform(blocks, layer)
    return StyleGAN2Config(
        img_resolution=resolution,
        first_size=first_size(blocks["b4"].shape("const")),
        z_dim=generator.whole("z_dim"),
        w_dim=generator.whole("w_dim"),
        c_dim=generator.whole("c_dim", 0),
        img_channels=generator.whole("img_channels"),
        **mapping_fields(mapping),
        architecture=str(last.get("architecture", "skip")),
        **channel_fields(channels),
        activation=str(layer.get("activation", "lrelu")),
        conv_clamp=None if clamp is None else float(clamp),
        **filters,
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
