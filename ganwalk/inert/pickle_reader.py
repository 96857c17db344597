"""Reads pickles without unpickling: a small machine that runs the opcodes on inert values.

`pickle.load` imports and calls what a file names. Here a global is a pair of strings and a call is a record of what
would have been called; nothing is imported, called or looked up that a file chooses. A table of known functions, given
by the caller, turns the records that checkpoints are made of into dicts, lists and tensors, checking every size.

Values from a file may share parts so often that to print, compare or hash them would take for ever: records print as
a word, and keys are bounded. What a few bytes can make it do again and again is paid from one budget for a whole file.
"""

from __future__ import annotations

import pickletools
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

# Names of modules, classes, parameters and storages are shorter: to build, hash and compare longer ones costs time.
MAX_NAME = 512
# A 1024 px StyleGAN2 snapshot takes some 10⁵ units (see Budget); a file of 10⁷ is no checkpoint but a bomb.
_MAX_UNITS = 1_500_000
_BYTES_A_UNIT = 128
# Literals lie in the file themselves: they cost what it takes to read them.
_LITERAL_BYTES_A_UNIT = 4096
# Python's hashes of numbers are no secret: keys can be chosen so that each is compared with all those before it, and
# this many comparisons are one unit.
_COMPARISONS_A_UNIT = 64
_MAX_KEY_DEPTH = 4
_MAX_KEY_PARTS = 64
_MAX_KEY_NUMBER = 2**64
# Larger numbers are no sizes of anything; to convert or to print them fails, or takes long.
_MAX_NUMBER = 2**256


class PickleError(Exception):
    """The pickle is damaged, hostile, or not of a kind that is read here."""


@dataclass
class Budget:
    """What reading one file may still cost, the streams nested in it included.

    Attributes:
        units: of about a microsecond, or of 128 bytes beside those of the file, whichever a step takes more of.
    """

    units: int = _MAX_UNITS

    def charge(self, units: int) -> None:
        """Pays for a step; PickleError if no checkpoint takes that many."""
        self.units -= units
        if self.units < 0:
            raise PickleError("too many opcodes, or values that it copies over and over: no checkpoint needs them")


@dataclass(frozen=True, slots=True)
class Global:
    """A name that a pickle would have imported."""

    module: str
    name: str

    @property
    def path(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False, repr=False, slots=True)
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
    *,
    budget: Budget,
) -> Any:
    """The object in the pickle at the current position of `data`, which is left behind its last byte.

    Args:
        data: a file-like object with read, readline and tell whose read never returns more than is left.
        calls: what known functions, by their full name, make of their arguments; any other call stays a `Record`.
        persistent: what a reference to data outside of the pickle becomes; None refuses them.
        budget: of the file that the pickle lies in; `calls` may draw on it too.
    Raises:
        PickleError: with the reason.
    """
    machine = _Machine(calls, persistent, budget)
    try:
        for opcode, argument, _ in pickletools.genops(data):
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
# Units of the opcodes that make more than an entry of the stack.
_UNITS = {
    "EMPTY_LIST": 2,
    "EMPTY_DICT": 2,
    "EMPTY_SET": 2,
    "TUPLE": 2,
    "LIST": 2,
    "FROZENSET": 2,
    "DICT": 2,
    "GLOBAL": 4,
    "STACK_GLOBAL": 4,
    "REDUCE": 4,
    "NEWOBJ": 4,
    "NEWOBJ_EX": 4,
    "OBJ": 4,
    "INST": 8,
    "PERSID": 10,
    "BINPERSID": 10,
}
# A call of a known function, which checks its arguments and may make a tensor; and an item of a dict, which whoever
# looks for a network in the file will look at, too.
_CALL_UNITS = 20
_ITEM_UNITS = 3


