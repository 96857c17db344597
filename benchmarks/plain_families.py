"""Plain syntheses of further families, the peers of benchmarks/generators.py: the published formulas, one by one.

Up-sampling by repeated pixels before a convolution, filters by zero insertion, neighbourhoods unfolded; float32,
torch's default memory order. Tensors and their names are ours, with constant normalisations in the weights already.
Each function takes a configuration, its tensors and `w` (n, w_dim), and makes images without noise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from plain_stylegan2 import fir
from torch import Tensor

from ganwalk.generators.architectures import architecture_of
from ganwalk.generators.biggan import BigGANConfig
from ganwalk.generators.dcgan import DCGANConfig
from ganwalk.generators.fastgan import GATES, FastGANConfig
from ganwalk.generators.lightweight import LightweightConfig
from ganwalk.generators.r3gan import R3GANConfig

State = dict[str, Tensor]

# As their authors publish or recommend them.
CONFIGS: dict[str, Any] = {
    "DCGAN 64": DCGANConfig((512, 256, 128, 64), z_dim=100),
    "R3GAN 256": R3GANConfig(
        widths=(768, 768, 768, 768, 384, 192, 96),
        expanded=(1536, 1536, 1536, 1536, 768, 384, 192),
        groups=(96, 96, 96, 96, 48, 24, 12),
        blocks=(2,) * 7,
    ),
    "FastGAN 256": FastGANConfig(256, (2048, 1024, 512, 256, 256, 128, 64)),
    "lightweight-gan 256": LightweightConfig((512, 512, 256, 128, 64, 32), attention=(3,), gate_channels=(32, 16)),
    "BigGAN-deep 256": BigGANConfig(
        widths=(2048, 2048, 2048, 2048, 1024, 1024, 1024, 1024, 512, 512, 256, 256, 128),
        up=(False, True) * 6,
        z_dim=128,
        c_dim=1000,
        embed_dim=128,
        conditioning="all",
        deep=True,
        attention=(8,),
        n_stats=51,
    ),
}


def build(name: str) -> torch.nn.Module:
    """A full-size network with random weights, whose statistics differ from one and zero."""
    torch.manual_seed(0)
    config = CONFIGS[name]
    generator = architecture_of(config).module(config).eval().requires_grad_(False)
    for key, tensor in generator.state_dict().items():
        if key.endswith("variances"):
            tensor.uniform_(0.5, 2.0)
        if tensor.ndim == 4:
            tensor.copy_(tensor.contiguous(memory_format=torch.channels_last))
    return generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def repeated(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


def conv(state: State, name: str, x: Tensor, **options: Any) -> Tensor:
    weight = state[f"{name}.weight"]
    options.setdefault("padding", weight.shape[2] // 2)
    return F.conv2d(x, weight, state.get(f"{name}.bias"), **options)


def dcgan(config: DCGANConfig, state: State, w: Tensor) -> Tensor:
    x = w[:, :, None, None]
    for layer in range(len(config.channels) + 1):
        weight, bias = (state[f"layer{layer}.{part}"] for part in ("weight", "bias"))
        x = F.conv_transpose2d(x, weight, bias, stride=2 if layer else 1, padding=1 if layer else 0)
        x = x.tanh() if layer == len(config.channels) else x.relu()
    return x


def r3gan(config: R3GANConfig, state: State, w: Tensor) -> Tensor:
    x = state["basis"] * F.linear(w, state["linear.weight"])[:, :, None, None]
    for stage, blocks in enumerate(config.blocks):
        if f"stages.{stage}.transition.weight" in state:
            x = conv(state, f"stages.{stage}.transition", x)
        x = fir(x, 2, (2, 1), 4.0) if stage else x
        for block in range(blocks):
            name = f"stages.{stage}.blocks.{block}"
            y = F.leaky_relu(conv(state, f"{name}.conv1", x), 0.2)
            y = F.leaky_relu(conv(state, f"{name}.conv2", y, groups=config.groups[stage]), 0.2)
            x = x + conv(state, f"{name}.conv3", y)
    return conv(state, "output", x)


def fastgan(config: FastGANConfig, state: State, w: Tensor) -> Tensor:
    z = w * (w.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
    x = F.conv_transpose2d(z[:, :, None, None], state["first.weight"], state["first.bias"])
    features = {4: F.glu(x, dim=1)}
    for size in config.layer_resolutions[1:]:
        x = repeated(features[size // 2])
        for unit in range(2):
            x = F.glu(conv(state, f"block{size}.{unit}.conv", x), dim=1)
        if size in GATES:
            y = conv(state, f"gate{size}.conv1", F.adaptive_avg_pool2d(features[GATES[size]], 4), padding=0)
            x = x * conv(state, f"gate{size}.conv2", F.silu(y)).sigmoid()
        features[size] = x
    return conv(state, "output", x)


def lightweight(config: LightweightConfig, state: State, w: Tensor) -> Tensor:
    x = F.conv_transpose2d(w[:, :, None, None], state["initial.weight"], state["initial.bias"])
    x = F.normalize(F.glu(x, dim=1), dim=1)
    gates: dict[int, Tensor] = {}
    taps = torch.tensor([0.25, 0.5, 0.25])
    for layer in range(len(config.channels)):
        name = f"layers.{layer}"
        if layer in config.attention:
            x = x + attended(state, f"{name}.attention", x)
        x = F.pixel_shuffle(F.silu(conv(state, f"{name}.expand", x)), 2)
        kernel = torch.outer(taps, taps).expand(x.shape[1], 1, 3, 3)
        x = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, groups=x.shape[1])
        x = F.glu(conv(state, f"{name}.conv", F.pad(x, (2, 1, 2, 1)), padding=0), dim=1)
        gate = gates.get(layer)
        for number, (source, target) in enumerate(config.gates):
            if source == layer:
                weights = conv(state, f"gates.{number}.to_k", x).flatten(2).softmax(dim=2)
                y = (x.flatten(2) * weights).sum(dim=2)[:, :, None, None]
                y = F.leaky_relu(conv(state, f"gates.{number}.conv1", y), 0.1)
                gates[target] = conv(state, f"gates.{number}.conv2", y).sigmoid()
        x = x if gate is None else x * gate
    return conv(state, "output", x) * 2 - 1


def attended(state: State, name: str, x: Tensor) -> Tensor:
    variance, mean = torch.var_mean(x, dim=1, correction=0, keepdim=True)
    y = (x - mean) / (variance + 1e-5).sqrt() * state[f"{name}.norm.g"] + state[f"{name}.norm.b"]
    n, channels, height, width = y.shape
    heads = (n, 8, 64, height * width)
    q = conv(state, f"{name}.to_lin_q", y).reshape(heads).softmax(dim=2) / 8
    keys = conv(state, f"{name}.to_lin_kv.1", conv(state, f"{name}.to_lin_kv.0", y, groups=channels))
    k, v = (maps.reshape(heads) for maps in keys.chunk(2, dim=1))
    whole = F.gelu(((k.softmax(dim=3) @ v.transpose(2, 3)).transpose(2, 3) @ q).reshape(n, 512, height, width))
    q = conv(state, f"{name}.to_q", y).reshape(heads)[:, :, :, None] / 8
    keys = conv(state, f"{name}.to_kv", y)
    k, v = (F.unfold(maps, 3, padding=1).reshape(n, 8, 64, 9, -1) for maps in keys.chunk(2, dim=1))
    near = ((q * k).sum(dim=2, keepdim=True).softmax(dim=3) * v).sum(dim=3).reshape(n, 512, height, width)
    return conv(state, f"{name}.to_out", torch.cat([whole, near], dim=1))


def biggan_deep(config: BigGANConfig, state: State, w: Tensor) -> Tensor:
    """At truncation 1, whose statistics are the last row."""
    y = w[:, : config.z_dim + config.embed_dim]

    def norm(x: Tensor, name: str, gain: Tensor, shift: Tensor) -> Tensor:
        x = F.batch_norm(x, state[f"{name}.means"][-1], state[f"{name}.variances"][-1], eps=config.eps)
        return (x * gain[..., None, None] + shift[..., None, None]).relu()

    x = F.linear(y, state["linear.weight"], state["linear.bias"]).view(len(w), -1, 4, 4)
    for kind, number in config.places:
        if kind == "attention":
            query = conv(state, f"attention{number}.theta", x).flatten(2)
            key, value = (F.max_pool2d(conv(state, f"attention{number}.{p}", x), 2).flatten(2) for p in ("phi", "g"))
            weights = torch.bmm(query.transpose(1, 2), key).softmax(dim=2)
            x = x + conv(
                state, f"attention{number}.o", torch.bmm(value, weights.transpose(1, 2)).view(len(x), -1, *x.shape[2:])
            )
            continue
        beside = x[:, : config.widths[number + 1]]
        for k in range(4):
            name = f"block{number}.norms.{k}"
            gain, shift = (F.linear(y, state[f"{name}.{part}.weight"]) for part in ("gain", "shift"))
            x = norm(x, name, 1 + gain, shift)
            x = repeated(x) if k == 1 and config.up[number] else x
            x = conv(state, f"block{number}.convs.{k}", x)
        x = x + (repeated(beside) if config.up[number] else beside)
    x = norm(x, "output_norm", state["output_norm.gain"], state["output_norm.shift"])
    return conv(state, "output", x).tanh()


PLAIN: dict[str, Callable[[Any, State, Tensor], Tensor]] = {
    "DCGAN 64": dcgan,
    "R3GAN 256": r3gan,
    "FastGAN 256": fastgan,
    "lightweight-gan 256": lightweight,
    "BigGAN-deep 256": biggan_deep,
}
