"""The networks in pickles: NVIDIA's persistent objects, and plain modules of torch, from inert records.

A persistent object is a call of `_reconstruct_persistent_obj` on a dict whose `state` is the module's `__dict__`; a
plain one, such as a table of embeddings inside of one, is of its class, with that state. Its attributes say what each
layer computes, whatever the keyword arguments and defaults of the code that wrote it were.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ganwalk.errors import GanwalkError, one_line
from ganwalk.generators.checkpoints.stored import GENERATORS, MAX_TENSORS
from ganwalk.generators.checkpoints.strangers import class_of
from ganwalk.inert.numpy_values import plain_number
from ganwalk.inert.pickle_reader import Global, Record
from ganwalk.inert.tensors import StoredTensor

_PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"
_EMBEDDING = "torch.nn.modules.sparse.Embedding"
_MAX_DEPTH = 16
# A network that is part of many others, on every level, would be visited without end.
_MAX_NETWORKS = 10_000
# Parts and tensors of all networks, of which one dict may be in very many.
_MAX_LOOKED_AT = 100_000
_MAX_NAME = 200


class Network:
    """One persistent object, or one plain module: its attributes, tensors and children."""

    def __init__(self, record: Any, name: str):
        self.name = name
        self.is_embedding = _is_embedding(record)
        if is_network(record):
            meta = record.arguments[0]
            class_name, self.state = meta.get("class_name"), meta.get("state")
        elif is_module(record):
            class_name, self.state = class_of(record), record.state
        else:
            raise GanwalkError(f"is damaged: {name} is no network")
        self.class_name = class_name[:60] if isinstance(class_name, str) else "network"
        if not isinstance(self.state, dict):
            raise GanwalkError(f"is damaged: {name} has no state")
        children = self.state.get("_modules", {})
        self.children = children if isinstance(children, dict) else {}

    @property
    def entries(self) -> int:
        """How many parameters, buffers and parts it holds."""
        groups = (self.state.get("_parameters"), self.state.get("_buffers"), self.children)
        return sum(len(group) for group in groups if isinstance(group, dict))

    def child(self, name: str) -> Network:
        if name not in self.children:
            raise GanwalkError(f"is not supported: {self.name} ({self.class_name}) has no part {name!r}")
        return Network(self.children[name], f"{self.name}.{name}")

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

    def number(self, name: str, default: float | None = None) -> float:
        value = self.get(name, default)
        if not isinstance(value, int | float):
            raise GanwalkError(f"is damaged: {self.name}.{name} should be a number")
        return float(value)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a parameter with two axes or more."""
        parameters = self.state.get("_parameters")
        tensor = parameters.get(name) if isinstance(parameters, dict) else None
        if not isinstance(tensor, StoredTensor) or tensor.ndim < 2:
            raise GanwalkError(f"is damaged: {self.name}.{name} is missing or no matrix")
        return tensor.shape

    def tensors(self) -> dict[str, StoredTensor]:
        """All parameters and buffers by qualified name."""
        found: dict[str, StoredTensor] = {}
        pending = [("", self, 0)]
        looked_at = 0
        for _ in range(_MAX_NETWORKS):
            if not pending:
                return found
            prefix, network, depth = pending.pop()
            looked_at += network.entries
            too_many = len(network.children) + len(pending) > _MAX_NETWORKS
            if too_many or looked_at > _MAX_LOOKED_AT or len(found) > MAX_TENSORS:
                break
            for group in ("_parameters", "_buffers"):
                for key, value in _items(network.state.get(group)):
                    if isinstance(value, StoredTensor) and isinstance(key, str) and len(key) < _MAX_NAME:
                        found[prefix + key] = value
            for key, record in _items(network.children):
                if record is not None and isinstance(key, str) and len(key) < _MAX_NAME and depth < _MAX_DEPTH:
                    pending.append((f"{prefix}{key}.", Network(record, f"{network.name}.{key}"), depth + 1))
        raise GanwalkError("is damaged: its networks hold one another without end")

    def foreign_part(self) -> tuple[str, str] | None:
        """Name and class of a part that is no network such as NVIDIA's own consist of."""
        pending = [(self.name, self.children, 0)]
        looked_at = 0
        for _ in range(_MAX_NETWORKS):
            if not pending:
                return None
            prefix, children, depth = pending.pop()
            looked_at += len(children)
            if looked_at > _MAX_LOOKED_AT or len(children) + len(pending) > _MAX_NETWORKS:
                break
            for key, record in _items(children):
                name = f"{prefix}.{key}" if isinstance(key, str) and len(key) < _MAX_NAME else prefix
                known = is_network(record) or _is_embedding(record)
                if isinstance(record, Record) and isinstance(record.function, Global) and not known:
                    return name, one_line(record.function.path, 100)
                if is_network(record) and depth < _MAX_DEPTH:
                    pending.append((name, Network(record, name).children, depth + 1))
        return None


def mapping_fields(mapping: Network) -> dict[str, Any]:
    """The fields of a configuration that describe the mapping, which StyleGAN2 and StyleGAN3 share."""
    dense = mapping.child("fc0")
    n_layers = mapping.whole("num_layers")
    embed = mapping.child("embed") if "embed" in mapping.children else None
    return {
        "mapping_layers": n_layers,
        "mapping_features": dense.shape("weight")[0] if n_layers > 1 else None,
        "mapping_lr": dense.number("bias_gain", 0.01),
        "mapping_activation": str(dense.get("activation", "lrelu")),
        "embed_features": None if embed is None or embed.is_embedding else embed.shape("weight")[0],
    }


def is_network(value: Any) -> bool:
    """Whether an inert value is a persistent object."""
    return (
        isinstance(value, Record)
        and isinstance(value.function, Global)
        and value.function.path == _PERSISTENT
        and isinstance(value.arguments, tuple)
        and len(value.arguments) == 1
        and isinstance(value.arguments[0], dict)
    )


def _is_embedding(value: Any) -> bool:
    """Whether an inert value is torch's table of embeddings."""
    return isinstance(value, Record) and isinstance(value.function, Global) and value.function.path == _EMBEDDING


def held_modules(value: Any) -> Iterator[Network]:
    """The plain modules of torch under the names of generators in a dict, or the one that a value is."""
    held = {name: value.get(name) for name in GENERATORS} if isinstance(value, dict) else {"G": value}
    for name, record in held.items():
        if is_module(record):
            yield Network(record, name)


def is_module(value: Any) -> bool:
    """Whether an inert value is a plain module of torch: an object whose state has modules, parameters and buffers."""
    groups = ("_modules", "_parameters", "_buffers")
    return (
        isinstance(value, Record)
        and isinstance(value.state, dict)
        and all(isinstance(value.state.get(group), dict) for group in groups)
    )


def _items(value: Any) -> Any:
    return value.items() if isinstance(value, dict) else ()
