"""Samples are a value: drawn or stored, they show what their latents are, and nobody asks which kind they are."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from ganwalk.directions import Directions
from ganwalk.directions.edits import Move, walk
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import GeneratorIdentity, one_hot, sample_labels, sample_z
from ganwalk.generators.progan import ProGAN, ProGANConfig
from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from ganwalk.rendering.grids import overview_grid, traversal_grid
from ganwalk.rendering.images import traverse
from ganwalk.rendering.loops import save_loop
from ganwalk.samples import DrawnSamples, StoredSamples, describe_truncation

SEEDS = (3, 8)
TRUNCATED = DrawnSamples(SEEDS, truncation_psi=0.6, truncation_cutoff=2)
FRACTIONS = torch.tensor([-1.0, 0.0, 2.0])


@pytest.fixture
def toy(toy):
    toy.w_avg.normal_(generator=torch.Generator().manual_seed(1))
    return toy


@pytest.fixture
def conditional():
    """A random StyleGAN2 of three classes."""
    torch.manual_seed(0)
    config = StyleGAN2Config(img_resolution=16, z_dim=8, w_dim=12, c_dim=3, channel_base=128, channel_max=8)
    generator = StyleGAN2(config).eval().requires_grad_(False)
    generator.identity = GeneratorIdentity("classes", "0" * 64, "stylegan2", 16)
    return generator


def directions_of(generator, space):
    d = generator.w_dim if space == "w" else generator.z_dim
    return Directions(torch.eye(d)[:3], torch.tensor([1.0, 2.0, 3.0]), space, generator.identity)


def codes(generator, seeds=SEEDS):
    return torch.cat([sample_z(generator, 1, seed) for seed in seeds])


def stored_like(generator, samples):
    """The same samples as codes, and as styles of all layers, mapped one by one as pictures are made."""
    labels = samples.labels
    in_z = StoredSamples(
        codes(generator, samples.seeds), "z", labels, samples.truncation_psi, samples.truncation_cutoff
    )
    return in_z, StoredSamples(torch.cat([sample.styles(generator) for sample in samples]), "w", labels)


def test_seeds_draw_the_latents_that_they_stand_for(toy, conditional):
    mapped = toy.mapping(codes(toy), truncation_psi=0.6, truncation_cutoff=2)
    assert torch.equal(TRUNCATED.styles(toy), mapped)
    labels = torch.cat([sample_labels(conditional, 1, None, seed) for seed in SEEDS])
    assert torch.equal(DrawnSamples(SEEDS).styles(conditional), conditional.mapping(codes(conditional), labels))
    of_one = one_hot(torch.tensor([1, 1]), 3)
    drawn = DrawnSamples(SEEDS, class_index=1).styles(conditional)
    assert torch.equal(drawn, conditional.mapping(codes(conditional), of_one))
    assert torch.equal(StoredSamples(codes(conditional), "z", class_index=1).styles(conditional), drawn)


def test_seeds_of_nvidia_are_those_of_its_scripts(toy, conditional):
    z = torch.from_numpy(np.concatenate([np.random.RandomState(seed).randn(1, 8) for seed in (7, 2**32 - 1)])).float()
    samples = DrawnSamples((7, 2**32 - 1), 0.6, seed_style="nvidia")
    assert torch.allclose(samples.styles(toy), toy.mapping(z, truncation_psi=0.6))
    shifts = torch.eye(8)[:2]
    shifted = toy.mapping(z[:1] + shifts[1], truncation_psi=0.6)
    assert torch.allclose(samples.shifted_styles(toy, shifts)[0, 1], shifted[0], atol=1e-6)
    drawn = DrawnSamples((7,), class_index=1, seed_style="nvidia").styles(conditional)
    assert torch.allclose(drawn, conditional.mapping(z[:1], torch.eye(3)[[1]]))
    assert samples.summary == "NVIDIA's seeds 7, 4294967295" and samples != replace(samples, seed_style="torch")
    assert [one.seed_style for one in samples] == ["nvidia", "nvidia"] and samples.select([0]).seed_style == "nvidia"
    with pytest.raises(GanwalkError, match="none of NVIDIA's"):
        DrawnSamples((2**32,), seed_style="nvidia").styles(toy)
    with pytest.raises(GanwalkError, match="unknown seed style 'jax': choose torch or nvidia"):
        DrawnSamples((1,), seed_style="jax")


def test_render_draws_the_seeds_of_the_style_that_it_is_given(blobs, tmp_path, run):
    Directions(torch.eye(blobs.z_dim)[:2], torch.ones(2), "z", blobs.identity).save(tmp_path / "d.safetensors")
    directions = Directions.load(tmp_path / "d.safetensors")
    pictures = []
    for style in ("torch", "nvidia"):
        options = ["--directions", tmp_path / "d.safetensors", "-d", 0, "--seeds", 7, "--steps", 2, "-q"]
        assert run("render", *options, "--seed-style", style, "-o", tmp_path / "x.png", "--force")[0] == 0
        pictures.append(np.asarray(Image.open(tmp_path / "x.png")))
        expected = traversal_grid(blobs, directions, 0, DrawnSamples((7,), seed_style=style), steps=2)
        np.testing.assert_array_equal(pictures[-1], np.asarray(expected))
    assert (pictures[0] != pictures[1]).any()


def test_a_sample_of_several_is_the_sample_alone(toy):
    for samples in (TRUNCATED, *stored_like(toy, TRUNCATED)):
        assert len(samples) == 2 and [len(sample) for sample in samples] == [1, 1]
        whole = samples.styles(toy)
        assert torch.allclose(torch.cat([sample.styles(toy) for sample in samples]), whole, atol=1e-6)
        assert torch.allclose(samples.select([1, 0]).styles(toy), whole.flip(0), atol=1e-6)
        assert samples.select([1]) == list(samples)[1] and samples.select([1]).labels == ("seed 8",)


def test_stored_samples_walk_as_drawn_ones(toy):
    in_z, in_w = stored_like(toy, TRUNCATED)
    edit = [Move(0, 2.0), Move(2, -1.0, (1, 3))]
    expected = walk(toy, directions_of(toy, "w"), edit, TRUNCATED, FRACTIONS)
    assert not torch.allclose(expected[:, 0], expected[:, 2])
    assert torch.equal(walk(toy, directions_of(toy, "w"), edit, in_z, FRACTIONS), expected)
    assert torch.allclose(walk(toy, directions_of(toy, "w"), edit, in_w, FRACTIONS), expected, atol=1e-6)
    edit = [Move(0, 2.0), Move(2, -1.0)]
    expected = walk(toy, directions_of(toy, "z"), edit, TRUNCATED, FRACTIONS)
    shift = 2 * directions_of(toy, "z").step(0) - directions_of(toy, "z").step(2)
    mapped = toy.mapping(codes(toy) + 2 * shift, truncation_psi=0.6, truncation_cutoff=2)
    assert torch.allclose(expected[:, 2], mapped, atol=1e-6)
    assert torch.equal(walk(toy, directions_of(toy, "z"), edit, in_z, FRACTIONS), expected)


def test_one_style_is_every_layers(toy):
    drawn = DrawnSamples(SEEDS)
    stored = StoredSamples(drawn.styles(toy)[:, 0], "w")
    assert torch.equal(stored.styles(toy), drawn.styles(toy))
    edit = [Move(1, 1.0, (0, 2))]
    expected = walk(toy, directions_of(toy, "w"), edit, drawn, FRACTIONS)
    assert torch.equal(walk(toy, directions_of(toy, "w"), edit, stored, FRACTIONS), expected)


def test_pictures_of_stored_samples_are_those_of_drawn_ones(toy, tmp_path):
    directions = directions_of(toy, "w")
    # Captions name the truncation, and styles are truncated already.
    drawn = DrawnSamples(SEEDS)
    alike = (drawn, *stored_like(toy, drawn))
    grids = [np.asarray(traversal_grid(toy, directions, 1, samples, steps=3)) for samples in alike]
    overviews = [np.asarray(overview_grid(toy, directions, samples.select([1]), steps=2)) for samples in alike]
    for pictures in (grids, overviews):
        np.testing.assert_array_equal(pictures[1], pictures[0])
        np.testing.assert_array_equal(pictures[2], pictures[0])
    animations = []
    for number, samples in enumerate((TRUNCATED, *stored_like(toy, TRUNCATED))):
        path = tmp_path / f"{number}.gif"
        save_loop(path, toy, directions, [[Move(0, 3.0)]], samples, frames=4)
        animations.append(path.read_bytes())
    assert animations[0] == animations[1] == animations[2]


def test_names_are_drawn_beside_stored_samples(toy):
    latents = DrawnSamples(SEEDS).styles(toy)
    directions = directions_of(toy, "w")
    short, long = (
        # Wide enough for the caption in one line.
        traversal_grid(toy, directions, 1, StoredSamples(latents, "w", names), steps=9)
        for names in (("a", "b"), ("photo.jpg", "another photo.jpg"))
    )
    assert long.width > short.width and long.height == short.height


def test_samples_say_what_they_are_called():
    one, two = DrawnSamples((4,)), DrawnSamples((4, 7))
    assert two.labels == ("seed 4", "seed 7") and two.titles == ("Seed 4", "Seed 7")
    assert one.summary == "seed 4" and two.summary == "seeds 4, 7"
    photos = StoredSamples(torch.zeros(2, 12), "w", ("photo.jpg", "b.png"))
    assert photos.labels == photos.titles == ("photo.jpg", "b.png") and photos.summary == "photo.jpg, b.png"
    assert StoredSamples(torch.zeros(2, 12), "w").labels == ("sample 0", "sample 1")


def test_the_truncation_is_described():
    assert describe_truncation(DrawnSamples((1,))) == "" == describe_truncation(StoredSamples(torch.zeros(1, 4), "w"))
    assert describe_truncation(DrawnSamples((1,), 0.7)) == "ψ 0.7"
    assert describe_truncation(DrawnSamples((1,), 0.7, 1)) == "ψ 0.7 in the first layer"
    assert describe_truncation(TRUNCATED) == "ψ 0.6 in the first 2 layers"


def test_equal_samples_are_those_that_show_the_same():
    latents = torch.randn(2, 12, generator=torch.Generator().manual_seed(0))
    stored = StoredSamples(latents, "w", ("a", "b"))
    assert stored == StoredSamples(latents.clone(), "w", ("a", "b"))
    assert hash(stored) == hash(StoredSamples(latents.clone(), "w", ("a", "b")))
    in_z = StoredSamples(latents, "z", ("a", "b"))
    others = [
        StoredSamples(latents + 1, "w", ("a", "b")),
        StoredSamples(latents, "w", ("a", "c")),
        in_z,
        replace(in_z, truncation_psi=0.5),
        StoredSamples(latents[None], "w", ("a",)),
        DrawnSamples((1, 2)),
        DrawnSamples((1, 2), 0.5),
    ]
    assert len({stored, *others}) == 8
    latents.zero_()
    assert stored.latents.any(), "samples change when somebody else's tensor does"


def test_samples_that_cannot_be_are_refused():
    with pytest.raises(GanwalkError, match="at least one sample"):
        DrawnSamples(())
    zeros = torch.zeros(2, 12)
    for latents, space, options, message in (
        (zeros, "x", {}, "unknown space 'x'"),
        (zeros[0], "w", {}, r"expected \(n, w_dim\) or \(n, num_layers, w_dim\)"),
        (zeros[None], "z", {}, r"expected \(n, z_dim\)"),
        (zeros[:0], "z", {}, "shape"),
        (zeros.long(), "z", {}, "not finite"),
        (zeros / 0, "z", {}, "not finite"),
        (zeros, "w", {"labels": ("a",)}, "1 labels for 2 samples"),
        (zeros, "w", {"truncation_psi": 0.7}, "shown as they are: truncation"),
        (zeros, "w", {"truncation_cutoff": 2}, "shown as they are: truncation"),
        (zeros, "w", {"class_index": 2}, "shown as they are: a class"),
    ):
        with pytest.raises(GanwalkError, match=message):
            StoredSamples(latents, space, **options)
    with pytest.raises(GanwalkError, match="at least one sample"):
        DrawnSamples((1,)).select([])
    with pytest.raises(GanwalkError, match="shape"):
        StoredSamples(zeros, "w").select([])


def test_directions_in_z_do_not_shift_styles(toy):
    styles = StoredSamples(DrawnSamples(SEEDS).styles(toy), "w")
    with pytest.raises(GanwalkError, match="which directions in z cannot shift: use directions in w"):
        walk(toy, directions_of(toy, "z"), [Move(0)], styles, FRACTIONS)
    with pytest.raises(GanwalkError, match="which directions in z cannot shift"):
        traverse(toy, directions_of(toy, "z"), [Move(0)], [1.0], styles, batch=1)


def test_samples_of_another_generator_are_refused(toy, blobs, conditional):
    for samples, generator, message in (
        (StoredSamples(torch.zeros(2, 11), "w"), toy, r"expected \(n, 12\) or \(n, 6, 12\)"),
        (StoredSamples(torch.zeros(2, 5, 12), "w"), toy, r"expected \(n, 12\) or \(n, 6, 12\)"),
        (StoredSamples(torch.zeros(2, 9), "z"), toy, r"expected \(n, 8\)"),
        (StoredSamples(torch.zeros(2, 6), "w"), blobs, "no w space: give its latent codes z"),
        (StoredSamples(torch.zeros(2, 8), "z"), conditional, "need their class: give --class"),
        (StoredSamples(torch.zeros(2, 8), "z", class_index=3), conditional, "class 3 does not exist"),
        (StoredSamples(torch.zeros(2, 8), "z", class_index=0), toy, "not class-conditional"),
        (DrawnSamples((1,), class_index=3), conditional, "class 3 does not exist"),
        (DrawnSamples((1,), class_index=0), toy, "not class-conditional"),
    ):
        for use in (samples.check, samples.styles):
            with pytest.raises(GanwalkError, match=message):
                use(generator)


def test_a_cutoff_that_cuts_nothing_is_refused(toy, blobs):
    progan = ProGAN(ProGANConfig(resolution=8, block_channels=(4, 4), z_dim=6, normalize_latents=False)).eval()
    for psi, cutoff, generator, message in (
        (0.5, 0, toy, "cutoff 0 is out of range: the generator has 6 layers"),
        (0.5, 7, toy, "cutoff 7 is out of range: the generator has 6 layers"),
        (1.0, 3, toy, "no effect without truncation"),
        (0.5, 1, blobs, "no effect: this generator has no styles of layers"),
        (0.5, 1, progan, "no effect: this generator has no styles of layers"),
    ):
        for samples in (
            DrawnSamples((1,), psi, cutoff),
            StoredSamples(torch.zeros(1, generator.z_dim), "z", (), psi, cutoff),
        ):
            for use in (samples.check, samples.styles):
                with pytest.raises(GanwalkError, match=message):
                    use(generator)
    assert torch.equal(DrawnSamples((1,), 0.5, 6).styles(toy), DrawnSamples((1,), 0.5).styles(toy))
