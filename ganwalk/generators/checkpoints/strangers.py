"""What a file is that holds no generator of a known format: named in a line, with what can be done about it."""

from __future__ import annotations

from itertools import islice
from typing import Any

from ganwalk.errors import one_line
from ganwalk.generators.checkpoints.stored import GENERATORS
from ganwalk.inert.pickle_reader import Global, Record
from ganwalk.inert.tensors import StoredTensor

RUN_ITS_CODE = "write a function that makes it with its own code and give module:function"
_SCRIPT_IT = "save it as TorchScript (torch.jit.script(module).save('g.ts')) and load that with --trust"
ONNX = (
    f"is an ONNX network, which is a graph without its code and not read: in torch, {_SCRIPT_IT}; or write a function "
    "that converts it and give module:function"
)
# Names under which tools keep matrices of directions, by how these lie in them (see ganwalk.interchange).
COMPONENTS = ("lat_comp", "comp", "components", "components_")
COLUMNS = ("eigvec", "linear.weight", "log_mat_half")
ROWS = ("boundaries", "boundary", "directions", "direction", "vectors", "arr_0")
_UNMISTAKABLE = {"deformator", "lat_comp", "comp", "eigvec", "log_mat_half", "boundaries", "boundary", "directions"}
_MAX_SHOWN = 6
# Of a dict, and of each dict in it: many may be one and the same.
_MAX_LOOKED_AT = 1000
# Fields of an ONNX model (onnx.proto3) that come before its graph: its version as a number, then texts and one number.
_ONNX_VERSION, _ONNX_GRAPH = b"\x08", 0x3A
_ONNX_TEXTS, _ONNX_NUMBER = (0x12, 0x1A, 0x22, 0x32), 0x28


def is_onnx(head: bytes) -> bool:
    """Whether a file that begins so is an ONNX model: a message of its fields up to the graph."""
    if not head.startswith(_ONNX_VERSION):
        return False
    place = 1
    try:
        _, place = _varint(head, place)
        while head[place] != _ONNX_GRAPH:
            tag = head[place]
            value, place = _varint(head, place + 1)
            if tag in _ONNX_TEXTS:
                place += value
            elif tag != _ONNX_NUMBER:
                return False
    except IndexError:
        return False
    return True


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """A number of protocol buffers, seven bits in a byte, and the place after it; IndexError if it is cut off."""
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place


def describe_stranger(value: Any) -> str:
    """The rest of a line about a file, from the inert object in it."""
    name, found = _object(value)
    if found is not None:
        where = f"{name}, " if name else ""
        return (
            f"holds {where}a whole module of the class {class_of(found)}, which only its own code could read: "
            f"{_SCRIPT_IT}, or {RUN_ITS_CODE}"
        )
    if isinstance(value, StoredTensor) or _is_tensors(value) or _names(value) & _UNMISTAKABLE:
        return "holds no generator; if these are directions, bring them with ganwalk import and its --generator"
    if isinstance(value, dict) and "synthesis.b4.const" in value:
        return (
            "holds tensors of NVIDIA's network alone, which do not say how its layers compute: save the network itself "
            "(torch.save(G) or pickle.dump(G))"
        )
    if isinstance(value, dict):
        inner = value.get("state_dict")
        where, state = ("its state_dict holds", inner) if isinstance(inner, dict) else ("it holds", value)
        keys = [str(key) for key in state if isinstance(key, str | int)]
        shown = one_line(", ".join(keys[:_MAX_SHOWN]), 200) + ", …" * (len(keys) > _MAX_SHOWN)
        return f"holds no generator that is known ({where} {shown or 'nothing'})"
    return f"holds no generator that is known, but a {type(value).__name__}"


def class_of(record: Record) -> str:
    """The full name of the class of a pickled object, as a message may show it."""
    function, arguments = record.function, record.arguments
    # Objects without a constructor of their own are made by a function of Python's that is given their class.
    if isinstance(function, Global) and function.module in ("copyreg", "copy_reg"):
        function = arguments[0] if isinstance(arguments, tuple) and arguments else function
    return one_line(function.path, 100) if isinstance(function, Global) else "unknown"


def _object(value: Any) -> tuple[str, Record | None]:
    """The object that may be the generator, and its name in the file."""
    if isinstance(value, Record):
        return "", value
    if isinstance(value, dict):
        for name in GENERATORS:
            if isinstance(value.get(name), Record):
                return name, value[name]
    return "", None


def _is_tensors(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(entry, StoredTensor) for entry in value)


def _names(value: Any) -> set[str]:
    """Names of a dict and of the dicts in it, without what stands before."""
    if not isinstance(value, dict):
        return set()
    names = {key for key in islice(value, _MAX_LOOKED_AT) if isinstance(key, str)}
    for entry in islice(value.values(), _MAX_LOOKED_AT):
        if isinstance(entry, dict):
            names |= {key for key in islice(entry, _MAX_LOOKED_AT) if isinstance(key, str)}
    return {name.rpartition(".")[2] for name in names}
