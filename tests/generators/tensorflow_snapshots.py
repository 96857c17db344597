"""Writes pickles in the structure of NVIDIA's TensorFlow snapshots: a tuple of networks (G, D, Gs)."""

import pickle
import sys

from tests.generators.snapshots import CANARY, stand_ins


class TensorFlowNetwork:
    """A network before it is pickled: the class that it claims to be of, and its state."""

    def __init__(self, path, state):
        self.path, self.state = path, state

    def instance(self):
        """An instance of the stand-in class, which pickles as one of the real class would."""
        module, _, name = self.path.rpartition(".")
        instance = object.__new__(getattr(sys.modules[module], name))
        components = {key: part.instance() for key, part in self.state.get("components", {}).items()}
        instance.__dict__.update(self.state | ({"components": components} if components else {}))
        return instance


def tensorflow_network(variables, options, *, path="dnnlib.tflib.network.Network", version=4, **components):
    """A network with variables (name → array) by components: "mapping/…" and "synthesis/…" go into those."""
    own, parts = [], {name: [] for name in components}
    for name, array in variables.items():
        head, _, rest = name.partition("/")
        parts.get(head, own).append((rest if head in parts else name, array))
    state = {
        "version": version,
        "name": "Gs",
        "static_kwargs": options,
        "components": {
            name: TensorFlowNetwork(
                path,
                {
                    "version": version,
                    "name": name,
                    "static_kwargs": options,
                    "components": {},
                    "build_module_src": CANARY,
                    "build_func_name": components[name],
                    "variables": parts[name],
                },
            )
            for name in components
        },
        "build_module_src": CANARY,
        "build_func_name": "G_main",
        "variables": own,
    }
    return TensorFlowNetwork(path, state)


def tensorflow_pickle(generator, *, path="dnnlib.tflib.network.Network", protocol=4):
    """The bytes of (G, D, Gs) where only Gs holds what is wanted."""
    other = TensorFlowNetwork(path, {"version": 4, "name": "G", "static_kwargs": {}, "variables": []})
    with stand_in_classes(path):
        return pickle.dumps((other.instance(), other.instance(), generator.instance()), protocol)


def stand_in_classes(*paths):
    """Like `stand_ins`, with classes instead of functions."""
    context = stand_ins(*paths)

    class Classes:
        def __enter__(self):
            context.__enter__()
            for path in paths:
                module, _, name = path.rpartition(".")
                cls = type(name, (), {"__module__": module})
                setattr(sys.modules[module], name, cls)

        def __exit__(self, *details):
            return context.__exit__(*details)

    return Classes()
