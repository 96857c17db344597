"""A plain StyleGAN2 synthesis, the peer of benchmarks/generators.py: the published formulas, one after the other.

A weight per sample and one grouped convolution for the batch; up-sampling by a transposed convolution; FIR filters by
zero insertion and a general two-dimensional convolution; float32, torch's default memory order. Tensors and their names
are NVIDIA's, so that it runs on the weights of ours. Only the "skip" architecture with leaky ReLU.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def fir(x: Tensor, up: int, padding: tuple[int, int], gain: float) -> Tensor:
    """Zero insertion, padding, and the filter [1, 3, 3, 1] in both dimensions."""
    n, c, h, w = x.shape
    if up > 1:
        x = F.pad(x.reshape(n, c, h, 1, w, 1), (0, up - 1, 0, 0, 0, up - 1)).reshape(n, c, h * up, w * up)
    x = F.pad(x, (*padding, *padding))
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    kernel = torch.outer(taps, taps) / taps.sum() ** 2 * gain
    return F.conv2d(x, kernel.flip((0, 1)).expand(c, 1, 4, 4), groups=c)


def modulated_conv(x: Tensor, weight: Tensor, style: Tensor, up: bool = False, demodulate: bool = True) -> Tensor:
    """Convolution with weight·style, normalised per output channel; a group per sample."""
    n, c, h, w = x.shape
    out, size = weight.shape[0], weight.shape[2]
    weights = weight[None] * style[:, None, :, None, None]
    if demodulate:
        weights = weights * (weights.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    x = x.reshape(1, n * c, h, w)
    if up:
        weights = weights.transpose(1, 2).reshape(n * c, out, size, size)
        x = F.conv_transpose2d(x, weights, stride=2, groups=n)
        x = fir(x, 1, (1, 1), 4.0)
    else:
        x = F.conv2d(x, weights.reshape(n * out, c, size, size), padding=size // 2, groups=n)
    return x.reshape(n, out, *x.shape[2:])


class PlainStyleGAN2:
    """Synthesis (n, num_layers, w_dim) → images, with the constant noise."""

    def __init__(self, tensors: dict[str, Tensor], resolution: int):
        self.tensors = {name.removeprefix("synthesis."): tensor.contiguous() for name, tensor in tensors.items()}
        self.resolution = resolution

    def affine(self, name: str, w: Tensor) -> Tensor:
        weight = self.tensors[f"{name}.affine.weight"]
        return F.linear(w, weight / math.sqrt(weight.shape[1]), self.tensors[f"{name}.affine.bias"])

    def layer(self, name: str, x: Tensor, w: Tensor, up: bool = False) -> Tensor:
        t = self.tensors
        x = modulated_conv(x, t[f"{name}.weight"], self.affine(name, w), up)
        x = x + t[f"{name}.noise_const"] * t[f"{name}.noise_strength"]
        x = x + t[f"{name}.bias"].reshape(1, -1, 1, 1)
        return F.leaky_relu(x, 0.2) * math.sqrt(2)

    def torgb(self, name: str, x: Tensor, w: Tensor) -> Tensor:
        style = self.affine(name, w) / math.sqrt(x.shape[1])
        y = modulated_conv(x, self.tensors[f"{name}.weight"], style, demodulate=False)
        return y + self.tensors[f"{name}.bias"].reshape(1, -1, 1, 1)

    def synthesis(self, w: Tensor) -> Tensor:
        x = self.tensors["b4.const"].expand(len(w), -1, -1, -1)
        x = self.layer("b4.conv1", x, w[:, 0])
        image = self.torgb("b4.torgb", x, w[:, 1])
        layer = 1
        for exponent in range(3, int(math.log2(self.resolution)) + 1):
            block = f"b{2**exponent}"
            x = self.layer(f"{block}.conv0", x, w[:, layer], up=True)
            x = self.layer(f"{block}.conv1", x, w[:, layer + 1])
            image = fir(image, 2, (2, 1), 4.0) + self.torgb(f"{block}.torgb", x, w[:, layer + 2])
            layer += 2
        return image
