"""Writes pickles in the structure of NVIDIA's snapshots, opcode by opcode where Python's pickler would not."""

import io
import pickle
import sys
import types
from contextlib import contextmanager

import numpy as np
import torch

from ganwalk.generators.stylegan3 import StyleGAN3

CANARY = "import os; open(os.environ['GANWALK_CANARY'], 'a').write('ran')"


class Call:
    """Pickles as a call of a global that need not exist."""

    def __init__(self, module, name, *arguments):
        self.module, self.name, self.arguments = module, name, arguments

    def __reduce__(self):
        return getattr(sys.modules[self.module], self.name), self.arguments


@contextmanager
def stand_ins(*paths):
    """Makes modules with functions of these names importable while something is pickled."""
    before = dict(sys.modules)
    try:
        for path in paths:
            module, _, name = path.rpartition(".")
            parent = ""
            for part in module.split("."):
                parent = f"{parent}.{part}" if parent else part
                sys.modules.setdefault(parent, types.ModuleType(parent))

            def function(*_):
                raise AssertionError("unpickled")

            function.__module__, function.__qualname__, function.__name__ = module, name, name
            setattr(sys.modules[module], name, function)
        yield
    finally:
        for name in set(sys.modules) - set(before):
            del sys.modules[name]


def dump(value, *paths):
    with stand_ins(*paths):
        return pickle.dumps(value, protocol=4)


def save(value, *paths, legacy=False):
    """The bytes that torch.save makes of it."""
    stream = io.BytesIO()
    with stand_ins(*paths):
        torch.save(value, stream, _use_new_zipfile_serialization=not legacy)
    return stream.getvalue()


PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"


def network(class_name, parameters=None, modules=None, **attributes):
    """A persistent object as NVIDIA's code writes it."""
    state = {
        "_parameters": {k: torch.nn.Parameter(v) for k, v in (parameters or {}).items()},
        "_buffers": {},
        "_modules": modules or {},
        "_init_args": (),
        "_init_kwargs": {},
        **attributes,
    }
    for name in [k for k in state["_parameters"] if k.startswith("buffer:")]:
        state["_buffers"][name[7:]] = state["_parameters"].pop(name).data
    meta = {"type": "class", "version": 6, "module_src": CANARY, "class_name": class_name, "state": state}
    return Call("torch_utils.persistence", "_reconstruct_persistent_obj", meta)


def generator_network(generator, change=None, **attributes):
    """A persistent StyleGAN2 with the tensors of one of ours; `change` may alter the dict of tensors first."""
    config = generator.config
    tensors = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    if change is not None:
        change(tensors)
    taps = torch.tensor(config.resample_filter)
    if config.resample_columns is not None:
        fir = taps.view(-1, config.resample_columns) / taps.sum()
    else:
        # NVIDIA's code keeps long separable filters as they are.
        fir = taps / taps.sum() if len(taps) >= 8 else torch.outer(taps, taps) / taps.sum() ** 2
    layer = {"activation": config.activation, "conv_clamp": config.conv_clamp, "use_noise": config.use_noise}

    def build(prefix, class_name):
        children = {}
        own = {}
        for name, tensor in tensors.items():
            if name.startswith(prefix):
                head, _, rest = name[len(prefix) :].partition(".")
                if rest:
                    children.setdefault(head, None)
                else:
                    is_buffer = head in ("w_avg", "noise_const")
                    own[("buffer:" if is_buffer else "") + head] = tensor
        facts = {}
        if prefix == "":
            facts = {"z_dim": config.z_dim, "w_dim": config.w_dim, "c_dim": config.c_dim}
            facts |= {"img_resolution": config.img_resolution, "img_channels": config.img_channels, **attributes}
        elif prefix == "mapping.":
            facts = {"num_layers": config.mapping_layers}
        elif prefix.startswith("mapping."):
            facts = {"activation": config.mapping_activation, "bias_gain": config.mapping_lr}
        elif prefix.count(".") == 2:
            facts = {"architecture": config.architecture}
        elif prefix.count(".") == 3 and "conv" in prefix:
            facts = dict(layer)
            own["buffer:resample_filter"] = fir
        for child in children:
            children[child] = build(f"{prefix}{child}.", "Layer")
        return network(class_name, own, children, **facts)

    return build("", "Generator")


