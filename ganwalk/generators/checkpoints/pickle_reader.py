"""Reads pickles without unpickling: a small machine that runs the opcodes on inert values.

`pickle.load` imports and calls what a file names. Here a global is a pair of strings and a call is a record of what
would have been called; nothing is imported, called or looked up that a file chooses. A short table of known functions
(`_CALLS`) turns the records that checkpoints are made of into dicts, lists and tensors, checking every size.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError

# A 1024 px StyleGAN2 snapshot has some 10⁵ opcodes; a file of 10⁷ is no checkpoint but a bomb.
_MAX_OPCODES = 5_000_000
_MAX_KEY_DEPTH = 4

_STORAGE_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class PickleError(Exception):
    """The pickle is damaged, hostile, or not of a kind that is read here."""


@dataclass(frozen=True)
class Global:
    """A name that a pickle would have imported."""

    module: str
    name: str

    @property
    def path(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass
class Record:
    """A call that a pickle would have made, and what it would have stored on the result."""

    function: Any
    arguments: Any
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)
    elements: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class Storage:
    """The flat values that tensors are views of."""

    values: Tensor


@dataclass(frozen=True)
class PersistentId:
    """A reference to data outside of the pickle; only torch's own streams may hold them."""

    value: Any


def read_pickle(data: Any, *, allow_persistent_ids: bool = False) -> Any:
    """The object in the pickle at the current position of `data`, which is left behind its last byte.

    Args:
        data: a file-like object with read, readline and tell whose read never returns more than is left.
    Raises:
        PickleError: with the reason.
    """
    machine = _Machine(allow_persistent_ids)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if count > _MAX_OPCODES:
                raise PickleError("too many opcodes")
            if opcode.name == "STOP":
                return machine.pop()
            machine.run(opcode.name, argument)
    except PickleError:
        raise
    except (IndexError, KeyError) as error:
        raise PickleError("it takes values that are not there") from error
    except (ValueError, TypeError, OverflowError, RecursionError, AttributeError, RuntimeError) as error:
        raise PickleError(f"damaged or truncated ({_short(error)})") from error
    raise PickleError("it has no end")


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 80 else text[:77] + "..."


_MARK = object()
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
    "EMPTY_SET": list,
}
_LITERALS = frozenset(
    [
        "INT",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG",
        "LONG1",
        "LONG4",
        "FLOAT",
        "BINFLOAT",
        "UNICODE",
        "SHORT_BINUNICODE",
        "BINUNICODE",
        "BINUNICODE8",
        "STRING",
        "BINSTRING",
        "SHORT_BINSTRING",
        "BINBYTES",
        "SHORT_BINBYTES",
        "BINBYTES8",
        "BYTEARRAY8",
    ]
)
_IGNORED = frozenset(["PROTO", "FRAME"])


