"""Generators that are code: what is probed, what is refused, and that nothing runs without the user's word."""

import shlex
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from ganwalk.commands import main
from ganwalk.directions import Directions
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import GeneratorIdentity, sample_z
from ganwalk.generators.calls import Interface, parse_image_range
from ganwalk.generators.external import probe
from ganwalk.generators.loading import describe, load_directions_generator, load_generator
from ganwalk.inert import torch_reader
from tests.generators.protocol import lacking

PACKAGE = """
import torch
from torch import nn

with open("imported", "a") as file:
    file.write("x")


class Convolutional(nn.Module):
    def __init__(self, d=24):
        super().__init__()
        rng = torch.Generator().manual_seed(d)
        self.first = nn.ConvTranspose2d(d, 8, 4)
        self.norm = nn.BatchNorm2d(8)
        self.last = nn.ConvTranspose2d(8, 3, 4, 2, 1)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=rng) * 0.3)

    def forward(self, z):
        return torch.tanh(self.last(torch.relu(self.norm(self.first(z)))))


def make():
    return Convolutional()


network = Convolutional(12)
number = 3


def broken():
    raise ValueError("no weights here")
"""


class Dense(nn.Module):
    """An MLP of z (n, 20), whose output a function finishes."""

    def __init__(self, finish, d=20, channels=3, size=8):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(d, channels * size * size)
        self.finish, self.shape = finish, (channels, size, size)

    def forward(self, z):
        return self.finish(self.layer(z).view(-1, *self.shape))


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    """A folder with an importable module, which leaves a trace when it is imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("extgan.py").write_text(PACKAGE)
    yield tmp_path
    sys.modules.pop("extgan", None)


@pytest.fixture
def program(package):
    """A scripted DCGAN-like network in a file."""
    import extgan

    torch.jit.script(extgan.make().eval()).save("g.ts")
    return Path("g.ts")


def probed(network, **facts):
    return probe(network, Interface(**facts), "cpu", "net")


@pytest.mark.parametrize(
    ("finish", "expected"),
    [(torch.tanh, (-1.0, 1.0)), (torch.sigmoid, (0.0, 1.0)), (lambda x: x.sigmoid() * 255, (0.0, 255.0))],
)
def test_range_and_dimension_are_probed(finish, expected):
    network = Dense(finish)
    generator = probed(network)
    assert not lacking(generator)
    assert (generator.z_dim, generator.spatial, generator.image_range) == (20, False, expected)
    assert (generator.resolution, generator.img_channels, generator.layer_resolutions) == (8, 3, (8,))
    z = sample_z(generator, 4, seed=0)
    images = generator.synthesis(generator.mapping(z))
    low, high = expected
    assert torch.allclose((images + 1) / 2 * (high - low) + low, network(z), atol=1e-4 * high)
    assert images.abs().max() <= 1


def test_facts_that_are_given_are_kept():
    generator = probed(Dense(torch.tanh), latent_dim=20, image_range=(-3.0, 5.0))
    z = sample_z(generator, 2, seed=0)
    expected = (torch.tanh(generator.network.layer(z)).view(2, 3, 8, 8) + 3) / 4 - 1
    assert torch.allclose(generator.synthesis(z), expected, atol=1e-6)
    assert generator.interface == Interface(20, (-3.0, 5.0))
    with pytest.raises(GanwalkError, match=r"of 21 dimensions .*is --latent-dim right"):
        probed(Dense(torch.tanh), latent_dim=21)


def test_attributes_come_before_weights():
    class Summed(nn.Module):
        """Takes codes of any size."""

        latent_dim = 37

        def forward(self, z):
            return torch.tanh(z.mean(dim=1))[:, None, None, None].expand(-1, 1, 4, 4)

    assert probed(Summed()).z_dim == 37


def test_codes_as_pixels_and_reshaped_batches(package):
    import extgan

    assert probed(extgan.make()).spatial and probed(extgan.make()).z_dim == 24

    def reshaping(z):
        return z.reshape(-1, 3, 2, 2).tanh()

    assert probed(reshaping, latent_dim=12).resolution == 2
    with pytest.raises(GanwalkError, match="a batch of 14"):
        probed(reshaping, latent_dim=24)


@pytest.mark.parametrize(
    ("finish", "message"),
    [
        (lambda x: (x.tanh(), x), "returns a tuple of 2"),
        (lambda x: {"images": x}, "returns a dict of 1"),
        (lambda x: x.flatten(1), r"shape \(7, 192\), not a batch"),
        (lambda x: (x.sigmoid() * 255).to(torch.uint8), "no gradient flows: return floats"),
        (lambda x: x.detach().tanh(), "no gradient flows from the images"),
        (lambda x: x * torch.nan, "not finite"),
        (lambda x: x * 1000, "give --image-range"),
        (lambda x: x.numpy(), "makes no batch of images"),
        (lambda x: 3, "returns a int"),
    ],
)
def test_what_is_no_generator_ends_in_one_line(finish, message):
    with pytest.raises(GanwalkError, match=message) as caught:
        probed(Dense(finish))
    assert "\n" not in str(caught.value)


class Conditional(nn.Module):
    """Images of (z, c), with c one-hot, a number of a class, or empty; every call is written down."""

    def __init__(self, c_dim, numbers=False):
        super().__init__()
        torch.manual_seed(0)
        self.c_dim, self.numbers, self.seen = c_dim, numbers, None
        self.embed = nn.Embedding(3, 4) if numbers else nn.Linear(c_dim, 4) if c_dim else None
        self.layer = nn.Linear(20 + 4 * (self.embed is not None), 3 * 4 * 4)

    def forward(self, z, c):
        if not self.numbers and c.shape != (len(z), self.c_dim):
            raise ValueError(f"labels of shape {tuple(c.shape)}")
        self.seen = c
        x = z if self.embed is None else torch.cat([z, self.embed(c)], dim=1)
        return torch.tanh(self.layer(x)).view(-1, 3, 4, 4)


@pytest.mark.parametrize(("c_dim", "numbers", "shape"), [(0, False, (2, 0)), (5, False, (2, 5)), (3, True, (2,))])
def test_networks_of_codes_and_labels_are_given_a_label_that_says_nothing(c_dim, numbers, shape):
    network = Conditional(c_dim, numbers)
    generator = probed(network, latent_dim=20)
    images = generator.synthesis(sample_z(generator, 2, seed=0))
    assert network.seen.shape == shape and not network.seen.any() and images.shape == (2, 3, 4, 4)


def test_labels_are_for_what_asks_for_them():
    class Optional(Conditional):
        def forward(self, z, y=None):
            return super().forward(z, y)

    assert probed(Optional(5), latent_dim=20).label is not None

    def truncated(z, psi=None):
        assert psi is None
        return z.view(-1, 3, 2, 2).tanh()

    assert probed(truncated, latent_dim=12).label is None

    def anything(*arguments):
        z, _ = arguments
        return z.view(-1, 3, 2, 2).tanh()

    assert probed(anything, latent_dim=12).label is not None


def test_labels_of_programs(tmp_path):
    class Scripted(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(20, 48)

        def forward(self, z: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
            return torch.tanh(self.layer(z)).view(-1, 3, 4, 4) + c.sum()

    torch.jit.script(Scripted()).save("c.ts")
    assert load_generator("c.ts", trust=True).label is not None


def test_the_call_that_failed_is_shown():
    class Choosy(Conditional):
        def forward(self, z, c):
            raise ValueError("no camera")

    with pytest.raises(GanwalkError, match=r"call with z \(7, 20\) and the label \(7, 5\) of zeros failed: no camera"):
        probed(Choosy(5), latent_dim=20)
    with pytest.raises(GanwalkError, match=r"call with z \(7, 9\) failed: .*is --latent-dim right"):
        probed(Dense(torch.tanh), latent_dim=9)
    with pytest.raises(GanwalkError, match="cannot be called with z, or with z and a label: wrap it"):
        probed(lambda z, c, camera: z, latent_dim=20)


def test_modules_of_the_current_folder_are_found(package, monkeypatch):
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in (str(package), "")])
    assert load_generator("extgan:make").z_dim == 24


def test_a_network_for_single_codes_is_refused():
    def single(z):
        if z.ndim != 1:
            raise ValueError("one code at a time")
        return z.view(3, 2, 2)

    with pytest.raises(GanwalkError, match=r"makes no batch .*one code at a time.*give --latent-dim"):
        probed(single)


def test_randomness_inside_is_held_still():
    def noisy(z):
        return (z.mean(dim=1)[:, None, None, None] + 0.1 * torch.randn(len(z), 1, 4, 4)).tanh()

    generator = probed(noisy, latent_dim=5)
    z = sample_z(generator, 3, seed=0)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    assert torch.equal(generator.synthesis(z), generator.synthesis(z))
    first, again, other = (generator.synthesis(z, noise="random", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.allclose(first, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_other_precisions_come_back_as_float32():
    generator = probed(Dense(torch.tanh).double())
    z = sample_z(generator, 2, seed=0).requires_grad_()
    images = generator.synthesis(z)
    assert images.dtype == torch.float32
    (gradient,) = torch.autograd.grad(images.sum(), z)
    assert gradient.abs().min() > 0 and not any(p.requires_grad for p in generator.parameters())


def test_layers_and_shapes_that_do_not_exist():
    generator = probed(Dense(torch.tanh))
    with pytest.raises(GanwalkError, match="layers 0 to 0"):
        generator.synthesis(torch.zeros(1, 20), until=1)
    with pytest.raises(GanwalkError, match=r"expected \(n, 20\)"):
        generator.mapping(torch.zeros(1, 21))


def test_references_to_modules_and_to_makers(package):
    made, instance, made_by_class = (load_generator(f"extgan:{name}") for name in ("make", "network", "Convolutional"))
    assert (made.z_dim, instance.z_dim) == (24, 12)
    assert made.identity.reference == "extgan:make" and made.identity.architecture == "python"
    # The same weights under another name are another generator, as are other weights under the same name.
    assert made.identity.sha256 != made_by_class.identity.sha256
    assert load_generator("extgan:make").identity == made.identity
    sys.modules["extgan"].network.last.bias.data += 1
    assert load_generator("extgan:network").identity.sha256 != instance.identity.sha256
    z = sample_z(made, 2, seed=0)
    assert torch.equal(made.synthesis(z), made_by_class.synthesis(z))


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("no_such_package:make", "no module no_such_package here: install it"),
        ("extgan:missing", "does not exist"),
        ("extgan:number", "is a int"),
        ("extgan:broken", r"broken\(\) failed: no weights here"),
        ("extgan:make.nothing", "does not exist"),
        ("os:getcwd", r"getcwd\(\) makes a str"),
    ],
)
def test_references_that_lead_nowhere(reference, message):
    with pytest.raises(GanwalkError, match=message) as caught:
        load_generator(reference)
    assert "\n" not in str(caught.value)


def test_a_program_needs_trust(program):
    assert torch_reader.is_torchscript(program)
    with pytest.raises(GanwalkError, match=r"g\.ts is a TorchScript .*, which runs only on your word: add"):
        load_generator(program)
    with pytest.raises(GanwalkError, match="only on your word"):
        describe(program)
    generator = load_generator(program, trust=True)
    assert (generator.z_dim, generator.spatial, generator.image_range) == (24, True, (-1.0, 1.0))
    assert generator.identity.reference == str(program.resolve())
    z = sample_z(generator, 2, seed=0)
    assert torch.allclose(generator.synthesis(z), load_generator("extgan:make").synthesis(z), atol=1e-6)
    assert describe(program, trust=True)["format"] == "torchscript"


def test_a_damaged_program_is_named(program):
    with zipfile.ZipFile(program) as archive, zipfile.ZipFile("bad.ts", "w") as bad:
        for entry in archive.namelist():
            data = archive.read(entry)
            bad.writestr(entry, data.replace(b"def forward", b"dex forward") if entry.endswith(".py") else data)
    with pytest.raises(GanwalkError, match=r"bad\.ts cannot be loaded as TorchScript") as caught:
        load_generator("bad.ts", trust=True)
    assert "\n" not in str(caught.value)


def test_whole_modules_stay_unread(package):
    import extgan

    for legacy in (False, True):
        torch.save(extgan.make(), "whole.pt", _use_new_zipfile_serialization=not legacy)
        for trust in (False, True):
            with pytest.raises(GanwalkError, match=r"holds a whole module.*TorchScript"):
                load_generator("whole.pt", trust=trust)


def test_facts_are_refused_where_the_file_has_them(package):
    for facts in ({"latent_dim": 3}, {"image_range": (0.0, 1.0)}):
        with pytest.raises(GanwalkError, match="is no code: drop"):
            load_generator("blobs", **facts)
    for limits in ((1.0, 0.0), (0.0, float("inf"))):
        with pytest.raises(GanwalkError, match="a lower and a higher number"):
            load_generator("extgan:make", image_range=limits)
    assert parse_image_range("-1,1") == (-1.0, 1.0)
    for text in ("1", "a,b", "1,2,3"):
        with pytest.raises(GanwalkError, match="not two numbers"):
            parse_image_range(text)


def directions_of(identity, d=24):
    return Directions(torch.eye(d)[:2], torch.ones(2), "z", identity, method="rtd")


def test_a_directions_file_runs_nothing(package):
    reference = GeneratorIdentity("extgan:make", "0" * 64, "python", 8, '{"latent_dim": 24}')
    # A file may call the generator anything: not even a lie about its architecture, with trust, has it imported.
    for architecture in ("python", "stylegan2"):
        saved = directions_of(replace(reference, architecture=architecture))
        saved.save("d.safetensors")
        with pytest.raises(GanwalkError, match=r"give --generator extgan:make|is gone: give it with --generator"):
            load_directions_generator(Directions.load("d.safetensors").generator, None, trust=True)
    assert not Path("imported").exists()


def test_a_directions_file_runs_no_program(program):
    sha256 = load_generator(program, trust=True).identity.sha256
    for architecture, message in (("torchscript", "g.ts --trust"), ("stylegan2", "only on your word")):
        identity = GeneratorIdentity(str(program.resolve()), sha256, architecture, 8)
        with pytest.raises(GanwalkError, match=message):
            load_directions_generator(identity, None, trust=True)
    with pytest.raises(GanwalkError, match="only on your word"):
        load_directions_generator(identity, program)
    assert load_directions_generator(identity, program, trust=True).z_dim == 24


@pytest.mark.parametrize("text", ["[]", "x", '{"latent_dim": "a"}', '{"image_range": [1]}', '{"latent_dim": -1}', "1"])
def test_damaged_interfaces_are_refused(package, text):
    identity = GeneratorIdentity("extgan:make", "0" * 64, "python", 8, text)
    with pytest.raises(GanwalkError, match=r"interface|latent dimension"):
        load_directions_generator(identity, "extgan:make")


def run(capsys, *arguments):
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return caught.value.code, captured.out + captured.err


FAST = ["--steps", "2", "--batch", "6", "--n-directions", "3", "-q"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["g.ts", "extgan:make"])
def test_the_commands_go_the_whole_way(program, capsys, name):
    trust = ["--trust"] if name == "g.ts" else []
    facts = ["--image-range", "-2,2"]
    code, out = run(capsys, "info", name, *trust, *facts)
    assert code == 0 and ("torchscript" in out or "python" in out) and "-2,2" in out and "(n, d, 1, 1)" in out
    code, out = run(capsys, "discover", "-g", name, *trust, *facts, *FAST)
    again = " ".join(["--generator", name, *trust])
    assert code == 0 and f"next: ganwalk render {again} --direction 0" in out, out
    directions = Directions.load("ganwalk-out/directions.safetensors")
    assert directions.space == "z" and directions.vectors.shape == (3, 24)
    assert Interface.from_text(directions.generator.interface) == Interface(24, (-2.0, 2.0))
    generator = load_directions_generator(directions.generator, name, trust=bool(trust))
    assert generator.image_range == (-2.0, 2.0)
    draw = ["render", "-d", 1, "--seeds", "1", "--steps", 2, "-q"]
    code, out = run(capsys, *draw)
    assert code == 2 and f"--generator {generator.identity.reference}" in out
    assert run(capsys, *draw, "-g", name, *trust)[0] == 0
    assert Path("ganwalk-out/direction-1-seeds-1-steps-2.png").exists()
    torch.save(torch.eye(24)[:4], "four.pt")
    code, out = run(capsys, "import", "four.pt", "-g", name, *trust, "--latent-dim", 24)
    assert code == 0 and "4 directions" in out and again in out
    for command in (["name", 1, "smile"], ["export", "d.npy"]):
        code, out = run(capsys, *command, "--directions", "ganwalk-out/directions.safetensors")
        code, out = run(capsys, *shlex.split(out.partition("next: ganwalk ")[2]), "-q")
        assert code == 0, out


def test_commands_refuse_in_one_line(program, capsys):
    for arguments, message in (
        (["discover", "-g", "g.ts", *FAST], "--trust"),
        (["discover", "-g", "g.ts", "--trust", "--layer", 2, *FAST], "layers 0 to 0"),
        (["discover", "-g", "g.ts", "--trust", "--space", "w", *FAST], "no w space"),
        (["discover", "-g", "blobs", "--latent-dim", 6, *FAST], "is no code"),
        (["info", "g.ts", "--trust", "--latent-dim", 5], "is --latent-dim right"),
        (["info", "extgan:make", "--image-range", "x"], "not two numbers"),
        (["convert", "g.ts", "g.safetensors"], "TorchScript program"),
    ):
        code, text = run(capsys, *arguments)
        assert code == 2 and message in text and len(text.strip().splitlines()) == 1, text
