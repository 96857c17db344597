"""Numbers as callers have them: lists, arrays of numpy, or tensors, on any device and with or without a gradient."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganwalk.errors import GanwalkError


def is_tensor(values: Any) -> bool:
    """Whether something is a tensor of torch; torch is not imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(values, torch.Tensor)


def host_array(values: Any, name: str) -> NDArray[Any]:
    """Real numbers of any shape as an array of booleans, integers or floats, a view where that is possible.

    Tensors are detached and come to the CPU; half precision becomes float32, and what is wider than double, float64.

    Args:
        values: a list, an array, a tensor, or a list of these.
        name: what the message calls them.
    Raises:
        GanwalkError: the values are no real numbers, or rows differ in length.
    """
    if is_tensor(values):
        held = values.detach().cpu()
        # numpy has no bfloat16.
        array = (held.float() if held.is_floating_point() and held.element_size() < 4 else held).numpy()
    else:
        if isinstance(values, (list, tuple)) and any(is_tensor(value) for value in values):
            values = [host_array(value, name) for value in values]
        try:
            array = np.asarray(values)
        except ValueError as error:
            raise GanwalkError(f"{name} must be an array of finite numbers: their rows differ in length") from error
    if array.dtype.kind not in "biuf":
        raise GanwalkError(f"{name} must be finite numbers that are real, not of the type {array.dtype}")
    if array.dtype.kind == "f" and array.dtype not in (np.float32, np.float64):
        return array.astype(np.float32 if array.dtype.itemsize < 4 else np.float64)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
