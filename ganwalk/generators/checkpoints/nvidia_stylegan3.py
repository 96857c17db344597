"""StyleGAN3 in NVIDIA's snapshots, and StyleGAN-XL: its configuration, from the attributes of every layer.

The attributes are those that the layers compute by, so that forks and unusual arguments are read right. What follows
from others, such as the padding, must agree with them. StyleGAN-XL (Sauer et al., "StyleGAN-XL: Scaling StyleGAN to
Large Diverse Datasets", SIGGRAPH 2022) cuts layers from the network of a lower resolution and puts more of them on top,
so that numbers are missing from their names, and looks classes up in a table of embeddings.
"""

from __future__ import annotations

from typing import Any

from ganwalk.errors import GanwalkError
from ganwalk.generators.checkpoints.nvidia_network import Network, mapping_fields
from ganwalk.generators.stylegan3 import StyleGAN3Config
from ganwalk.inert.numpy_values import plain_number, stored_array
from ganwalk.inert.tensors import StoredTensor


def is_stylegan3(synthesis: Network) -> bool:
    """Whether a synthesis network begins with Fourier features."""
    if "input" not in synthesis.children:
        return False
    buffers = synthesis.child("input").state.get("_buffers")
    return isinstance(buffers, dict) and "freqs" in buffers


def stylegan3_config(generator: Network, synthesis: Network, mapping: Network) -> StyleGAN3Config:
    """The configuration of a StyleGAN3.

    Raises:
        GanwalkError: attributes are missing, damaged, do not belong together, or describe something ours does not do.
    """
    features = synthesis.child("input")
    layers = [synthesis.child(name) for name in _layer_names(synthesis)]
    maps = [_size(features, "size"), *(_size(layer, "out_size") for layer in layers)]
    sizes, widths = zip(*maps, strict=True)
    clamp = layers[0].get("conv_clamp")
    for layer in layers:
        if layer.get("conv_clamp") != clamp:
            raise GanwalkError(f"is not supported: {layer.name}.conv_clamp differs from the other layers'")
    config = StyleGAN3Config(
        img_resolution=generator.whole("img_resolution"),
        channels=(features.whole("channels"), *(layer.whole("out_channels") for layer in layers)),
        sizes=sizes,
        widths=None if widths == sizes else widths,
        kernels=tuple(layer.whole("conv_kernel") for layer in layers),
        up=tuple(layer.whole("up_factor") for layer in layers),
        down=tuple(layer.whole("down_factor") for layer in layers),
        up_taps=tuple(layer.whole("up_taps") for layer in layers),
        down_taps=tuple(layer.whole("down_taps") for layer in layers),
        radial=tuple(_is_kernel(layer, "down_filter") for layer in layers),
        input_rate=features.number("sampling_rate"),
        input_bandwidth=features.number("bandwidth"),
        z_dim=generator.whole("z_dim"),
        w_dim=generator.whole("w_dim"),
        c_dim=generator.whole("c_dim", 0),
        img_channels=generator.whole("img_channels"),
        **_mapping_fields(mapping),
        conv_clamp=None if clamp is None else layers[0].number("conv_clamp"),
        output_scale=synthesis.number("output_scale", 0.25),
    )
    for index, layer in enumerate(layers):
        _check_layer(layer, index, config)
    return config


def stylegan3_tensors(
    config: StyleGAN3Config, synthesis: Network, stored: dict[str, StoredTensor]
) -> dict[str, StoredTensor]:
    """The tensors under our names, which number layers without gaps; without a table of classes that nothing reads."""
    ours = dict(zip(_layer_names(synthesis), config.layer_names, strict=True))
    tensors = {}
    for name, tensor in stored.items():
        network, layer, *rest = name.split(".", 2)
        if network == "synthesis" and layer in ours:
            name = ".".join([network, ours[layer], *rest])
        if name != "mapping.embed.weight" or config.c_dim > 0:
            tensors[name] = tensor
    return tensors


def _mapping_fields(mapping: Network) -> dict[str, Any]:
    """The fields that describe the mapping; StyleGAN-XL looks classes up in a table, which `embed_proj` reads."""
    fields = mapping_fields(mapping)
    if mapping.children.get("embed_proj") is None:
        return fields
    table, projection = mapping.child("embed"), mapping.child("embed_proj")
    facts = (str(projection.get("activation")), projection.number("bias_gain"))
    if facts != ("lrelu", 1.0):
        raise GanwalkError(f"is not supported: {projection.name} has the activation and the rate {facts}")
    return {**fields, "embed_features": projection.shape("weight")[0], "class_table": table.shape("weight")}


def _layer_names(synthesis: Network) -> list[str]:
    """Names of the layers in the order in which they run."""
    names = synthesis.state.get("layer_names")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise GanwalkError(f"is damaged: {synthesis.name}.layer_names should be the layers' names")
    if len(set(names)) < len(names):
        raise GanwalkError(f"is damaged: {synthesis.name}.layer_names names a layer twice")
    extra = sorted(str(name)[:60] for name in synthesis.children if name != "input" and name not in names)
    if extra:
        raise GanwalkError(
            f"is not supported: {synthesis.name} has the part {extra[0]!r}, which runs in no known order"
        )
    return names


def _check_layer(layer: Network, index: int, config: StyleGAN3Config) -> None:
    """Raises GanwalkError unless the facts that follow from the configuration are what the layer holds."""
    is_last = index == len(config.kernels) - 1
    rows, columns = config.padding(index)
    facts = {
        "is_torgb": (bool(layer.get("is_torgb")), is_last),
        "in_channels": (layer.whole("in_channels"), config.channels[index]),
        "in_size": (_size(layer, "in_size"), config.size(index)),
        "padding": (_whole_numbers(layer, "padding"), (*columns, *rows)),
    }
    for fact, (stored, expected) in facts.items():
        if stored != expected:
            raise GanwalkError(f"is not supported: {layer.name}.{fact} is {stored}, expected {expected}")


def _size(network: Network, name: str) -> tuple[int, int]:
    """Height and width of what is stored as (width, height), or as the one number of a square."""
    sizes = _whole_numbers(network, name)
    if len(sizes) > 2:
        raise GanwalkError(f"is damaged: {network.name}.{name} should be width and height, not {sizes}")
    return sizes[-1], sizes[0]


def _whole_numbers(network: Network, name: str) -> tuple[int, ...]:
    """An attribute that is a number, a list of some, or a numpy array."""
    value = network.state.get(name)
    array = stored_array(value)
    if array is not None and array.numel() <= 4:
        value = array.load().flatten().tolist()
    values = [plain_number(n) for n in value] if isinstance(value, list | tuple) and len(value) <= 4 else [value]
    if not values or any(type(n) is not int for n in values):
        raise GanwalkError(f"is damaged: {network.name}.{name} should be whole numbers")
    return tuple(values)


def _is_kernel(layer: Network, name: str) -> bool:
    """Whether a filter is there and two-dimensional."""
    buffers: Any = layer.state.get("_buffers")
    stored = buffers.get(name) if isinstance(buffers, dict) else None
    return isinstance(stored, StoredTensor) and stored.ndim == 2
