"""SeFa against singular vectors of the weights, taken from each architecture by the names of its parameters."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ganwalk.discovery import sefa
from ganwalk.discovery.view import View
from ganwalk.errors import GanwalkError
from ganwalk.generators.loading import load_generator
from ganwalk.generators.lucidrains import Lucidrains, LucidrainsConfig
from ganwalk.generators.progan import ProGAN, ProGANConfig
from ganwalk.generators.stylegan3 import StyleGAN3, published_config

GOLDEN = Path(__file__).parents[1] / "golden"
VIEW = View(space="w", layers=None, layer=0, noise="const", truncation_psi=1.0, class_index=None, chunk=16)
IN_Z = View(space="z", layers=None, layer=0, noise="const", truncation_psi=1.0, class_index=None, chunk=16)


def view(*layers):
    return View(space="w", layers=layers, layer=0, noise="const", truncation_psi=1.0, class_index=None, chunk=16)


def singular_vectors(matrices):
    """Right singular vectors of the stacked matrices, their rows scaled to unit length."""
    stacked = np.concatenate([np.asarray(matrix, dtype=np.float64) for matrix in matrices])
    return np.linalg.svd(stacked / np.linalg.norm(stacked, axis=1, keepdims=True))[2]


def same_up_to_sign(found, expected, tolerance=1e-5):
    assert np.allclose(np.abs((found.numpy() * expected[: len(found)]).sum(axis=1)), 1, atol=tolerance)


def find(generator, view, n):
    return sefa.find_directions(generator, view, n, seed=0)


AFFINES = ["b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1", "b16.torgb"]


@pytest.mark.parametrize("first, last", [(0, 5), (0, 0), (1, 3), (4, 5), (5, 5)])
def test_stylegan2_by_layer_ranges(toy, first, last):
    state = toy.state_dict()
    affines = [state[f"synthesis.{name}.affine.weight"] for name in AFFINES[first : last + 1]]
    expected = singular_vectors(affines)
    n = min(4, sum(len(affine) for affine in affines))
    same_up_to_sign(find(toy, view(first, last), n), expected)
    if (first, last) == (0, 5):
        same_up_to_sign(find(toy, VIEW, 12), expected)


def test_the_scale_of_a_layer_does_not_matter(toy):
    before = find(toy, VIEW, 5)
    toy.synthesis.b8.conv1.affine.weight.data *= 7
    assert torch.allclose(find(toy, VIEW, 5), before, atol=1e-6)


@pytest.mark.parametrize("name", ["genforce_stylegan2_32", "genforce_stylegan32"])
def test_layers_are_those_of_the_authors(tmp_path, name):
    """In their naming, layer k is layer{k}, but StyleGAN2's last one is the last projection to RGB."""
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as golden:
        state = {key[6:]: torch.from_numpy(golden[key]) for key in golden if key.startswith("state/")}
    torch.save({"generator_smooth": state}, tmp_path / "g.pth")
    generator = load_generator(tmp_path / "g.pth")
    names = [f"layer{k}" for k in range(8)]
    if "stylegan2" in name:
        names[7] = "output3"
    weights = [state[f"synthesis.{layer}.style.weight"] for layer in names]
    same_up_to_sign(find(generator, VIEW, 10), singular_vectors(weights))
    same_up_to_sign(find(generator, view(6, 7), 5), singular_vectors(weights[6:]))


def test_progan_by_its_first_layer():
    generator = load_generator(GOLDEN / "sefa_pggan_32.pth")
    weight = generator.state_dict()["layer0.weight"]
    matrix = torch.stack([weight[:, :, i, j] for i in range(4) for j in range(4)]).flatten(0, 1)
    same_up_to_sign(find(generator, IN_Z, 6), singular_vectors([matrix]))


def test_labels_of_progan_are_no_part_of_z():
    torch.manual_seed(0)
    generator = ProGAN(ProGANConfig(resolution=16, block_channels=(12, 8, 6), z_dim=10, c_dim=3))
    weight = generator.layer0.weight.detach()[:, :10].permute(0, 2, 3, 1).reshape(-1, 10)
    same_up_to_sign(find(generator, IN_Z, 10), singular_vectors([weight]))


def test_stylegan3_and_rows_of_zeros():
    torch.manual_seed(0)
    generator = StyleGAN3(published_config(16, z_dim=6, w_dim=8, channel_base=128, channel_max=8, layers=4, margin=3))
    names = generator.config.layer_names
    affines = [generator.state_dict()[f"synthesis.{name}.affine.weight"] for name in names]
    # The Fourier features' weights are zeros in a new network: they add nothing.
    same_up_to_sign(find(generator, VIEW, 8), singular_vectors(affines))
    generator.synthesis.input.affine.weight.data.normal_()
    features = generator.synthesis.input.affine.weight.detach()
    same_up_to_sign(find(generator, view(0, 1), 4), singular_vectors([features, affines[0]]))


def test_lucidrains_by_blocks():
    torch.manual_seed(0)
    generator = Lucidrains(LucidrainsConfig(channels=(8, 6, 4), latent_dim=6))
    state = generator.state_dict()
    blocks = [
        [state[f"synthesis.blocks.{k}.to_style{i}.weight"] for i in (1, 2)]
        + [state["synthesis.blocks.2.to_rgb.to_style.weight"]] * (k == 2)
        for k in range(3)
    ]
    same_up_to_sign(find(generator, VIEW, 6), singular_vectors(blocks[0] + blocks[1] + blocks[2]))
    same_up_to_sign(find(generator, view(0, 1), 6), singular_vectors(blocks[0] + blocks[1]))


def test_directions_are_orthonormal(toy):
    found = find(toy, VIEW, 12)
    assert found.dtype == torch.float64 and torch.allclose(found @ found.T, torch.eye(12, dtype=torch.float64))


def test_what_it_cannot_serve(toy, blobs):
    with pytest.raises(GanwalkError, match="--method pca or jacobian"):
        find(blobs, IN_Z, 3)
    with pytest.raises(GanwalkError, match="use --space w"):
        find(toy, IN_Z, 3)
    with pytest.raises(GanwalkError, match="use 1 to 12"):
        find(toy, VIEW, 13)
    with pytest.raises(GanwalkError, match="layers 0 to 5"):
        find(toy, view(2, 6), 3)
