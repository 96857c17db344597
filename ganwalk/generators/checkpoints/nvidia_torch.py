"""NVIDIA's PyTorch snapshots of StyleGAN2 (stylegan2-ada-pytorch, stylegan3 and forks), from an inert pickle.

A network is a call of `_reconstruct_persistent_obj` on a dict whose `state` is the module's `__dict__`. Its attributes
say what each layer computes, whatever the keyword arguments and defaults of the code that wrote it were.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.generators.checkpoints.filters import common_taps
from ganwalk.generators.checkpoints.numpy_values import plain_number
from ganwalk.generators.checkpoints.pickle_reader import Global, Record
from ganwalk.generators.checkpoints.stored import StoredTensor, load_tensors
from ganwalk.generators.stylegan2 import StyleGAN2Config, channel_fields

_PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"
_MAX_DEPTH = 16


def is_nvidia_snapshot(value: Any) -> bool:
    """Whether an inert pickle has the form of a snapshot: a dict of networks."""
    return isinstance(value, dict) and any(_is_network(value.get(name)) for name in ("G_ema", "G", "D"))


def read_snapshot(snapshot: dict[str, Any]) -> tuple[StyleGAN2Config, dict[str, Tensor]]:
    """Configuration and tensors of the averaged generator `G_ema`, under our names, which are NVIDIA's.

    Raises:
        GanwalkError: the generator is missing, not a StyleGAN2, or computes something ours does not.
    """
    if not _is_network(snapshot.get("G_ema")):
        raise GanwalkError("holds no G_ema, the averaged generator: it may be a discriminator or a metric's network")
    generator = _Network(snapshot["G_ema"], "G_ema")
    synthesis, mapping = generator.child("synthesis"), generator.child("mapping")
    if "b4" not in synthesis.children:
        raise GanwalkError(
            f"is a {generator.class_name} of an architecture that is not supported yet (StyleGAN3 or a fork): "
            "only StyleGAN2 is"
        )
    stored = generator.tensors()
    filters = {name: tensor for name, tensor in stored.items() if name.endswith("resample_filter")}
    config = _config(generator, synthesis, mapping, common_taps(load_tensors(filters)))
    wanted = {
        name: tensor
        for name, tensor in stored.items()
        if name not in filters and not name.endswith("num_batches_tracked")
    }
    return config, load_tensors(wanted)


class _Network:
    """One persistent object: its attributes, tensors and children."""

    def __init__(self, record: Any, name: str):
        if not _is_network(record):
            raise GanwalkError(f"is damaged: {name} is no network")
        meta = record.arguments[0]
        self.name = name
        class_name = meta.get("class_name")
        self.class_name = class_name[:60] if isinstance(class_name, str) else "network"
        self.state = meta.get("state")
        if not isinstance(self.state, dict):
            raise GanwalkError(f"is damaged: {name} has no state")
        children = self.state.get("_modules", {})
        self.children = children if isinstance(children, dict) else {}

    def child(self, name: str) -> _Network:
        if name not in self.children:
            raise GanwalkError(f"is not supported: {self.name} ({self.class_name}) has no part {name!r}")
        return _Network(self.children[name], f"{self.name}.{name}")

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute that is a plain value; anything else counts as damage."""
        value = plain_number(self.state.get(name, default))
        if not isinstance(value, str | int | float | None):
            raise GanwalkError(f"is damaged: {self.name}.{name} should be a plain value")
        return value

    def whole(self, name: str, default: int | None = None) -> int:
        value = self.get(name, default)
        if type(value) is not int:
            raise GanwalkError(f"is damaged: {self.name}.{name} should be a whole number")
        return value

    def tensors(self, prefix: str = "", depth: int = 0) -> dict[str, StoredTensor]:
        """All parameters and buffers by qualified name."""
        if depth > _MAX_DEPTH:
            raise GanwalkError("is damaged: its networks are nested too deeply")
        found = {}
        for group in ("_parameters", "_buffers"):
            for key, value in _items(self.state.get(group)):
                if isinstance(value, StoredTensor) and isinstance(key, str):
                    found[prefix + key] = value
        for key, record in _items(self.children):
            if record is not None and isinstance(key, str):
                found.update(_Network(record, f"{self.name}.{key}").tensors(f"{prefix}{key}.", depth + 1))
        return found


def _is_network(value: Any) -> bool:
    return (
        isinstance(value, Record)
        and isinstance(value.function, Global)
        and value.function.path == _PERSISTENT
        and isinstance(value.arguments, tuple)
        and len(value.arguments) == 1
        and isinstance(value.arguments[0], dict)
    )


def _items(value: Any) -> Any:
    return value.items() if isinstance(value, dict) else ()


def _config(generator: _Network, synthesis: _Network, mapping: _Network, taps: tuple[float, ...]) -> StyleGAN2Config:
    resolution = generator.whole("img_resolution")
    blocks = {name: synthesis.child(name) for name in synthesis.children}
    last = blocks.get(f"b{resolution}")
    if last is None:
        raise GanwalkError(f"is damaged: it makes {resolution} px images but has no block b{resolution}")
    layer = last.child("conv1")
    clamp = layer.get("conv_clamp")
    dense = mapping.child("fc0")
    widths = {name: block.child("conv1") for name, block in blocks.items()}
    channels = {int(name[1:]): _rows(conv, "weight") for name, conv in widths.items() if name[1:].isdigit()}
    n_layers = mapping.whole("num_layers")
    embed = mapping.child("embed") if "embed" in mapping.children else None
    _check_uniform(blocks, layer)
    return StyleGAN2Config(
        img_resolution=resolution,
        z_dim=generator.whole("z_dim"),
        w_dim=generator.whole("w_dim"),
        c_dim=generator.whole("c_dim", 0),
        img_channels=generator.whole("img_channels"),
        mapping_layers=n_layers,
        mapping_features=_rows(dense, "weight") if n_layers > 1 else None,
        mapping_lr=float(dense.get("bias_gain", 0.01)),
        mapping_activation=str(dense.get("activation", "lrelu")),
        embed_features=_rows(embed, "weight") if embed is not None else None,
        architecture=str(last.get("architecture", "skip")),
        **channel_fields(channels),
        activation=str(layer.get("activation", "lrelu")),
        conv_clamp=None if clamp is None else float(clamp),
        resample_filter=taps,
        use_noise=bool(layer.get("use_noise", True)),
    )


def _check_uniform(blocks: dict[str, _Network], last: _Network) -> None:
    """All layers must compute alike: one configuration describes them."""
    for block in blocks.values():
        for name in block.children:
            part = block.child(name)
            if name not in ("conv0", "conv1"):
                continue
            for key in ("activation", "conv_clamp", "use_noise"):
                if part.get(key) != last.get(key):
                    raise GanwalkError(f"is not supported: {part.name}.{key} differs from the other layers'")


def _rows(network: _Network, name: str) -> int:
    parameters = network.state.get("_parameters")
    tensor = parameters.get(name) if isinstance(parameters, dict) else None
    if not isinstance(tensor, StoredTensor) or tensor.ndim < 2:
        raise GanwalkError(f"is damaged: {network.name}.{name} is missing or no matrix")
    return tensor.shape[0]