class _Machine:
    """The pickle machine's stack and memo, holding inert values only."""

    def __init__(self, allow_persistent_ids: bool):
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.allow_persistent_ids = allow_persistent_ids

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise PickleError("it takes values that are not there")
        return value

    def pop_to_mark(self) -> list[Any]:
        values: list[Any] = []
        while True:
            value = self.stack.pop()
            if value is _MARK:
                return values[::-1]
            values.append(value)

    def run(self, name: str, argument: Any) -> None:
        push = self.stack.append
        if name in _IGNORED:
            return
        if name in _LITERALS:
            push(argument)
        elif name in _CONSTANTS:
            push(_CONSTANTS[name]())
        elif name == "MARK":
            push(_MARK)
        elif name == "POP":
            self.stack.pop()
        elif name == "POP_MARK":
            self.pop_to_mark()
        elif name == "DUP":
            push(self.stack[-1])
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            push(self.memo[argument])
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            push(tuple([self.pop() for _ in range(int(name[-1]))][::-1]))
        elif name == "TUPLE":
            push(tuple(self.pop_to_mark()))
        elif name == "LIST" or name == "FROZENSET":
            push(self.pop_to_mark())
        elif name == "DICT":
            values = self.pop_to_mark()
            push({})
            self.set_items(values)
        elif name == "APPEND":
            value = self.pop()
            self.add_elements([value])
        elif name in ("APPENDS", "ADDITEMS"):
            values = self.pop_to_mark()
            self.add_elements(values)
        elif name == "SETITEM":
            value, key = self.pop(), self.pop()
            self.set_items([key, value])
        elif name == "SETITEMS":
            self.set_items(self.pop_to_mark())
        elif name == "GLOBAL":
            module, _, attribute = argument.partition(" ")
            push(Global(module, attribute))
        elif name == "STACK_GLOBAL":
            attribute, module = self.pop(), self.pop()
            if not isinstance(module, str) or not isinstance(attribute, str):
                raise PickleError("it names something that is no name")
            push(Global(module, attribute))
        elif name in ("REDUCE", "NEWOBJ"):
            arguments, function = self.pop(), self.pop()
            push(_call(function, arguments))
        elif name == "NEWOBJ_EX":
            keywords, arguments, function = self.pop(), self.pop(), self.pop()
            push(Record(function, (arguments, keywords)))
        elif name == "INST":
            module, _, attribute = argument.partition(" ")
            push(_call(Global(module, attribute), tuple(self.pop_to_mark())))
        elif name == "OBJ":
            function, *arguments = self.pop_to_mark()
            push(_call(function, tuple(arguments)))
        elif name == "BUILD":
            state = self.pop()
            self.build(state)
        elif name in ("PERSID", "BINPERSID") and self.allow_persistent_ids:
            push(PersistentId(argument if name == "PERSID" else self.pop()))
        else:
            raise PickleError(f"it uses {name}, which no checkpoint needs")

    def add_elements(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(values)
        elif isinstance(target, Record):
            target.elements.extend(values)
        else:
            raise PickleError("it appends to something that is no list")

    def set_items(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, Record):
            target = target.items
        if not isinstance(target, dict) or len(values) % 2:
            raise PickleError("it sets items of something that is no dict")
        for key, value in zip(values[::2], values[1::2], strict=True):
            _check_key(key)
            target[key] = value

    def build(self, state: Any) -> None:
        target = self.stack[-1]
        if isinstance(target, Record):
            target.state = state
        elif not isinstance(target, dict):
            raise PickleError("it sets the state of something that has none")


def _check_key(key: Any, depth: int = 0) -> None:
    """Keys are hashed: only plain ones, since the hash of a deep tuple recurses in C."""
    if isinstance(key, tuple) and depth < _MAX_KEY_DEPTH:
        for part in key:
            _check_key(part, depth + 1)
    elif not isinstance(key, str | int | float | bool | bytes | Global | None):
        raise PickleError("it uses a dict key that is no plain value")


def _call(function: Any, arguments: Any) -> Any:
    known = _CALLS.get(function.path) if isinstance(function, Global) else None
    if known is None:
        return Record(function, arguments)
    if not isinstance(arguments, tuple):
        raise PickleError(f"it calls {function.path} without arguments")
    return known(*arguments)


def _dict(pairs: Any = ()) -> dict[Any, Any]:
    if isinstance(pairs, dict):
        return dict(pairs)
    result = {}
    for key, value in pairs:
        _check_key(key)
        result[key] = value
    return result


def _list(values: Any = ()) -> list[Any]:
    if not isinstance(values, list | tuple):
        raise PickleError("it builds a set from something that is no list")
    return list(values)


def _parameter(tensor: Any, *_: Any) -> Tensor:
    if not isinstance(tensor, Tensor):
        raise PickleError("a parameter is no tensor")
    return tensor


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    """A contiguous copy of the view of a storage, if it lies within the storage."""
    if isinstance(storage, PersistentId) or not isinstance(storage, Storage):
        raise PickleError("a tensor has no storage")
    sizes = [offset, *size, *stride]
    if len(size) != len(stride) or len(size) > 8 or not all(type(n) is int and n >= 0 for n in sizes):
        raise PickleError(f"a tensor has impossible sizes {tuple(size)}"[:120])
    values = storage.values
    count = 1
    for n in size:
        count *= n
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if count and last >= values.numel():
        raise PickleError(f"a tensor of shape {tuple(size)} reaches beyond its {values.numel()} stored values")
    # A stride of zero repeats values without storing them: only the stored number may be asked for.
    if count > values.numel():
        raise PickleError(f"a tensor of shape {tuple(size)} has more values than the {values.numel()} stored")
    return values.as_strided(tuple(size), tuple(stride), offset).contiguous()


def _storage(data: Any) -> Storage:
    """A storage in torch's legacy stream: five pickles, then the number of values and the values themselves."""
    import io

    if not isinstance(data, bytes | bytearray):
        raise PickleError("a storage is not made of bytes")
    stream = io.BytesIO(data)
    try:
        if read_pickle(stream) != 0x1950A86A20F9469CFC6C or read_pickle(stream) != 1001:
            raise PickleError("a storage is not in torch's legacy format")
        read_pickle(stream)
        reference = read_pickle(stream, allow_persistent_ids=True)
        keys = read_pickle(stream)
    except PickleError as error:
        raise PickleError(f"a storage inside is damaged: {error}") from error
    if not isinstance(reference, PersistentId) or not isinstance(reference.value, tuple):
        raise PickleError("a storage inside refers to nothing")
    kind, cls, key, _, count, *_ = (*reference.value, None, None, None, None, None)
    if kind != "storage" or not isinstance(cls, Global) or keys != [key]:
        raise PickleError("a storage inside is of an unknown kind")
    dtype = _STORAGE_DTYPES.get(cls.name) if cls.module in ("torch", "torch.storage") else None
    if dtype is None:
        raise PickleError(f"a storage inside has the unknown type {cls.path}")
    header = stream.read(8)
    body = stream.read()
    if type(count) is not int or len(header) != 8 or int.from_bytes(header, "little", signed=True) != count:
        raise PickleError("a storage inside states two different sizes")
    if len(body) != count * dtype.itemsize:
        raise PickleError(f"a storage inside has {len(body)} bytes where {count} values were announced")
    # A bytearray, since torch warns about memory that must not be written to.
    return Storage(torch.frombuffer(bytearray(body), dtype=dtype) if count else torch.empty(0, dtype=dtype))


_CALLS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _dict,
    "dnnlib.util.EasyDict": _dict,
    "builtins.set": _list,
    "__builtin__.set": _list,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch.storage._load_from_bytes": _storage,
}


def plain_number(value: Any) -> Any:
    """A Python number for a pickled numpy scalar; any other value as it is."""
    if not isinstance(value, Record) or not isinstance(value.function, Global):
        return value
    if value.function.path not in ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"):
        return value
    import numpy as np

    dtype, data = value.arguments
    code = dtype.arguments[0] if isinstance(dtype, Record) else None
    if not isinstance(code, str) or code.lstrip("<>=|") not in ("f2", "f4", "f8", "i4", "i8", "u1", "b1"):
        raise GanwalkError("the checkpoint holds a number of an unknown type")
    order = dtype.state[1] if isinstance(dtype.state, tuple) and len(dtype.state) > 1 else "<"
    kind = np.dtype(code.lstrip("<>=|")).newbyteorder(">" if order == ">" else "<")
    if not isinstance(data, bytes) or len(data) != kind.itemsize:
        raise GanwalkError("the checkpoint holds a damaged number")
    return np.frombuffer(data, kind)[0].item()
