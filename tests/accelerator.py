"""A pretended accelerator, for tests on machines without one: its tensors carry values and say that they lie on "meta".

Like a real one it refuses tensors of the CPU beside its own, and like Apple's it has no double precision, not even on
the way to the CPU. What crosses to and from it is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType

import torch
from torch import nn
from torch.autograd import forward_ad
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

from ganwalk.rtd import ops

DEVICE = torch.device("meta")
_aten = torch.ops.aten
# Indices may lie on the CPU for every device.
_TAKES_INDICES = (_aten.index.Tensor, _aten.index_put.default, _aten.index_put_.default)


@dataclass
class Traffic:
    """Numbers of values that went to the CPU and to the device, one for each transfer; and questions for one value."""

    to_cpu: list[int] = field(default_factory=list)
    to_device: list[int] = field(default_factory=list)
    questions: int = 0


class Remote(torch.Tensor):
    """A tensor of the device, whose values are really on the CPU."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held):
        if held.dtype == torch.float64:
            raise TypeError("this device has no float64")
        shape, strides = held.shape, held.stride()
        return torch.Tensor._make_wrapper_subclass(cls, shape, strides=strides, dtype=held.dtype, device=DEVICE)

    def __init__(self, held):
        self.held = held

    def new_tensor(self, data):
        # Torch would make an empty one.
        return torch.tensor(data, dtype=self.dtype).to(DEVICE)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise RuntimeError(f"{func} outside of the accelerator")


class _Generator(torch.Generator):
    def __new__(cls, device="cpu"):
        return super().__new__(cls, "cpu")


def _no_forward_mode():
    raise NotImplementedError("this device has no forward mode")


class _Accelerator(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.traffic = Traffic()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        remote = any(isinstance(tensor, Remote) for tensor in tensors)
        target = kwargs.get("device", next((each for each in args if isinstance(each, torch.device)), None))
        there = remote if target is None else torch.device(target) == DEVICE
        if not remote and not there:
            return func(*args, **kwargs)
        if func.namespace == "ganwalk":
            # An operator of ours has one body for every device, which decides what crosses.
            with self:
                return getattr(ops, func._opname)._init_fn(*args, **kwargs)
        if func is not _aten.detach.default:
            # Within such a body torch leaves what is composed of other operators whole.
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        if func is _aten._to_copy.default:
            self._count(remote, there, args[0])
            if remote and kwargs.get("dtype") == torch.float64:
                raise TypeError("this device has no float64")
        elif func is _aten.copy_.default:
            self._count(isinstance(args[1], Remote), isinstance(args[0], Remote), args[1])
        elif remote and func not in _TAKES_INDICES:
            strangers = [tensor for tensor in tensors if not isinstance(tensor, Remote) and tensor.ndim > 0]
            if strangers:
                raise RuntimeError(
                    f"{func}: tensors of two devices, one of shape {tuple(strangers[0].shape)} on the CPU"
                )
        self.traffic.questions += func in (
            _aten._local_scalar_dense.default,
            _aten.equal.default,
            _aten.nonzero.default,
        )
        plain_args, plain = tree_map(lambda leaf: leaf.held if isinstance(leaf, Remote) else leaf, (args, kwargs))
        if target is not None:
            plain = {**plain, "device": "cpu"}
        found = func(*plain_args, **plain)
        if func is _aten.copy_.default:
            return args[0]
        if not there:
            return found
        wrapped = tree_map(lambda leaf: Remote(leaf) if isinstance(leaf, torch.Tensor) else leaf, found)
        return return_and_correct_aliasing(func, args, kwargs, wrapped) if remote else wrapped

    def _count(self, before: bool, after: bool, moved: torch.Tensor) -> None:
        if before != after:
            (self.traffic.to_device if after else self.traffic.to_cpu).append(moved.numel())


@contextmanager
def accelerator(monkeypatch) -> Iterator[Traffic]:
    """The device, while the block runs; what crosses is counted in the result."""
    # Meta has no random numbers: they come from the CPU's, as every other value does.
    monkeypatch.setattr(torch, "Generator", _Generator)
    # A device has a module; that of "meta" is asked for by the checkpoints of torch 2.4 alone.
    monkeypatch.setattr(torch, DEVICE.type, ModuleType(f"torch.{DEVICE.type}"), raising=False)
    # A tangent inside of a tensor that is another's wrapper ends the process.
    monkeypatch.setattr(forward_ad, "dual_level", _no_forward_mode)
    with _Accelerator() as mode:
        yield mode.traffic


def moved(module: nn.Module) -> nn.Module:
    """The module itself, its parameters and buffers now on the device; inside of `accelerator` only."""
    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is not None:
                part._parameters[name] = nn.Parameter(parameter.detach().to(DEVICE), parameter.requires_grad)
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = buffer.to(DEVICE)
    return module
