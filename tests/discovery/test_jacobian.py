"""JᵀJ where it is known: linear generators, finite differences, and every architecture's own derivatives."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from ganwalk.directions import shift_latents
from ganwalk.discovery import jacobian
from ganwalk.discovery.spectra import leading_eigenvectors, leading_eigenvectors_of
from ganwalk.discovery.view import View, features, sample_latents
from ganwalk.errors import GanwalkError
from ganwalk.generators.calls import Interface
from ganwalk.generators.external import External, probe
from ganwalk.generators.lucidrains import Lucidrains, LucidrainsConfig
from ganwalk.generators.progan import ProGAN, ProGANConfig
from ganwalk.generators.stylegan1 import StyleGAN1, StyleGAN1Config
from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from ganwalk.generators.stylegan3 import StyleGAN3, published_config
from tests.accelerator import accelerator, moved

IN_Z = View(space="z", layers=None, layer=0, noise="const", truncation_psi=1.0, class_index=None, chunk=4)
IN_W = replace(IN_Z, space="w", layer=5)


def find(generator, view, n, seed=0):
    return jacobian.find_directions(generator, view, n, seed=seed)


def gram_of(generator, view, basis, samples=6, seed=0, together=1):
    return jacobian.image_gram(generator, view, basis, samples=samples, seed=seed, together=together)


def share_of_the_best(found, matrix):
    """What of a symmetric matrix lies in the span of rows (n, d), of the most that n rows can hold."""
    return float((found @ matrix * found).sum() / torch.linalg.eigvalsh(matrix)[-len(found) :].sum())


def sketched(monkeypatch):
    """The way of large spaces, in small ones."""
    monkeypatch.setattr(jacobian, "_EXACT_DIM", 0)


def linear_generator(d, size=8):
    """z → image by a random matrix, which is returned."""
    matrix = torch.randn(3 * size**2, d, generator=torch.Generator().manual_seed(0)) * torch.logspace(0, -d / 20, d)
    return External(
        lambda z: (z @ matrix.T + 1).view(-1, 3, size, size), d, False, (size, size), 3, (-1.0, 1.0)
    ), matrix


def aligned(found, expected, tolerance=1e-4):
    return bool(((found * expected.double()).sum(dim=1).abs() > 1 - tolerance).all())


@pytest.mark.parametrize("d, n", [(7, 7), (7, 3)])
def test_a_linear_generator_has_its_singular_vectors(d, n):
    generator, matrix = linear_generator(d)
    found = find(generator, IN_Z, n)
    assert found.shape == (n, d) and found.dtype == torch.float64
    assert torch.allclose(found @ found.T, torch.eye(n, dtype=torch.float64), atol=1e-10)
    assert aligned(found, torch.linalg.svd(matrix).Vh[:n])
    expected = found @ (matrix.T @ matrix).double() @ found.T
    assert torch.allclose(gram_of(generator, IN_Z, found), expected, rtol=1e-4, atol=1e-3)


def test_a_large_linear_generator_is_sketched():
    generator, matrix = linear_generator(90)
    found = find(generator, IN_Z, 5)
    assert found.shape == (5, 90) and found.dtype == torch.float64
    assert torch.allclose(found @ found.T, torch.eye(5, dtype=torch.float64), atol=1e-10)
    assert share_of_the_best(found, (matrix.T @ matrix).double()) > 0.99
    assert aligned(found, torch.linalg.svd(matrix).Vh[:5], 0.1)


def test_as_many_directions_as_a_large_space_has(monkeypatch):
    sketched(monkeypatch)
    monkeypatch.setattr(jacobian, "SKETCH_SAMPLES", 2)
    monkeypatch.setattr(jacobian, "PROBES", 1)
    generator, _ = linear_generator(40)
    found = find(generator, IN_Z, 40)
    assert torch.allclose(found @ found.T, torch.eye(40, dtype=torch.float64), atol=1e-10)


def test_memory_changes_a_sketch_by_rounding_alone(toy, monkeypatch):
    sketched(monkeypatch)
    whole, parts = (find(toy, replace(IN_W, chunk=chunk), 4) for chunk in (64, 5))
    assert torch.allclose(whole, parts, atol=1e-3)


@pytest.mark.slow
def test_the_sketch_holds_what_the_mean_does(toy, monkeypatch):
    sketched(monkeypatch)
    gram = gram_of(toy, IN_W, torch.eye(12), samples=96, together=12)
    assert share_of_the_best(find(toy, IN_W, 4), gram) > 0.98


@pytest.mark.parametrize("space, layers", [("w", None), ("w", (1, 2)), ("z", None)])
def test_shifts_of_their_own_add_up_to_a_shared_one(toy, space, layers):
    view = replace(IN_W, space=space, layers=layers)
    latents = sample_latents(toy, view, 3, 0)
    ((own,), (shared,)) = (jacobian._Chunk.all_of(toy, view, latents, 0, shared=shared) for shared in (False, True))
    (signs,) = own.random_signs(1)
    assert signs.unique().tolist() == [-1, 1] and abs(float(signs.mean())) < 0.1
    each, total = own.pull_back(signs).flatten(0, -2), shared.pull_back(signs)
    assert each.shape == (3, latents.shape[-1])
    assert torch.allclose(each.sum(dim=0), total, rtol=1e-3, atol=1e-4 * float(total.abs().max()))


def test_inner_products_of_many_values_are_precise():
    generator, matrix = linear_generator(6, size=512)
    basis = torch.eye(6)[:2]
    columns = matrix.double()[:, :2]
    found = gram_of(generator, IN_Z, basis, samples=4, together=2)
    assert torch.allclose(found, columns.T @ columns, rtol=1e-5)


@pytest.mark.parametrize("limit", ["_PASS_VALUES", "_HELD_VALUES"])
def test_memory_is_bounded_with_the_same_result(toy, monkeypatch, limit):
    basis = torch.linalg.qr(torch.randn(12, 5, generator=torch.Generator().manual_seed(0))).Q.T
    expected = gram_of(toy, IN_W, basis)
    values = features(toy, IN_W, sample_latents(toy, IN_W, IN_W.chunk, 0), 0).numel()
    passes = []
    push_forward_together = jacobian._Chunk._push_forward_together

    def counted(chunk, directions):
        passes.append(len(directions))
        return push_forward_together(chunk, directions)

    monkeypatch.setattr(jacobian._Chunk, "_push_forward_together", counted)
    monkeypatch.setattr(jacobian, limit, 3 * values)
    gram = gram_of(toy, IN_W, basis, together=4)
    # Four latents and then two.
    assert passes == ([3, 2, 4, 1] if limit == "_PASS_VALUES" else [4, 1, 4, 1])
    assert torch.allclose(gram, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_another_device(monkeypatch):
    torch.manual_seed(0)
    here = ProGAN(ProGANConfig(resolution=8, block_channels=(8, 6), z_dim=40)).eval().requires_grad_(False)
    copied = copy.deepcopy(here)
    basis = torch.eye(40)[:3]
    expected, gram = find(here, replace(IN_Z, layer=3), 3), gram_of(here, replace(IN_Z, layer=3), basis)
    with accelerator(monkeypatch):
        there = moved(copied)
        assert torch.allclose(find(there, replace(IN_Z, layer=3), 3), expected, atol=1e-3)
        found = gram_of(there, replace(IN_Z, layer=3), basis, together=3)
    assert torch.allclose(found, gram, rtol=1e-3, atol=1e-4 * float(gram.abs().max()))


def test_iterations_agree_with_the_whole_spectrum():
    rng = torch.Generator().manual_seed(1)
    basis = torch.linalg.qr(torch.randn(200, 200, generator=rng, dtype=torch.float64)).Q
    matrix = basis * torch.logspace(0, -12, 200, dtype=torch.float64) @ basis.T
    values, vectors = leading_eigenvectors(matrix, 6)
    products = []

    def product(columns):
        products.append(columns.shape[1])
        return matrix @ columns

    found_values, found = leading_eigenvectors_of(product, 200, 6, iterations=4, seed=0)
    assert products == [16] * 4
    assert torch.allclose(found_values, values, rtol=1e-3) and aligned(found, vectors, 1e-2)
    exact = leading_eigenvectors_of(product, 200, 6, iterations=20, seed=0)
    assert products[4:] == [200] and torch.allclose(exact[1], vectors, atol=1e-10)


@pytest.mark.parametrize("layers, layer", [(None, 5), ((1, 2), 5), ((0, 3), 3)])
def test_mean_products_are_those_of_finite_differences(toy, layers, layer):
    view = replace(IN_W, layers=layers, layer=layer)
    latents = sample_latents(toy, view, 6, 0).double()
    precise, step = toy.double(), 1e-5

    def moved(shift):
        # In the chunks of the view, as noise and labels are drawn for each.
        return features(precise, view, shift_latents(latents, shift, layers), 0).flatten()

    eye = torch.eye(12, dtype=torch.float64)
    columns = [(moved(step * e) - moved(-step * e)) / (2 * step) for e in eye]
    jacobian_matrix = torch.stack(columns, dim=1)
    expected = jacobian_matrix.T @ jacobian_matrix / 6
    gram = gram_of(toy.float(), view, eye)
    assert torch.allclose(gram, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    some = torch.randn(3, 12, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(gram_of(toy, view, some), some.double() @ gram @ some.double().T, rtol=1e-3, atol=1e-2)


@pytest.mark.slow
def test_directions_are_the_eigenvectors_of_the_mean(toy):
    gram = gram_of(toy, IN_W, torch.eye(12), samples=jacobian.DEFAULT_SAMPLES)
    assert torch.allclose(find(toy, IN_W, 4), leading_eigenvectors(gram, 4)[1], atol=1e-5)


class Square(torch.autograd.Function):
    """An operation without forward mode, whose backward can be differentiated."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient * ctx.saved_tensors[0]


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.ConvTranspose2d(6, 8, 4), nn.BatchNorm2d(8)
        self.last = nn.ConvTranspose2d(8, 3, 4, 2, 1)

    def forward(self, z):
        return torch.tanh(self.last(torch.relu(self.norm(self.first(z)))))


