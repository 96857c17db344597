"""Reads pickles without unpickling: a small machine that runs the opcodes on inert values.

`pickle.load` imports and calls what a file names. Here a global is a pair of strings and a call is a record of what
would have been called; nothing is imported, called or looked up that a file chooses. A table of known functions, given
by the caller, turns the records that checkpoints are made of into dicts, lists and tensors, checking every size.

Values from a file may share parts so often that to print, compare or hash them would take for ever: records print as
a word, and keys are bounded.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

# A 1024 px StyleGAN2 snapshot has some 10⁵ opcodes; a file of 10⁷ is no checkpoint but a bomb.
MAX_OPCODES = 5_000_000
# What known calls may copy in all: entries of dicts and lists, of which a checkpoint has some 10⁴, and 512 letters of a
# text; reading a nested stream counts 100. A value that a file holds once can be copied by many short calls.
_MAX_COPIED = 1_000_000
_MAX_KEY_DEPTH = 4
# Larger numbers are no sizes of anything; to convert or to print them fails, or takes long.
_MAX_NUMBER = 2**256
_MAX_KEY_PARTS = 64


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


@dataclass(eq=False, repr=False)
class Record:
    """A call that a pickle would have made, and what it would have stored on the result."""

    function: Any
    arguments: Any
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)
    elements: list[Any] = field(default_factory=list)


def read_pickle(
    data: Any,
    calls: Mapping[str, Callable[..., Any]],
    persistent: Callable[[Any], Any] | None = None,
    max_opcodes: int = MAX_OPCODES,
) -> Any:
    """The object in the pickle at the current position of `data`, which is left behind its last byte.

    Args:
        data: a file-like object with read, readline and tell whose read never returns more than is left.
        calls: what known functions, by their full name, make of their arguments; any other call stays a `Record`.
        persistent: what a reference to data outside of the pickle becomes; None refuses them.
        max_opcodes: a pickle with more is refused.
    Raises:
        PickleError: with the reason.
    """
    machine = _Machine(calls, persistent)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if count > max_opcodes:
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

    def __init__(self, calls: Mapping[str, Callable[..., Any]], persistent: Callable[[Any], Any] | None):
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.calls = calls
        self.copied = 0
        self.persistent = persistent

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
            if isinstance(argument, int) and abs(argument) > _MAX_NUMBER:
                raise PickleError("it holds a number beyond any checkpoint's")
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
            push(self.call(function, arguments))
        elif name == "NEWOBJ_EX":
            keywords, arguments, function = self.pop(), self.pop(), self.pop()
            push(Record(function, (arguments, keywords)))
        elif name == "INST":
            module, _, attribute = argument.partition(" ")
            push(self.call(Global(module, attribute), tuple(self.pop_to_mark())))
        elif name == "OBJ":
            function, *arguments = self.pop_to_mark()
            push(self.call(function, tuple(arguments)))
        elif name == "BUILD":
            state = self.pop()
            self.build(state)
        elif name in ("PERSID", "BINPERSID") and self.persistent is not None:
            push(self.persistent(argument if name == "PERSID" else self.pop()))
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

    def call(self, function: Any, arguments: Any) -> Any:
        known = self.calls.get(function.path) if isinstance(function, Global) else None
        if known is None:
            return Record(function, arguments)
        if not isinstance(arguments, tuple):
            raise PickleError(f"it calls {function.path} without arguments")
        self.copied += _cost(arguments)
        if self.copied > _MAX_COPIED:
            raise PickleError("it copies its values over and over")
        return known(*arguments)


def _cost(arguments: tuple[Any, ...]) -> int:
    """What a call of a known function may copy."""
    value = arguments[0] if arguments else None
    if isinstance(value, bytes | bytearray):
        return 100
    if isinstance(value, str):
        return len(value) // 512
    return len(value) if isinstance(value, dict | list | tuple) else 1


def _check_key(key: Any) -> None:
    """Keys are hashed: only small plain ones, since the hash of a deep or much shared tuple takes for ever."""
    parts = [(key, 0)]
    for count in range(_MAX_KEY_PARTS):
        if not parts:
            return
        part, depth = parts.pop()
        if isinstance(part, tuple) and depth < _MAX_KEY_DEPTH and len(part) <= _MAX_KEY_PARTS - count:
            parts += [(inner, depth + 1) for inner in part]
        elif not isinstance(part, str | int | float | bool | bytes | Global | None):
            break
    raise PickleError("it uses a dict key that is no plain value")


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


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """Bytes, as Python 3 writes them for Python 2."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise PickleError("it encodes something that is no text")
    return text.encode("latin-1")


# Functions of Python's own that pickles call to build plain values.
PLAIN_CALLS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _dict,
    "dnnlib.util.EasyDict": _dict,
    "builtins.set": _list,
    "__builtin__.set": _list,
    "_codecs.encode": _encode,
}