class _Machine:
    """The pickle machine's stack and memo, holding inert values only."""

    def __init__(
        self, calls: Mapping[str, Callable[..., Any]], persistent: Callable[[Any], Any] | None, budget: Budget
    ):
        self.stack: list[Any] = []
        # A list, since numbers that a file chooses could collide in a dict.
        self.memo: list[Any] = []
        self.calls = calls
        self.persistent = persistent
        self.budget = budget
        self.opcodes = 0

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
        self.opcodes += 1
        self.budget.charge(_UNITS.get(name, 1))
        if name in _IGNORED:
            return
        if name in _LITERALS:
            if isinstance(argument, int) and abs(argument) > _MAX_NUMBER:
                raise PickleError("it holds a number beyond any checkpoint's")
            if isinstance(argument, str | bytes | bytearray):
                self.budget.charge(_literal_units(argument))
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
            self.put(argument)
        elif name == "MEMOIZE":
            self.memo.append(self.stack[-1])
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            if argument < 0 or self.memo[argument] is _MARK:
                raise PickleError("it takes values that are not there")
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
            push(_named(*argument.partition(" ")[::2]))
        elif name == "STACK_GLOBAL":
            attribute, module = self.pop(), self.pop()
            if not isinstance(module, str) or not isinstance(attribute, str):
                raise PickleError("it names something that is no name")
            push(_named(module, attribute))
        elif name in ("REDUCE", "NEWOBJ"):
            arguments, function = self.pop(), self.pop()
            push(self.call(function, arguments))
        elif name == "NEWOBJ_EX":
            keywords, arguments, function = self.pop(), self.pop(), self.pop()
            push(Record(function, (arguments, keywords)))
        elif name == "INST":
            push(self.call(_named(*argument.partition(" ")[::2]), tuple(self.pop_to_mark())))
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

    def put(self, number: int) -> None:
        # Picklers count from 0 or 1; what was left out of the memo leaves gaps, but fewer than there were opcodes.
        if not 0 <= number <= self.opcodes:
            raise PickleError("it numbers its values beyond their count")
        missing = number + 1 - len(self.memo)
        if missing > 0:
            self.memo += [_MARK] * missing
        self.memo[number] = self.stack[-1]

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
            _set_item(target, key, value, self.budget)

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
        self.budget.charge(_CALL_UNITS + len(arguments) + sum(map(_copied_units, arguments)))
        return known(*arguments)


def _literal_units(value: str | bytes | bytearray) -> int:
    size = sys.getsizeof(value)
    # Text with letters beyond Latin-1 takes up to four times its bytes in the file.
    wide = isinstance(value, str) and size > 2 * len(value) + _BYTES_A_UNIT
    return 1 + size // (_BYTES_A_UNIT if wide else _LITERAL_BYTES_A_UNIT)


def _copied_units(argument: Any) -> int:
    """What a call of a known function may copy of an argument."""
    if isinstance(argument, str | bytearray):
        return len(argument) // _BYTES_A_UNIT
    return len(argument) if isinstance(argument, dict | list | tuple) else 0


def _named(module: str, name: str) -> Global:
    if len(module) + len(name) > MAX_NAME:
        raise PickleError("it names something by more letters than any name has")
    return Global(module, name)


def _set_item(target: dict[Any, Any], key: Any, value: Any, budget: Budget) -> None:
    """Stores an item under a key that is hashed and found in bounded time."""
    units = _ITEM_UNITS + _key_parts(key)
    if not isinstance(key, str):
        units += len(target) // _COMPARISONS_A_UNIT
    budget.charge(units)
    target[key] = value


def _key_parts(key: Any) -> int:
    """How many values a key consists of; only few small plain ones, since others can take for ever to be hashed."""
    parts = [(key, 0)]
    for count in range(_MAX_KEY_PARTS):
        if not parts:
            return count
        part, depth = parts.pop()
        if isinstance(part, tuple) and depth < _MAX_KEY_DEPTH and len(part) <= _MAX_KEY_PARTS - count:
            parts += [(inner, depth + 1) for inner in part]
        elif isinstance(part, str | bytes):
            if len(part) > MAX_NAME:
                raise PickleError("it uses a dict key of more letters than any name has")
        elif isinstance(part, int):
            if abs(part) >= _MAX_KEY_NUMBER:
                raise PickleError("it uses a dict key that is a number of more than 64 bits")
        elif not isinstance(part, float | Global | None):
            break
    raise PickleError("it uses a dict key that is no plain value")


def _dict(budget: Budget, pairs: Any = ()) -> dict[Any, Any]:
    if isinstance(pairs, dict):
        return dict(pairs)
    result: dict[Any, Any] = {}
    for key, value in pairs:
        _set_item(result, key, value, budget)
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


def plain_calls(budget: Budget) -> dict[str, Callable[..., Any]]:
    """Functions of Python's own that pickles call to build plain values."""
    return {
        "collections.OrderedDict": partial(_dict, budget),
        "dnnlib.util.EasyDict": partial(_dict, budget),
        "builtins.set": _list,
        "__builtin__.set": _list,
        "_codecs.encode": _encode,
    }
