"""The alias-free activation of StyleGAN3 (Karras et al. 2021, section 3.2): up-sample, leaky ReLU, down-sample.

The up-sampled signal never exists as a whole. Up-sampling by u gives u×u interleaved planes, each of which is the
input convolved with one phase of the filter; the down-sampling filter, split into the same phases, takes each plane
to its share of the output. All of these are small dense depthwise convolutions with stride one, which CPUs do at
nearly their full speed in channels-last memory, and without gradients one plane is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

# Values of one plane that are processed together: what a large cache holds, yet enough to keep threads busy.
_CHUNK = 2**22
# Channels that depthwise convolutions of CPUs work on at once.
_LANES = 16


@dataclass(frozen=True)
class Resampling:
    """How a layer resamples.

    Attributes:
        up, down: factors along both axes; `up` is a multiple of `down`.
        pad: zeros above and left of the zero-inserted signal (negative: values cut off); `out_size` settles the others.
        out_size: height and width of the result.
    """

    up: int
    down: int
    pad: tuple[int, int]
    out_size: tuple[int, int]


@dataclass(frozen=True)
class _Phase:
    """Taps `first`, `first` + up, … of a filter, which correlate with a signal from its sample `start` on."""

    start: int
    first: int


def filtered_activation(
    x: Tensor,
    up_filter: Tensor,
    down_filter: Tensor,
    resampling: Resampling,
    *,
    gain: float,
    slope: float,
    clamp: float | None,
) -> Tensor:
    """Leaky ReLU of (n, c, h, w) at `up` times its rate, brought back to 1/`down` of that: (n, c, *out_size).

    Args:
        x: the signal with its bias.
        up_filter: at least `up` taps (k,) of a separable filter, a true convolution; its gain of up² is applied here.
        down_filter: taps (k,) or a kernel (k, k).
        gain, slope, clamp: of the leaky ReLU; the clamp bounds the absolute value after the gain.
    """
    in_place = not (torch.is_grad_enabled() and x.requires_grad)

    def activate(plane: Tensor) -> Tensor:
        plane = F.leaky_relu(plane, slope, inplace=in_place)
        if clamp is None:
            return plane
        return plane.clamp_(-clamp, clamp) if in_place else plane.clamp(-clamp, clamp)

    # Leaky ReLU is homogeneous: its gain can be the filter's.
    up_taps = up_filter.flip(0) * (resampling.up * gain**0.5)
    down_kernel = (down_filter if down_filter.ndim == 2 else torch.outer(down_filter, down_filter)).flip((0, 1))
    results = [
        _resample(part.contiguous(memory_format=torch.channels_last), up_taps, down_kernel, resampling, activate)
        for part in _chunks(x)
    ]
    return results[0] if len(results) == 1 else torch.cat(results, dim=1)


def _chunks(x: Tensor) -> tuple[Tensor, ...]:
    """The tensor (n, c, h, w) by groups of channels."""
    channels = x.shape[1]
    step = max(1, round(_CHUNK / (x.numel() / channels) / _LANES)) * _LANES
    # The last group takes what is left: a few channels alone would take nearly as long as many.
    groups = max(1, channels // step)
    return x.split([step] * (groups - 1) + [channels - step * (groups - 1)], dim=1)


def _resample(
    x: Tensor, up_taps: Tensor, down_kernel: Tensor, resampling: Resampling, activate: Callable[[Tensor], Tensor]
) -> Tensor:
    """Both resamplings by correlation with the given, already flipped, filters."""
    up, out_phases = resampling.up, resampling.up // resampling.down
    # Output out_phases·n + e is the sum over r of phase (e, r) of the kernel times the samples up·(n + start …) + r.
    down_phases = [[_down_phase(resampling, e, r) for r in range(up)] for e in range(out_phases)]
    ys, xs = (
        _axis(resampling, axis, up_taps.numel(), len(down_kernel), down_phases) for axis in range(len(resampling.pad))
    )
    height, width = x.shape[2:]
    x = F.pad(x, (xs.before, xs.after - width, ys.before, ys.after - height))
    outputs: dict[tuple[int, int], Tensor] = {}
    for ry, rx in product(range(up), repeat=2):
        first_y, first_x = ys.phases[ry], xs.phases[rx]
        kernel = torch.outer(up_taps[first_y.first :: up], up_taps[first_x.first :: up])
        plane = activate(_depthwise(x, kernel))
        for ey, ex in product(range(out_phases), repeat=2):
            down_y, down_x = down_phases[ey][ry], down_phases[ex][rx]
            kernel = down_kernel[down_y.first :: up, down_x.first :: up]
            if kernel.numel() == 0:
                continue
            part = _depthwise(plane, kernel)
            # The plane begins at its sample -before - start, which may lie ahead of the first that is wanted.
            y, x_ = down_y.start + ys.before + first_y.start, down_x.start + xs.before + first_x.start
            part = part[:, :, y : y + ys.count, x_ : x_ + xs.count]
            outputs[ey, ex] = outputs[ey, ex] + part if (ey, ex) in outputs else part
    return _interleave(outputs, out_phases)[:, :, : resampling.out_size[0], : resampling.out_size[1]]


@dataclass(frozen=True)
class _Axis:
    """What one axis needs.

    Attributes:
        count: outputs of each of the interleaved output phases.
        phases: sample up·m + r of the up-sampled signal is the sum of phase r of the taps times x[m + start …].
        before, after: where the signal that is needed begins, ahead of its first sample, and ends.
    """

    count: int
    phases: list[_Phase]
    before: int
    after: int


def _axis(resampling: Resampling, axis: int, up_taps: int, down_taps: int, down_phases: list[list[_Phase]]) -> _Axis:
    up, pad = resampling.up, resampling.pad[axis]
    count = -(-resampling.out_size[axis] // len(down_phases))
    phases = [_up_phase(up, pad, r) for r in range(up)]
    after = 0
    for r, phase in enumerate(phases):
        taps = _taps(up_taps, phase.first, up)
        samples = max(count - 1 + row[r].start + _taps(down_taps, row[r].first, up) for row in down_phases)
        after = max(after, samples + phase.start + taps - 1)
    return _Axis(count, phases, max(-phase.start for phase in phases), after)


def _up_phase(up: int, pad: int, r: int) -> _Phase:
    first = (pad - r) % up
    return _Phase((r + first - pad) // up, first)


def _down_phase(resampling: Resampling, e: int, r: int) -> _Phase:
    start = -((r - resampling.down * e) // resampling.up)
    return _Phase(start, resampling.up * start + r - resampling.down * e)


def _taps(total: int, first: int, step: int) -> int:
    return len(range(first, total, step))


def _depthwise(x: Tensor, kernel: Tensor) -> Tensor:
    """Correlates every channel of (n, c, h, w) with a kernel (k, l), without padding."""
    channels = x.shape[1]
    return F.conv2d(x, kernel.expand(channels, 1, -1, -1), groups=channels)


def _interleave(phases: dict[tuple[int, int], Tensor], step: int) -> Tensor:
    """(n, c, step·h, step·w) from its phases (row, column) of (n, c, h, w)."""
    if step == 1:
        return phases[0, 0]
    rows = [
        torch.stack([phases[row, column].permute(0, 2, 3, 1) for column in range(step)], dim=3) for row in range(step)
    ]
    n, h, w, _, c = rows[0].shape
    return torch.stack(rows, dim=2).reshape(n, h * step, w * step, c).permute(0, 3, 1, 2)
