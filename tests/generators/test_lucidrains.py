"""lucidrains' StyleGAN2: files in its structure, held against a plain per-sample implementation of its formulas."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from ganwalk.errors import GanwalkError
from ganwalk.generators.base import mean_style, sample_z
from ganwalk.generators.checkpoints import read_checkpoint
from ganwalk.generators.checkpoints.native import write_native
from ganwalk.generators.loading import describe, load_generator
from ganwalk.generators.lucidrains import Lucidrains, LucidrainsConfig
from tests.generators.protocol import lacking

VARIANTS = {
    "plain": {},
    "transparent": {"rgb": 4},
    "attention": {"attended": (1, 2)},
    "no constant": {"no_const": True},
    "no blur": {"blur": False},
    "everything": {"rgb": 4, "attended": (0, 2), "no_const": True, "depth": 3, "latent": 5},
}
CHANNELS = (8, 6, 4)


def averaged_state(*, latent=6, depth=2, rgb=3, attended=(), no_const=False, blur=True, channels=CHANNELS, seed=0):
    """Random tensors under the names of the averaged networks in a file: GE and SE."""
    rng = torch.Generator().manual_seed(seed)
    state = {}

    def add(name, *shape, mean=0.0):
        state[name] = torch.randn(*shape, generator=rng) * 0.4 + mean

    for layer in range(depth):
        add(f"SE.net.{2 * layer}.weight", latent, latent)
        state[f"SE.net.{2 * layer}.weight"] *= 12
        add(f"SE.net.{2 * layer}.bias", latent)
    if no_const:
        add("GE.to_initial_block.weight", latent, channels[0], 4, 4)
    else:
        add("GE.initial_block", 1, channels[0], 4, 4)
    add("GE.initial_conv.weight", channels[0], channels[0], 3, 3)
    add("GE.initial_conv.bias", channels[0])
    for index, (below, here) in enumerate(zip((channels[0], *channels), channels, strict=False)):
        block = f"GE.blocks.{index}"
        for k, width in ((1, below), (2, here)):
            add(f"{block}.to_style{k}.weight", width, latent)
            add(f"{block}.to_style{k}.bias", width)
            add(f"{block}.to_noise{k}.weight", here, 1)
            add(f"{block}.to_noise{k}.bias", here)
            add(f"{block}.conv{k}.weight", here, width, 3, 3)
        add(f"{block}.to_rgb.to_style.weight", here, latent)
        add(f"{block}.to_rgb.to_style.bias", here)
        add(f"{block}.to_rgb.conv.weight", rgb, here, 1, 1)
        if blur and index < len(channels) - 1:
            state[f"{block}.to_rgb.upsample.1.f"] = torch.tensor([1.0, 2.0, 1.0])
        if index in attended:
            attention, feedforward = (f"GE.attns.{index}.{k}.fn" for k in (0, 1))
            for part in (attention, feedforward):
                add(f"{part}.norm.g", 1, below, 1, 1, mean=1.0)
                add(f"{part}.norm.b", 1, below, 1, 1)
            add(f"{attention}.fn.to_q.weight", 512, below, 1, 1)
            add(f"{attention}.fn.to_kv.net.0.weight", below, 1, 3, 3)
            add(f"{attention}.fn.to_kv.net.1.weight", 1024, below, 1, 1)
            add(f"{attention}.fn.to_out.weight", below, 512, 1, 1)
            add(f"{attention}.fn.to_out.bias", below)
            for k, (into, out) in ((0, (below, 2 * below)), (2, (2 * below, below))):
                add(f"{feedforward}.fn.{k}.weight", out, into, 1, 1)
                add(f"{feedforward}.fn.{k}.bias", out)
    return state


def save(state, path, *, legacy=False, prefix=""):
    """A file as their trainer writes it: the averaged networks beside the training copies and the discriminator."""
    whole = {}
    for name, tensor in state.items():
        whole[name] = tensor
        # The training copies differ: whoever reads them instead gets another picture.
        whole[name[0] + name[2:]] = tensor + 1
    whole["D.blocks.0.conv_res.weight"] = whole["D_aug.D.blocks.0.conv_res.weight"] = torch.ones(4, 3, 1, 1)
    whole = {prefix + name: tensor for name, tensor in whole.items()}
    torch.save({"GAN": whole, "version": "1.9.0"}, path, _use_new_zipfile_serialization=not legacy)
    return path


def plain_mapping(state, z):
    x = z / z.norm(dim=1, keepdim=True)
    for layer in range(sum(name.endswith(".weight") for name in state if name.startswith("SE."))):
        weight, bias = (state[f"SE.net.{2 * layer}.{part}"] * 0.1 for part in ("weight", "bias"))
        x = F.leaky_relu(x @ weight.T + bias, 0.2)
    return x


def plain_synthesis(state, styles, noise):
    """Images in [0, 1] of styles (n, blocks, d) and noise (n, size, size): one grouped convolution per layer."""
    if "GE.initial_block" in state:
        x = state["GE.initial_block"].repeat(len(styles), 1, 1, 1)
    else:
        x = torch.einsum("nd,dcij->ncij", styles.mean(dim=1), state["GE.to_initial_block.weight"])
    x = F.conv2d(x, state["GE.initial_conv.weight"], state["GE.initial_conv.bias"], padding=1)
    rgb = None
    for index in range(styles.shape[1]):
        block = f"GE.blocks.{index}."
        if f"GE.attns.{index}.0.fn.norm.g" in state:
            x = plain_attention(state, f"GE.attns.{index}.", x)
        if index > 0:
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        for k in (1, 2):
            style = F.linear(styles[:, index], state[f"{block}to_style{k}.weight"], state[f"{block}to_style{k}.bias"])
            x = plain_convolution(x, state[f"{block}conv{k}.weight"], style, demodulate=True)
            strength, offset = (state[f"{block}to_noise{k}.{part}"].flatten() for part in ("weight", "bias"))
            size = x.shape[2]
            transposed = noise[:, :size, :size].transpose(1, 2)[:, None]
            x = F.leaky_relu(x + transposed * strength[:, None, None] + offset[:, None, None], 0.2)
        style = F.linear(
            styles[:, index], state[f"{block}to_rgb.to_style.weight"], state[f"{block}to_rgb.to_style.bias"]
        )
        here = plain_convolution(x, state[f"{block}to_rgb.conv.weight"], style, demodulate=False)
        rgb = here if rgb is None else rgb + here
        if index < styles.shape[1] - 1:
            rgb = F.interpolate(rgb, scale_factor=2, mode="bilinear", align_corners=False)
            if f"{block}to_rgb.upsample.1.f" in state:
                rgb = plain_blur(rgb)
    return rgb


def plain_convolution(x, weight, style, demodulate):
    n, _, height, width = x.shape
    weights = weight * (style + 1)[:, None, :, None, None]
    if demodulate:
        weights = weights / (weights.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).sqrt()
    x = F.conv2d(x.reshape(1, -1, height, width), weights.flatten(0, 1), padding=weight.shape[2] // 2, groups=n)
    return x.reshape(n, -1, height, width)


def plain_blur(x):
    mirrored = F.pad(x, (1, 1, 1, 1), mode="reflect")
    size = x.shape[2]
    out = torch.zeros_like(x)
    for i, a in enumerate((0.25, 0.5, 0.25)):
        for j, b in enumerate((0.25, 0.5, 0.25)):
            out += a * b * mirrored[:, :, i : i + size, j : j + size]
    return out


def plain_attention(state, prefix, x):
    def norm(x, part):
        centred = x - x.mean(dim=1, keepdim=True)
        centred = centred / (centred.square().mean(dim=1, keepdim=True) + 1e-5).sqrt()
        return centred * state[f"{prefix}{part}.fn.norm.g"] + state[f"{prefix}{part}.fn.norm.b"]

    def pointwise(x, name):
        return F.conv2d(x, state[f"{prefix}{name}.weight"], state.get(f"{prefix}{name}.bias"))

    y = norm(x, 0)
    channels = y.shape[1]
    grown = F.conv2d(y, state[f"{prefix}0.fn.fn.to_kv.net.0.weight"], padding=1, groups=channels)
    queries, both = pointwise(y, "0.fn.fn.to_q"), pointwise(grown, "0.fn.fn.to_kv.net.1")
    heads = []
    for head in range(8):
        own = slice(64 * head, 64 * head + 64)
        q, k, v = (t[:, own].flatten(2) for t in (queries, both[:, :512], both[:, 512:]))
        # Weights of every pixel for every pixel, which linear attention never writes down.
        weights = torch.einsum("ndp,ndq->npq", q.softmax(dim=1) / 8, k.softmax(dim=2))
        heads.append(torch.einsum("npq,ndq->ndp", weights, v))
    attended = torch.cat(heads, dim=1).view_as(queries)
    attended = attended * (1 + torch.erf(attended / math.sqrt(2))) / 2
    x = x + pointwise(attended, "0.fn.fn.to_out")
    hidden = F.leaky_relu(pointwise(norm(x, 1), "1.fn.fn.0"), 0.2)
    return x + pointwise(hidden, "1.fn.fn.2")


def close(ours, expected):
    return (ours - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", VARIANTS)
def test_files_compute_what_the_formulas_say(tmp_path, name, legacy):
    state = averaged_state(**VARIANTS[name])
    generator = load_generator(save(state, tmp_path / "model_7.pt", legacy=legacy))
    z = sample_z(generator, 3, seed=1)
    w = plain_mapping(state, z)
    assert close(generator.mapping(z), w[:, None].expand(-1, 3, -1))
    mixed = torch.stack([w, w.flip(0), -w], dim=1)
    const, half = generator.synthesis.noise_const, torch.full((1, 16, 16), 0.5)
    assert const.shape == half.shape and const.min() >= 0 and const.max() < 1
    for noise, image in (("const", const), ("none", half)):
        expected = plain_synthesis(state, mixed, image.expand(3, -1, -1)) * 2 - 1
        assert close(generator.synthesis(mixed, noise=noise), expected)
    drawn = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(4))
    assert close(generator.synthesis(mixed, noise="random", seed=4), plain_synthesis(state, mixed, drawn) * 2 - 1)


def test_what_the_shapes_say(tmp_path):
    path = save(averaged_state(**VARIANTS["everything"]), tmp_path / "model_7.pt")
    checkpoint = read_checkpoint(path)
    assert (checkpoint.format, checkpoint.architecture) == ("lucidrains", "lucidrains")
    assert checkpoint.config == LucidrainsConfig(CHANNELS, 5, 3, 0.1, True, (1, 3), no_const=True)
    facts = describe(path)
    assert facts["architecture"] == "lucidrains stylegan2 (transparent, attention)"
    assert (facts["resolution"], facts["img_channels"], facts["z_dim"], facts["layers"]) == (16, 4, 5, 3)


def test_the_protocol(tmp_path):
    generator = load_generator(save(averaged_state(), tmp_path / "model_7.pt"))
    assert not lacking(generator, loaded=True) and generator.layer_resolutions == (4, 8, 16)
    z = sample_z(generator, 2, seed=0)
    w = generator.mapping(z).clone().requires_grad_()
    for layer in range(2):
        features = generator.synthesis(w, until=layer)
        assert features.shape == (2, CHANNELS[layer], 4 * 2**layer, 4 * 2**layer)
        (gradient,) = torch.autograd.grad(features.square().sum(), w)
        moved = gradient[0].abs().sum(dim=1) > 0
        assert moved[: layer + 1].all() and not moved[layer + 1 :].any()
    assert torch.equal(generator.synthesis(w, until=2), generator.synthesis(w))
    assert torch.equal(generator(z), generator.synthesis(w[:, 0]))
    with pytest.raises(GanwalkError, match="layers 0 to 2"):
        generator.synthesis(w, until=3)
    with pytest.raises(GanwalkError, match=r"expected \(n, 6\)"):
        generator.mapping(torch.zeros(2, 5))


def test_the_gradient_agrees_with_finite_differences():
    torch.manual_seed(0)
    generator = Lucidrains(LucidrainsConfig((3, 2), latent_dim=4, style_depth=1, attn_layers=(1,))).double()
    w = torch.randn(1, 2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w: generator.synthesis(w), w, atol=1e-6, fast_mode=True)


def test_random_noise_follows_its_seed(tmp_path):
    generator = load_generator(save(averaged_state(), tmp_path / "model_7.pt"))
    w = generator.mapping(sample_z(generator, 1, seed=0)).expand(2, -1, -1)
    first, again, other = (generator.synthesis(w, noise="random", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.allclose(first, other)
    assert not torch.allclose(first[0], first[1])
    assert torch.allclose(*generator.synthesis(w), atol=1e-5)


def test_the_centre_of_truncation_is_the_mean_style(tmp_path):
    state = averaged_state()
    generator = load_generator(save(state, tmp_path / "model_7.pt"))
    styles = plain_mapping(state, torch.randn(200_000, 6, generator=torch.Generator().manual_seed(99)))
    error = (generator.w_avg - styles.mean(dim=0)).abs()
    assert (error <= 5 * styles.std(dim=0) / math.sqrt(10_000)).all()
    assert torch.equal(generator.w_avg, mean_style(generator))
    z = sample_z(generator, 2, seed=0)
    expected = generator.w_avg + 0.5 * (generator.mapping(z) - generator.w_avg)
    assert torch.allclose(generator.mapping(z, truncation_psi=0.5), expected, atol=1e-6)


def test_other_wrappings_of_the_same_file(tmp_path):
    state = averaged_state()
    expected = load_generator(save(state, tmp_path / "model_7.pt"))
    z = sample_z(expected, 1, seed=0)
    assert torch.equal(load_generator(save(state, tmp_path / "ddp.pt", prefix="module."))(z), expected(z))
    torch.save(state, tmp_path / "flat.pt")
    assert torch.equal(load_generator(tmp_path / "flat.pt")(z), expected(z))


@pytest.mark.parametrize("name", ["plain", "everything", "no blur"])
def test_our_own_format_keeps_every_picture(tmp_path, name):
    checkpoint = read_checkpoint(save(averaged_state(**VARIANTS[name]), tmp_path / "model_7.pt"))
    write_native(checkpoint.config, checkpoint.tensors, tmp_path / "g.safetensors", source="model_7.pt")
    before, after = load_generator(tmp_path / "model_7.pt"), load_generator(tmp_path / "g.safetensors")
    assert before.config == after.config
    for key, tensor in before.state_dict().items():
        assert torch.equal(after.state_dict()[key], tensor)
    # Not bit for bit: the last bits of a convolution depend on where its tensors lie in memory.
    assert close(after(sample_z(before, 1, seed=0)), before(sample_z(before, 1, seed=0)))


def renamed(state, old, new):
    return {name.replace(old, new): tensor for name, tensor in state.items()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("GE.initial_conv.weight"), "before 0.20"),
        (lambda s: s.pop("GE.initial_conv.bias"), r"lacks the tensor synthesis\.initial_conv\.bias"),
        (lambda s: s.pop("GE.blocks.1.conv2.weight"), r"GE\.blocks\.1\.conv2\.weight is missing"),
        (lambda s: s.pop("GE.blocks.1.to_noise2.bias"), r"lacks the tensor synthesis\.blocks\.1\.to_noise2\.bias"),
        (lambda s: s.update({"GE.blocks.0.conv1.bias": torch.ones(8)}), "no place for"),
        (lambda s: s.update({"GE.blocks.9.conv2.weight": torch.ones(2, 2, 3, 3)}), r"GE\.blocks\.3\.conv2\.weight"),
        (lambda s: s.update({"SE.net.2.weight": torch.ones(6, 5)}), "do not fit one another"),
        (lambda s: s.update({"SE.net.0.weight": torch.ones(6)}), "has not 2 dimensions"),
        (lambda s: s["SE.net.2.bias"].fill_(torch.nan), r"mapping\.layers\.1\.bias holds values that are not finite"),
        (lambda s: s.update({"GE.blocks.0.to_rgb.upsample.1.f": torch.ones(3)}), "is not 1 2 1"),
        (lambda s: s.update({"GE.attns.1.0.fn.g": torch.ones(1)}), "before 1.8.5"),
        (lambda s: s.update({"GE.attns.9.0.fn.norm.g": torch.ones(1)}), "attn_layers must be blocks 1 to 3"),
        (lambda s: s.update({"GE.initial_block": 3}), "no tensor"),
        (lambda s: [s.pop(name) for name in list(s) if name.startswith("SE.")], "no generator that is known"),
    ],
)
def test_files_that_do_not_fit_are_named(tmp_path, change, message):
    state = averaged_state()
    change(state)
    torch.save({"GAN": state}, tmp_path / "model_7.pt")
    with pytest.raises(GanwalkError, match=message) as caught:
        load_generator(tmp_path / "model_7.pt")
    assert "\n" not in str(caught.value) and "model_7.pt" in str(caught.value)


@pytest.mark.parametrize("legacy", [False, True])
def test_truncated_files_are_refused(tmp_path, legacy):
    path = save(averaged_state(), tmp_path / "model_7.pt", legacy=legacy)
    whole = path.read_bytes()
    for cut in (10, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:cut])
        with pytest.raises(GanwalkError, match="not a checkpoint that can be read"):
            load_generator(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": ()}, "1 to 11 blocks"),
        ({"channels": (4,) * 12}, "1 to 11 blocks"),
        ({"channels": (4, 0)}, "positive"),
        ({"latent_dim": 10**9}, "beyond anything"),
        ({"style_depth": 65}, "beyond anything"),
        ({"lr_mlp": 0.0}, "learning rate"),
        ({"attn_layers": (4,)}, "blocks 1 to 3"),
        ({"transparent": 1}, "must be bool"),
    ],
)
def test_impossible_configurations_are_refused(change, message):
    with pytest.raises(GanwalkError, match=message):
        replace(LucidrainsConfig(CHANNELS), **change)


@pytest.mark.parametrize(("products", "samples"), [(10**9, 10_000), (9000, 100), (1, 1)])
def test_the_mean_style_of_a_large_mapping_is_of_fewer_samples(tmp_path, monkeypatch, products, samples):
    # Two layers of 6×6 weights with biases.
    monkeypatch.setattr("ganwalk.generators.checkpoints.mean_style._MAX_PRODUCTS", products)
    save(averaged_state(), tmp_path / "model.pt")
    generator = load_generator(tmp_path / "model.pt")
    assert torch.allclose(generator.w_avg, mean_style(generator, samples), atol=1e-5)