class WithoutForwardMode(Convolutional):
    def forward(self, z):
        return torch.tanh(Square.apply(super().forward(z)))


def external(network):
    return probe(network.eval(), Interface(6, (-1.0, 1.0)), "cpu", "network")


NETWORKS = {
    "skip": lambda: StyleGAN2(StyleGAN2Config(img_resolution=32, z_dim=6, w_dim=6, channel_base=8192, channel_max=256)),
    "resnet": lambda: StyleGAN2(StyleGAN2Config(16, z_dim=6, w_dim=6, channel_base=256, architecture="resnet")),
    "clamped": lambda: StyleGAN2(StyleGAN2Config(16, z_dim=6, w_dim=6, channel_base=256, conv_clamp=2.0)),
    "stylegan1": lambda: StyleGAN1(StyleGAN1Config(8, block_channels=(8, 6), z_dim=6, w_dim=6)),
    "stylegan3": lambda: StyleGAN3(
        published_config(16, z_dim=6, w_dim=6, channel_base=128, channel_max=8, layers=4, margin=3)
    ),
    "radial": lambda: StyleGAN3(
        published_config(16, z_dim=6, w_dim=6, channel_base=128, channel_max=8, layers=4, margin=3, radial=True)
    ),
    "progan": lambda: ProGAN(ProGANConfig(resolution=8, block_channels=(8, 6), z_dim=6)),
    "lucidrains": lambda: Lucidrains(LucidrainsConfig(channels=(8, 6), latent_dim=6, attn_layers=(1,), no_const=True)),
    "module": lambda: external(Convolutional()),
    "scripted": lambda: external(torch.jit.script(Convolutional().eval())),
    "without forward mode": lambda: external(WithoutForwardMode()),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_products_of_every_architecture(name, monkeypatch):
    """JᵀJ by the products against J by plain backward passes, one value of the features at a time."""
    torch.manual_seed(0)
    generator = NETWORKS[name]().eval().requires_grad_(False)
    for key, tensor in generator.named_parameters():
        if key.endswith(("bias", "noise_strength", "const")) or "input.affine" in key:
            tensor.data += 0.3 * torch.randn_like(tensor)
    view = replace(IN_W if generator.style_based else IN_Z, layer=generator.num_layers - 1)
    latents = sample_latents(generator, view, 2, 0)
    pixels = torch.randperm(3 * generator.resolution**2, generator=torch.Generator().manual_seed(0))[:40]

    def image(shift):
        return features(generator, view, shift_latents(latents, shift, None), 0).flatten()

    (chunk,) = jacobian._Chunk.all_of(generator, view, latents, 0)
    directions = torch.eye(6)
    pushed = torch.stack([chunk.push_forward(row).flatten() for row in directions])
    shift = torch.zeros(6, requires_grad=True)
    values = image(shift)
    rows = torch.stack([torch.autograd.grad(values[i], shift, retain_graph=True)[0] for i in pixels])
    largest = rows.abs().max()
    assert largest > 0 and (pushed[:, pixels] - rows.T).abs().max() < 1e-3 * largest
    by_reverse = chunk._push_forward_by_reverse(directions[2]).flatten()
    assert torch.allclose(by_reverse, pushed[2], rtol=1e-3, atol=1e-4 * float(largest))
    alone = []
    push_forward = jacobian._Chunk.push_forward

    def counted(chunk, direction):
        alone.append(direction)
        return push_forward(chunk, direction)

    monkeypatch.setattr(jacobian._Chunk, "push_forward", counted)
    for together in (1, 4):
        alone.clear()
        gram = gram_of(generator, view, directions, samples=2, together=together)
        assert torch.allclose(gram, (pushed @ pushed.T).double() / 2, rtol=1e-2, atol=1e-3 * float(gram.abs().max()))
        assert len(alone) == (6 if together == 1 or name == "without forward mode" else 0)


def test_conditional_generator():
    torch.manual_seed(0)
    generator = ProGAN(ProGANConfig(resolution=8, block_channels=(8, 6), z_dim=6, c_dim=3)).eval().requires_grad_(False)
    view = replace(IN_Z, layer=3)
    drawn, first = (find(generator, replace(view, class_index=label), 3) for label in (None, 0))
    assert drawn.shape == (3, 6) and not torch.allclose(drawn, first, atol=1e-3)


@pytest.mark.slow
def test_the_seed_fixes_the_result_and_chunks_do_not_matter(toy):
    first, again, other = (find(toy, IN_W, 3, seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.allclose(first, other, atol=1e-6)
    with torch.no_grad():
        assert torch.allclose(find(toy, replace(IN_W, chunk=7), 3, 1), first, atol=1e-4)


def test_what_it_cannot_serve(toy):
    with pytest.raises(GanwalkError, match="use 1 to 12"):
        find(toy, IN_W, 13)
    with pytest.raises(GanwalkError, match="do not depend on the latents"):
        find(toy, replace(IN_W, layers=(4, 5), layer=2), 3)
