"""Numbers and arrays that numpy pickled, from inert records."""

from __future__ import annotations

import reprlib
from typing import Any

import numpy as np
import torch

from ganwalk.errors import GanwalkError
from ganwalk.inert.pickle_reader import Global, PickleError, Record
from ganwalk.inert.tensors import Storage, StoredTensor, stored_tensor

_SCALAR = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
_ARRAY = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
# How dill pickles arrays: (reconstruct, its arguments, state).
_DILL_ARRAY = ("dill._dill._create_array",)
# How arrays are pickled by protocol 5, in one piece: (data, dtype, shape, order).
_BUFFER = ("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer")
_DATA = (bytes, bytearray, str)
# Of a type's name.
_MAX_CODE = 8
_DTYPES = {
    "f2": torch.float16,
    "f4": torch.float32,
    "f8": torch.float64,
    "i1": torch.int8,
    "i2": torch.int16,
    "i4": torch.int32,
    "i8": torch.int64,
    "u1": torch.uint8,
    "b1": torch.bool,
}


def plain_number(value: Any) -> Any:
    """A Python number for a pickled numpy scalar; any other value as it is.

    Raises:
        GanwalkError: the number is damaged or of an unknown type.
    """
    if not _calls(value, _SCALAR):
        return value
    dtype, data = _pair(value.arguments)
    kind = _dtype(dtype)
    if not isinstance(data, _DATA) or len(data) != kind.itemsize:
        raise GanwalkError("is damaged: a number has the wrong length")
    return np.frombuffer(_bytes(data), kind)[0].item()


def stored_array(value: Any) -> StoredTensor | None:
    """A pickled numpy array or scalar as a stored tensor; None for any other value.

    Raises:
        GanwalkError: the array is damaged or of a type that holds no plain numbers.
    """
    if _calls(value, _SCALAR):
        dtype, data = _pair(value.arguments)
        shape, fortran = tuple[int, ...](), False
    elif _calls(value, _ARRAY):
        shape, dtype, fortran, data = _array_state(value.state)
    elif _calls(value, _DILL_ARRAY):
        if not isinstance(value.arguments, tuple) or len(value.arguments) < 3:
            raise GanwalkError("is damaged: an array is not complete")
        shape, dtype, fortran, data = _array_state(value.arguments[2])
    elif _calls(value, _BUFFER):
        if not isinstance(value.arguments, tuple) or len(value.arguments) != 4:
            raise GanwalkError("is damaged: an array is not complete")
        data, dtype, shape, order = value.arguments
        fortran = order == "F"
    else:
        return None
    kind = _dtype(dtype)
    if not isinstance(shape, tuple) or len(shape) > 8 or not all(type(n) is int and n >= 0 for n in shape):
        raise GanwalkError(f"is damaged: an array has the impossible shape {reprlib.repr(shape)}")
    if not isinstance(data, _DATA):
        raise GanwalkError("is damaged: an array is not made of bytes")
    count = 1
    for n in shape:
        count *= n
    if len(data) != count * kind.itemsize:
        raise GanwalkError(f"is damaged: an array of shape {shape} has {len(data)} bytes")

    def read(first: int, last: int) -> bytes:
        # Only now, and only what is wanted: many arrays may share one text.
        part = _bytes(data[first * kind.itemsize : last * kind.itemsize])
        native = kind.newbyteorder("=")
        return part if kind == native else np.frombuffer(part, kind).astype(native).tobytes()

    axes = shape if fortran is True else shape[::-1]
    steps = [1]
    for n in axes[:-1]:
        steps.append(steps[-1] * n)
    stride = steps if fortran is True else steps[::-1]
    try:
        return stored_tensor(Storage(_DTYPES[kind.str[1:]], count, read, data), 0, shape, stride[: len(shape)])
    except PickleError as error:
        raise GanwalkError(f"is damaged: {error}") from error


def _array_state(state: Any) -> tuple[Any, Any, Any, Any]:
    """Shape, type, whether columns come first, and values of an array, from what numpy would restore it by."""
    if not isinstance(state, tuple) or len(state) != 5:
        raise GanwalkError("is damaged: an array has no values")
    return state[1:]


def _calls(value: Any, paths: tuple[str, ...]) -> bool:
    return isinstance(value, Record) and isinstance(value.function, Global) and value.function.path in paths


def _pair(arguments: Any) -> tuple[Any, Any]:
    if not isinstance(arguments, tuple) or len(arguments) != 2:
        raise GanwalkError("is damaged: a number is not complete")
    return arguments


def _dtype(record: Any) -> np.dtype[Any]:
    """The type that a pickled numpy.dtype stands for, if it is one of plain numbers."""
    if not _calls(record, ("numpy.dtype",)) or not isinstance(record.arguments, tuple) or not record.arguments:
        raise GanwalkError("is damaged: a number has no type")
    code = record.arguments[0]
    if not isinstance(code, str) or len(code) > _MAX_CODE or code.lstrip("<>=|") not in _DTYPES:
        raise GanwalkError(f"holds numbers of the unknown type {reprlib.repr(code)}")
    order = record.state[1] if isinstance(record.state, tuple) and len(record.state) > 1 else "<"
    return np.dtype(code.lstrip("<>=|")).newbyteorder(">" if isinstance(order, str) and order == ">" else "<")


def _bytes(data: bytes | bytearray | str) -> bytes:
    """Bytes of an array; Python 2 wrote them as text."""
    if isinstance(data, str):
        try:
            return data.encode("latin-1")
        except UnicodeEncodeError as error:
            raise GanwalkError("is damaged: an array is made of text") from error
    return bytes(data)
