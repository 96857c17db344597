"""lightweight-gan: parity with the official outputs, and with a plain implementation up to 1024 px; what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ganwalk.errors import GanwalkError
from ganwalk.generators.checkpoints import read_checkpoint
from ganwalk.generators.lightweight import LightweightConfig
from ganwalk.generators.loading import load_generator

GOLDEN = Path(__file__).parents[1] / "golden"
# Names of the maps that golden files recorded, layer by layer.
RECORDED = {
    "lightweight_gan_64_attn": ["initial_conv", "layers.0.0", "layers.1.0", "layers.2.0"],
    "lightweight_gan_256_sle": ["initial_conv", "layers.0.0", "layers.1.0", "layers.2.0", "layers.3.0"],
}


def close(ours, official):
    assert np.abs(ours.detach().numpy() - official).max() <= 1e-4 * np.abs(official).max()


@pytest.mark.parametrize("name", RECORDED)
def test_parity(name):
    generator = load_generator(GOLDEN / f"{name}.pt")
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as golden:
        w = generator.mapping(torch.from_numpy(golden["input/z"]))
        images = (generator.synthesis(w, noise="none") + 1) / 2
        if "output/img" in golden:
            close(images, golden["output/img"])
        else:
            close(images[..., ::4, ::4], golden["output/img_every4"])
        for layer, recorded in enumerate(RECORDED[name]):
            found = generator.synthesis(w, until=layer, noise="none")[:1, :2]
            # What was recorded at first is not yet normalised.
            expected = torch.from_numpy(golden[f"debug/{recorded}"])
            if layer > 0:
                close(found, expected.numpy())
            else:
                assert F.cosine_similarity(found, expected).min() > 1 - 1e-5
        for sample in range(len(w)):
            for index, part in enumerate(generator.layers):
                part.noise_const.copy_(torch.from_numpy(golden[f"input/noise_{index}_times8"][sample, 0]) / 8)
            image = (generator.synthesis(w[sample : sample + 1]) + 1) / 2
            close(image[..., ::4, ::4], golden["output/img_noise_given"][sample : sample + 1])


def averaged_state(layers, *, latent=5, channels=2, attended=(), frequencies=False, colours=3):
    """Random tensors under the names of the averaged generator, without the prefix GE."""
    rng = torch.Generator().manual_seed(0)
    state = {}

    def add(name, *shape, scale=0.5, mean=0.0):
        state[name] = torch.randn(*shape, generator=rng) * scale + mean

    def convolution(name, *shape, outputs=0, bias=True):
        add(f"{name}.weight", *shape, scale=torch.Size(shape[1:]).numel() ** -0.5)
        if bias:
            add(f"{name}.bias", shape[outputs], scale=0.2)

    def norm(name, width):
        add(f"{name}.weight", width, scale=0.2, mean=1.0)
        add(f"{name}.bias", width, scale=0.2)
        add(f"{name}.running_mean", width, scale=0.2)
        state[f"{name}.running_var"] = torch.rand(width, generator=rng) + 0.5
        state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    convolution("initial_conv.0", latent, 2 * latent, 4, 4, outputs=1)
    norm("initial_conv.1", 2 * latent)
    for layer in range(layers):
        below, base = latent if layer == 0 else channels, f"layers.{layer}"
        convolution(f"{base}.0.0.net.0", 4 * below, below, 1, 1)
        state[f"{base}.0.1.f"] = torch.tensor([1.0, 2.0, 1.0])
        convolution(f"{base}.0.2.1", 2 * channels, below, 4, 4)
        add(f"{base}.0.3.weight", 1)
        norm(f"{base}.0.4", 2 * channels)
        if layer in attended:
            add(f"{base}.2.norm.g", 1, below, 1, 1, mean=1.0)
            add(f"{base}.2.norm.b", 1, below, 1, 1)
            for name, width in (("to_lin_q", 512), ("to_q", 512), ("to_kv", 1024), ("to_lin_kv.net.1", 1024)):
                convolution(f"{base}.2.fn.{name}", width, below, 1, 1, bias=False)
            convolution(f"{base}.2.fn.to_lin_kv.net.0", below, 1, 3, 3, bias=False)
            convolution(f"{base}.2.fn.to_out", below, 1024, 1, 1)
        if 1 <= layer <= 4 and layer + 3 < layers:
            if frequencies:
                add(f"{base}.1.dct_weights", 1, channels, 2 ** (layer + 3), 2 ** (layer + 3), scale=0.1)
            else:
                convolution(f"{base}.1.to_k", 1, channels, 1, 1)
            convolution(f"{base}.1.net.0", 3, channels, 1, 1)
            convolution(f"{base}.1.net.2", channels, 3, 1, 1)
    convolution("out_conv", colours, channels, 3, 3)
    return state


def plain(state, z, noises):
    """Images in [0, 1] of codes by the published formulas, with a map of noise for every layer."""

    def norm(x, name):
        return F.batch_norm(x, *(state[f"{name}.{p}"] for p in ("running_mean", "running_var", "weight", "bias")))

    def conv(x, name, **options):
        return F.conv2d(x, state[f"{name}.weight"], state.get(f"{name}.bias"), **options)

    x = F.conv_transpose2d(z[:, :, None, None], state["initial_conv.0.weight"], state["initial_conv.0.bias"])
    x = F.glu(norm(x, "initial_conv.1"), dim=1)
    x = x / x.square().sum(dim=1, keepdim=True).sqrt()
    waiting = {}
    blur = torch.outer(torch.tensor([1.0, 2.0, 1.0]), torch.tensor([1.0, 2.0, 1.0])) / 16
    for layer, noise in enumerate(noises):
        base = f"layers.{layer}"
        if f"{base}.2.norm.g" in state:
            x = x + plain_attention(state, f"{base}.2.", x)
        y = conv(x, f"{base}.0.0.net.0")
        x = F.pixel_shuffle(y * y.sigmoid(), 2)
        kernel = blur.expand(x.shape[1], 1, 3, 3)
        x = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, groups=x.shape[1])
        x = conv(F.pad(x, (2, 1, 2, 1)), f"{base}.0.2.1") + state[f"{base}.0.3.weight"] * noise
        x = F.glu(norm(x, f"{base}.0.4"), dim=1)
        gate = waiting.get(layer)
        if f"{base}.1.net.0.weight" in state:
            if f"{base}.1.dct_weights" in state:
                y = (x * state[f"{base}.1.dct_weights"]).sum(dim=(2, 3), keepdim=True)
            else:
                weights = conv(x, f"{base}.1.to_k").flatten(2).softmax(dim=2)
                y = (x.flatten(2) * weights).sum(dim=2)[:, :, None, None]
            y = F.leaky_relu(conv(y, f"{base}.1.net.0"), 0.1)
            waiting[layer + 3] = conv(y, f"{base}.1.net.2").sigmoid()
        x = x if gate is None else x * gate
    return conv(x, "out_conv", padding=1)


def plain_attention(state, prefix, x):
    def conv(y, name, **options):
        return F.conv2d(y, state[f"{prefix}fn.{name}.weight"], state.get(f"{prefix}fn.{name}.bias"), **options)

    mean, variance = x.mean(dim=1, keepdim=True), x.var(dim=1, keepdim=True, correction=0)
    y = (x - mean) / (variance + 1e-5).sqrt() * state[f"{prefix}norm.g"] + state[f"{prefix}norm.b"]
    n, width, height, _ = y.shape
    heads = (n, 8, 64, height**2)
    q = conv(y, "to_lin_q").reshape(heads).softmax(dim=2) / 8
    key, value = conv(conv(y, "to_lin_kv.net.0", padding=1, groups=width), "to_lin_kv.net.1").chunk(2, dim=1)
    context = torch.einsum("nhdp,nhep->nhde", key.reshape(heads).softmax(dim=3), value.reshape(heads))
    whole = F.gelu(torch.einsum("nhdp,nhde->nhep", q, context).reshape(n, 512, height, height))
    q = conv(y, "to_q").reshape(heads) / 8
    key, value = (F.unfold(t, 3, padding=1).reshape(n, 8, 64, 9, -1) for t in conv(y, "to_kv").chunk(2, dim=1))
    weights = torch.einsum("nhdp,nhdkp->nhkp", q, key).softmax(dim=2)
    near = torch.einsum("nhkp,nhdkp->nhdp", weights, value).reshape(n, 512, height, height)
    return conv(torch.cat([whole, near], dim=1), "to_out")


def save(state, path, **others):
    """A file as their trainer writes it; the training copy differs."""
    whole = {f"GE.{name}": tensor for name, tensor in state.items()}
    whole |= {f"G.{name}": tensor + 1 for name, tensor in state.items()} | {"D.x": torch.ones(1)}
    torch.save({"GAN": whole, "version": "1.1.1", **others}, path)
    return path


@pytest.mark.parametrize(
    "options",
    [
        {"layers": 1},
        {"layers": 3, "attended": (0, 2), "colours": 4},
        {"layers": 5, "frequencies": True, "colours": 1},
        pytest.param({"layers": 8, "attended": (1,)}, marks=pytest.mark.slow),
    ],
)
def test_files_of_every_size(tmp_path, options):
    state = averaged_state(**options)
    generator = load_generator(save(state, tmp_path / "model_7.pt"))
    assert generator.resolution == 4 * 2 ** options["layers"]
    z = torch.randn(1, 5, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        close((generator(z) + 1) / 2, plain(state, z, [part.noise_const for part in generator.layers]).numpy())


def without(*endings):
    return lambda state: {name: tensor for name, tensor in state.items() if not name.endswith(endings)}


REFUSED = {
    "an unknown part": (lambda state: state | {"layers.0.7.weight": torch.ones(1)}, "holds layers.0.7.weight"),
    "another blur": (lambda state: state | {"layers.0.0.1.f": torch.ones(3)}, "layers.0.0.1.f is not 1 2 1"),
    "no expansion": (without("0.0.net.0.weight"), "lacks the tensor layers.0.expand.weight"),
    "no statistics": (without("running_var"), "no running statistics"),
    "no bias": (without("0.2.1.bias"), "does not fit together"),
    "a missing gate": (without("layers.1.1.net.0.weight"), "of 128 px has 1 gates"),
    "no tensor": (lambda state: state | {"out_conv.bias": "text"}, "no tensor"),
    "a convolution of another width": (
        lambda state: state | {"layers.1.0.2.1.weight": torch.ones(4, 9, 4, 4)},
        "shape",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_by_name(tmp_path, name):
    change, message = REFUSED[name]
    state = change(averaged_state(5))
    whole = {f"GE.{key}": tensor for key, tensor in state.items()}
    torch.save({"GAN": whole}, tmp_path / "g.pt")
    with pytest.raises(GanwalkError, match=message):
        load_generator(tmp_path / "g.pt")


def test_the_two_of_lucidrains_are_told_apart():
    assert read_checkpoint(GOLDEN / "lightweight_gan_64_attn.pt").format == "lightweight-gan"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": ()}, "1 to 9 layers"),
        ({"channels": (2,) * 5}, "has 1 gates"),
        ({"attention": (4,)}, "must precede layers 0 to 1"),
        ({"latent_dim": 0}, "must be positive"),
    ],
)
def test_configurations_that_do_not_fit(change, message):
    with pytest.raises(GanwalkError, match=message):
        replace(LightweightConfig((2, 2)), **change)
