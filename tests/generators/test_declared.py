"""Networks of people's own code that declare a mapping and a synthesis: styles, classes, features, refusals."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ganwalk.directions import Directions
from ganwalk.directions.edits import Move
from ganwalk.errors import GanwalkError
from ganwalk.explore.sides import open_side
from ganwalk.explore.state import State
from ganwalk.explore.studio import Studio
from ganwalk.generators.base import mean_style, one_hot, sample_labels, sample_z
from ganwalk.generators.calls import Interface
from ganwalk.generators.declared import Declared
from ganwalk.generators.external import adapt
from ganwalk.generators.loading import load_directions_generator, load_generator
from ganwalk.samples import DrawnSamples
from tests.generators.protocol import lacking

EXAMPLES = Path(__file__).parents[2] / "examples"
EXAMPLE = "own_network:Network"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder, where the examples are modules."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLES)


class Own(nn.Module):
    """Three layers of 4, 8 and 16 px; subclasses say more, or other things."""

    num_layers = 3

    def __init__(self, z_dim=6, w_dim=5, classes=0):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(z_dim + classes, w_dim)
        self.scales = nn.ModuleList(nn.Linear(w_dim, 4) for _ in range(3))
        self.colours = nn.Conv2d(4, 3, 3, padding=1)
        self.start = nn.Parameter(torch.randn(1, 4, 4, 4))

    def mapping(self, z):
        return self.layer(z).tanh()

    def synthesis(self, w, until=None):
        x = self.start
        for k, scale in enumerate(self.scales):
            x = x * scale(w[:, k])[:, :, None, None]
            if k == until:
                return x
            x = x if k == 2 else nn.functional.interpolate(x, scale_factor=2)
        return self.colours(x).tanh()


def adapted(network, latent_dim=6, **facts):
    return adapt(network, Interface(latent_dim, **facts), "cpu", "mine").requires_grad_(False)


def test_styles_of_layers_and_early_features():
    network = Own()
    generator = adapted(network, latent_dim=None, image_range=(-2.0, 2.0))
    assert isinstance(generator, Declared) and generator.style_based and not lacking(generator)
    assert (generator.z_dim, generator.w_dim, generator.num_layers, generator.c_dim) == (6, 5, 3, 0)
    assert generator.layer_resolutions == (4, 8, 16) and generator.image_size == (16, 16)
    w = generator.mapping(sample_z(generator, 2, seed=0))
    assert w.shape == (2, 3, 5)
    assert torch.allclose(generator.synthesis(w), network.synthesis(w) / 2, atol=1e-6)
    assert torch.equal(generator.synthesis(w, until=2), generator.synthesis(w))
    for k in (0, 1):
        assert torch.equal(generator.synthesis(w, until=k), network.synthesis(w, until=k))
    moved = w.clone()
    moved[:, 2] += 1
    assert torch.allclose(generator.synthesis(moved, until=1), generator.synthesis(w, until=1), atol=1e-6)
    assert not torch.allclose(generator.synthesis(moved), generator.synthesis(w))


def test_the_centre_of_truncation_is_declared_or_estimated():
    z = torch.randn(2, 6, generator=torch.Generator().manual_seed(1))

    class Centred(Own):
        w_avg = torch.full((1, 5), 0.25)

    centred, estimated = adapted(Centred()), adapted(Own())
    assert torch.equal(centred.w_avg, torch.full((5,), 0.25))
    assert torch.equal(centred.mapping(z, truncation_psi=0.0), torch.full((2, 3, 5), 0.25))
    assert torch.equal(estimated.w_avg, mean_style(estimated)) and estimated.w_avg.abs().max() > 0
    halves = estimated.mapping(z, truncation_psi=0.5, truncation_cutoff=2)
    whole = estimated.mapping(z)
    assert torch.allclose(halves[:, 0], (whole[:, 0] + estimated.w_avg) / 2, atol=1e-6)
    assert torch.equal(halves[:, 2], whole[:, 2])


class Plain:
    """No torch module, and one style for all layers, of which it has one."""

    z_dim = 9

    def __init__(self):
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(9, 5), nn.Linear(5, 3 * 8 * 4)

    def mapping(self, z):
        return self.first(z).relu()

    def synthesis(self, w):
        return self.last(w).view(-1, 3, 8, 4).sigmoid()


def test_objects_that_are_no_modules(monkeypatch):
    generator = adapted(Plain(), latent_dim=None)
    assert (generator.z_dim, generator.w_dim, generator.num_layers) == (9, 5, 1)
    assert generator.image_range == (0.0, 1.0) and generator.image_size == (8, 4)
    assert len(generator.state_dict()) == 4 and not any(p.requires_grad for p in generator.parameters())
    assert generator.synthesis(generator.mapping(sample_z(generator, 2, seed=0))).shape == (2, 3, 8, 4)
    # By name: an object, and what makes one; its weights are in the hash.
    monkeypatch.setitem(sys.modules, "plain", sys.modules[__name__])
    monkeypatch.setattr(sys.modules[__name__], "instance", Plain(), raising=False)
    made, instance = load_generator("plain:Plain"), load_generator("plain:instance")
    assert made.z_dim == instance.z_dim == 9 and made.identity.architecture == "python"
    instance.network.first.bias.data += 1
    assert load_generator("plain:instance").identity.sha256 != instance.identity.sha256


def test_mappings_that_make_a_style_for_each_layer():
    class Broad(Own):
        num_layers = None

        def mapping(self, z):
            return super().mapping(z)[:, None] * torch.arange(1.0, 4.0)[:, None]

    generator = adapted(Broad())
    w = generator.mapping(sample_z(generator, 2, seed=0))
    assert generator.num_layers == 3 and torch.allclose(w[:, 2], 3 * w[:, 0])
    # What differs from layer to layer stays so.
    assert torch.allclose(generator.synthesis(w), generator.network.synthesis(w), atol=1e-6)


class Classes(Own):
    """Of four classes, as one-hot labels or as numbers."""

    c_dim = 4

    def __init__(self, numbers=False):
        super().__init__(classes=4)
        self.numbers, self.table = numbers, nn.Embedding(4, 4)

    def mapping(self, z, c=None):
        return self.layer(torch.cat([z, self.table(c) if self.numbers else c], dim=1))


@pytest.mark.parametrize("numbers", [False, True])
def test_classes(numbers):
    network = Classes(numbers)
    generator = adapted(network)
    assert generator.c_dim == 4
    z, c = sample_z(generator, 3, seed=0), one_hot(torch.tensor([2, 0, 3]), 4)
    expected = network.mapping(z, c.argmax(dim=1) if numbers else c)
    assert torch.equal(generator.mapping(z, c)[:, 1], expected)
    with pytest.raises(GanwalkError, match="class-conditional: give labels"):
        generator.mapping(z)
    assert sample_labels(generator, 2, None, seed=0).shape == (2, 4)


def test_an_empty_label_for_who_asks_for_one():
    class Empty(Own):
        def mapping(self, z, c):
            return self.layer(torch.cat([z, c], dim=1))

    generator = adapted(Empty())
    assert generator.c_dim == 0 and generator.mapping(sample_z(generator, 2, seed=0)).shape == (2, 3, 5)


def test_precision_and_randomness_are_held():
    class Noisy(Own):
        def synthesis(self, w, until=None):
            return super().synthesis(w, until) + 0.1 * torch.randn(())

    generator = adapted(Noisy().double())
    z = sample_z(generator, 2, seed=0).requires_grad_()
    images = generator.synthesis(generator.mapping(z))
    assert images.dtype == torch.float32 and torch.equal(images, generator.synthesis(generator.mapping(z)))
    (gradient,) = torch.autograd.grad(images.sum(), z)
    assert gradient.abs().min() > 0
    w = generator.mapping(z).detach()
    first, again, other = (generator.synthesis(w, noise="random", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.allclose(first, other)


def test_without_features_the_image_is_all_there_is():
    class Whole(Own):
        def synthesis(self, w):
            return super().synthesis(w)

    generator = adapted(Whole())
    assert generator.layer_resolutions == (16, 16, 16) and generator.facts["features"] == "none"
    w = generator.mapping(sample_z(generator, 2, seed=0))
    assert generator.synthesis(w, until=2).shape == (2, 3, 16, 16)
    with pytest.raises(GanwalkError, match="an argument until of this generator's synthesis: add it, or drop --layer"):
        generator.synthesis(w, until=1)


def test_sizes_of_layers_that_are_said_are_not_probed():
    class Sized(Own):
        layer_resolutions = (4, 8, 16)

        def synthesis(self, w, until=None):
            assert until is None
            return super().synthesis(w)

    assert adapted(Sized()).layer_resolutions == (4, 8, 16)


def test_programs_declare_styles_too():
    class Scripted(nn.Module):
        num_layers: int

        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.num_layers = 2
            self.layer, self.last = nn.Linear(6, 5), nn.Linear(10, 3 * 16)

        @torch.jit.export
        def mapping(self, z: torch.Tensor) -> torch.Tensor:
            return self.layer(z)

        @torch.jit.export
        def synthesis(self, w: torch.Tensor, until: int | None = None) -> torch.Tensor:
            if until is not None:
                return w[:, until, :, None, None]
            return self.last(w.flatten(1)).view(-1, 3, 4, 4).tanh()

        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return self.synthesis(self.mapping(z)[:, None].expand(-1, 2, -1), None)

    torch.jit.script(Scripted()).save("own.ts")
    generator = load_generator("own.ts", trust=True)
    assert (generator.z_dim, generator.w_dim, generator.layer_resolutions) == (6, 5, (1, 4))
    w = generator.mapping(sample_z(generator, 2, seed=0))
    assert generator.synthesis(w, until=0).shape == (2, 5, 1, 1)


def changed(**members):
    return type("Changed", (Own,), members)()


def failing(message):
    def call(*_):
        raise ValueError(message)

    return call


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda: changed(mapping=failing("no such size")), r"no styles \(mapping of z .* failed: no such size\): is"),
        (lambda: changed(mapping=lambda self, z, c, angle: z), "the mapping of mine cannot be called with z"),
        (lambda: changed(mapping=lambda self, z: (z, z)), "mapping of mine returns a tuple of 7 codes: return styles"),
        (lambda: changed(mapping=lambda self, z: z[0]), r"returns shape \(6,\) of torch.float32 of 7 codes"),
        (
            lambda: changed(mapping=lambda self, z: z[:, None].expand(-1, 2, -1)),
            "3 layers, and its mapping makes styles",
        ),
        (lambda: changed(num_layers=0), "has 0 layers"),
        (lambda: changed(num_layers=None), r"synthesis of w \(7, 5\) failed: .*attribute num_layers"),
        (lambda: changed(synthesis=lambda self, w: [w]), "synthesis of mine returns a list of 1"),
        (lambda: changed(synthesis=lambda self, w: w), r"returns shape \(7, 3, 5\), not a batch of images"),
        (lambda: changed(synthesis=lambda self, w: w[:1, None].tanh()), "a batch of 1 of 7 styles"),
        (lambda: changed(synthesis=lambda self, w: w[:, None].detach()), "no gradient flows"),
        (lambda: changed(synthesis=lambda self, w: 1000 * w[:, None]), "give --image-range"),
        (
            lambda: changed(synthesis=lambda self, w, until=None: w[:, None].tanh() if until is None else w),
            "synthesis of mine until layer 0 returns shape .*not a batch of features",
        ),
        (
            lambda: changed(synthesis=lambda self, w, until=None: w[:, None].tanh() if until is None else int("k")),
            r"synthesis\(w, until=0\) failed: .*each of the layers 0 to 1",
        ),
        (lambda: changed(layer_resolutions=(4, 8)), "are not 3 sizes, one for each layer: drop them"),
        (lambda: changed(w_avg=torch.zeros(2, 5)), r"w_avg of mine is \(2, 5\), not \(5,\): drop it"),
    ],
)
def test_what_does_not_fit_ends_in_one_line(network, message):
    with pytest.raises(GanwalkError, match=message) as caught:
        adapted(network())
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_the_example_goes_the_whole_way(run):
    code, out, _ = run("info", EXAMPLE)
    assert code == 0 and "of every layer" in out
    fast = ("--n-directions", 2, "--batch", 6, "-q")
    code, out, err = run("discover", "-g", EXAMPLE, "-m", "pca", "--layers", "1-2", *fast)
    assert code == 0, err
    path = Path("ganwalk-out/directions.safetensors")
    directions = Directions.load(path)
    assert directions.space == "w" and directions.vectors.shape == (2, 8)
    code, _, err = run("render", "-g", EXAMPLE, "-d", 0, "--seeds", "1-2", "--steps", 3, "--truncation", 0.7, "-q")
    assert code == 0 and list(Path("ganwalk-out").glob("direction-0*.png")), err
    code, _, err = run("discover", "-g", EXAMPLE, "--layer", 1, "--steps", 1, *fast, "--out", "early")
    assert code == 0, err
    generator = load_directions_generator(directions.generator, EXAMPLE)
    studio = Studio(generator, [open_side(path)])
    state = State(DrawnSamples((3,)))
    (plain,), (edited,) = studio.pictures(state), studio.pictures(state.moved(0, Move(0, 2.0)))
    assert not np.array_equal(edited[0], plain[0])
    code, _, err = run("discover", "-g", EXAMPLE, "-m", "sefa", *fast, "--out", "sefa")
    assert code == 2 and "use --method pca or jacobian" in err