def stylegan3_network(generator, change=None, layer_change=None, **attributes):
    """A persistent StyleGAN3 with the tensors of one of ours, and the attributes of NVIDIA's layers.

    Args:
        change: may alter the dict of tensors first.
        layer_change: (index of a layer, attributes that it has instead); -1 stands for the Fourier features.
    """
    config = generator.config
    tensors = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    if change is not None:
        change(tensors)
    buffers = ("w_avg", "transform", "freqs", "phases", "magnitude_ema", "up_filter", "down_filter")

    def part(class_name, prefix, modules=None, **facts):
        own = {name[len(prefix) :]: t for name, t in tensors.items() if name.rpartition(".")[0] + "." == prefix}
        named = {("buffer:" if name in buffers else "") + name: tensor for name, tensor in own.items()}
        return network(class_name, named, modules, **facts)

    def linear(prefix, **facts):
        return part("FullyConnectedLayer", prefix, **facts)

    def size(index):
        return np.asarray(config.size(index)[::-1])

    changed, instead = layer_change or (None, {})
    features = {"channels": config.channels[0], "size": size(0), "w_dim": config.w_dim}
    features |= {"sampling_rate": np.float64(config.input_rate), "bandwidth": np.float64(config.input_bandwidth)}
    features |= instead if changed == -1 else {}
    affine = {"affine": linear("synthesis.input.affine.", activation="linear", bias_gain=1)}
    modules = {"input": part("SynthesisInput", "synthesis.input.", affine, **features)}
    for index, name in enumerate(config.layer_names):
        rows, columns = config.padding(index)
        facts = {
            "is_torgb": index == len(config.kernels) - 1,
            "in_channels": config.channels[index],
            "out_channels": config.channels[index + 1],
            "in_size": size(index),
            "out_size": size(index + 1),
            "conv_kernel": config.kernels[index],
            "conv_clamp": config.conv_clamp,
            "up_factor": config.up[index],
            "up_taps": config.up_taps[index],
            "down_factor": config.down[index],
            "down_taps": config.down_taps[index],
            "padding": [*columns, *rows],
            **(instead if changed == index else {}),
        }
        prefix = f"synthesis.{name}."
        modules[name] = part("SynthesisLayer", prefix, {"affine": linear(f"{prefix}affine.")}, **facts)
    synthesis = part(
        "SynthesisNetwork",
        "synthesis.",
        modules,
        layer_names=attributes.pop("layer_names", list(config.layer_names)),
        output_scale=config.output_scale,
    )
    names = ["embed"] * (config.c_dim > 0) + [f"fc{i}" for i in range(config.mapping_layers)]
    activation = {"activation": config.mapping_activation, "bias_gain": config.mapping_lr}
    dense = {name: linear(f"mapping.{name}.", **activation) for name in names}
    mapping = part("MappingNetwork", "mapping.", dense, num_layers=config.mapping_layers)
    facts = {"z_dim": config.z_dim, "w_dim": config.w_dim, "c_dim": config.c_dim}
    facts |= {"img_resolution": config.img_resolution, "img_channels": config.img_channels, **attributes}
    return network("Generator", None, {"synthesis": synthesis, "mapping": mapping}, **facts)


def snapshot(generator, change=None, **attributes):
    """The bytes of a snapshot whose G_ema is `generator`."""
    write = stylegan3_network if isinstance(generator, StyleGAN3) else generator_network
    value = {"G": None, "D": None, "G_ema": write(generator, change, **attributes), "augment_pipe": None}
    return dump(value, PERSISTENT)
