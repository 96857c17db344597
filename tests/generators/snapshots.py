"""Writes pickles in the structure of NVIDIA's snapshots, opcode by opcode where Python's pickler would not."""

import pickle
import sys
import types
from contextlib import contextmanager

import torch

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
    fir = torch.outer(taps, taps) / taps.sum() ** 2
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


def snapshot(generator, change=None, **attributes):
    """The bytes of a snapshot whose G_ema is `generator`."""
    value = {"G": None, "D": None, "G_ema": generator_network(generator, change, **attributes), "augment_pipe": None}
    return dump(value, PERSISTENT)
