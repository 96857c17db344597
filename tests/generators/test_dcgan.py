"""DCGANs as PyTorch's tutorial saves them: parity with torch's own layers, variants of the files, what is refused."""

import pytest
import torch
from torch import nn

from ganwalk.errors import GanwalkError
from ganwalk.generators.base import sample_z
from ganwalk.generators.checkpoints import read_checkpoint
from ganwalk.generators.loading import load_generator


class Tutorial(nn.Module):
    """The tutorial's generator, of any size."""

    def __init__(self, widths=(8, 6, 4), nz=5, nc=3, first=4, norm=True, bias=False):
        super().__init__()
        layers, below = [], nz
        for index, width in enumerate((*widths, nc)):
            last = index == len(widths)
            size, stride, padding = (first, 1, 0) if index == 0 else (4, 2, 1)
            layers.append(nn.ConvTranspose2d(below, width, size, stride, padding, bias=bias))
            layers += [nn.Tanh()] if last else [nn.BatchNorm2d(width), nn.ReLU(True)] if norm else [nn.ReLU(True)]
            below = width
        self.main = nn.Sequential(*layers)

    def forward(self, z):
        return self.main(z)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(nn.Conv2d(3, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 4))


def tutorial(**options):
    """A network whose every tensor differs from its beginning."""
    torch.manual_seed(0)
    network = Tutorial(**options).eval().requires_grad_(False)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.3, 2)
        elif tensor.ndim == 4:
            tensor.normal_(std=0.6 / tensor.shape[0] ** 0.5)
        elif tensor.is_floating_point():
            tensor.normal_(mean=float(name.endswith("weight")), std=0.5)
    return network


def write(value, path, legacy=False):
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return path


def same(generator, network):
    z = sample_z(generator, 3, seed=1)
    expected = network(z[:, :, None, None])
    return (generator(z) - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"widths": (6,), "nc": 1},
        {"widths": (12, 8, 8, 6, 4), "nz": 100},
        {"first": 7, "widths": (6, 4), "nc": 1},
        {"bias": True},
        {"norm": False},
        {"norm": False, "bias": True},
    ],
)
def test_parity_at_any_depth_and_width(tmp_path, options):
    network = tutorial(**options)
    generator = load_generator(write(network.state_dict(), tmp_path / "g.pth"))
    assert same(generator, network)
    assert generator.resolution == generator(sample_z(generator, 1, 0)).shape[-1]


def test_features_are_those_after_each_rectifier(tmp_path):
    network = tutorial()
    generator = load_generator(write(network.state_dict(), tmp_path / "g.pth"))
    x = z = sample_z(generator, 2, seed=1)
    x = x[:, :, None, None]
    after = [x := layer(x) for layer in network.main]
    for layer, expected in enumerate([after[2], after[5], after[8], after[10]]):
        found = generator.synthesis(generator.mapping(z), until=layer)
        assert found.shape[-1] == generator.layer_resolutions[layer]
        assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()
    assert torch.equal(generator.mapping(z, truncation_psi=0.5), 0.5 * generator.mapping(z))


WRAPPED = {
    "alone": lambda state, other: state,
    "generator": lambda state, other: {"generator": state, "discriminator": other, "epoch": 3},
    "netG": lambda state, other: {"netD": other, "netG": state, "optimizerG": {"state": {}, "param_groups": []}},
    "average": lambda state, other: {"netG": {k: v + 1 for k, v in state.items()}, "netG_ema": state},
    "state_dict": lambda state, other: {"state_dict": state, "args": {"nz": 5}},
    "lightning": lambda state, other: {
        "state_dict": {f"discriminator.{k}": v for k, v in other.items()}
        | {f"generator.{k}": v for k, v in state.items()}
    },
}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("wrapping", WRAPPED)
def test_wherever_the_state_lies(tmp_path, wrapping, parallel, legacy):
    network = tutorial()
    states = [module.state_dict() for module in (network, Discriminator())]
    if parallel:
        states = [{f"module.{key}": tensor for key, tensor in state.items()} for state in states]
    path = write(WRAPPED[wrapping](*states), tmp_path / "g.pth", legacy)
    assert same(load_generator(path), network)
    assert read_checkpoint(path).format == read_checkpoint(path).architecture == "dcgan"


def test_states_from_before_batches_were_counted(tmp_path):
    network = tutorial()
    state = {name: tensor for name, tensor in network.state_dict().items() if "num_batches" not in name}
    assert same(load_generator(write(state, tmp_path / "g.pth")), network)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda network: network,
        nn.DataParallel,
        lambda network: {"generator": network, "discriminator": Discriminator()},
        lambda network: {"netG": nn.DataParallel(network).state_dict(), "netD": Discriminator()},
    ],
)
def test_whole_modules(tmp_path, wrap, legacy):
    for options in ({}, {"norm": False, "bias": True, "first": 7, "nc": 1}):
        network = tutorial(**options)
        assert same(load_generator(write(wrap(network), tmp_path / "g.pth", legacy)), network)


def test_a_module_that_holds_itself_is_answered(tmp_path):
    network = nn.DataParallel(tutorial())
    network._modules["module"] = network
    with pytest.raises(GanwalkError):
        load_generator(write(network, tmp_path / "g.pth"))


def changed(index, attribute, value):
    network = tutorial()
    setattr(network.main[index], attribute, value)
    return network


def with_layer(index, layer):
    network = tutorial()
    network.main[index] = layer
    return network


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (lambda: changed(3, "stride", (1, 1)), "stride of main.3 is (1, 1), not (2, 2)"),
        (lambda: changed(0, "padding", (1, 1)), "padding of main.0 is (1, 1), not (0, 0)"),
        (lambda: changed(3, "groups", 2), "groups of main.3 is 2, not 1"),
        (lambda: changed(4, "eps", 0.1), "eps of main.4 is 0.1, not 1e-05"),
        (lambda: with_layer(2, nn.LeakyReLU(0.2)), "main.2 is a torch.nn.modules.activation.LeakyReLU"),
        (lambda: with_layer(10, nn.ReLU()), "it does not end with a torch.nn.modules.activation.Tanh"),
    ],
)
def test_modules_that_compute_something_else_are_refused(tmp_path, network, reason):
    with pytest.raises(GanwalkError) as caught:
        load_generator(write(network(), tmp_path / "g.pth"))
    assert reason in str(caught.value)


def without(state, *endings):
    return {name: tensor for name, tensor in state.items() if not name.endswith(endings)}


REFUSED = {
    "a stride that is not told": (
        lambda state: state | {"main.3.weight": torch.ones(8, 6, 5, 5)},
        "main.3 convolves with 5×5 weights",
    ),
    "something between the layers": (
        lambda state: {name.replace("main.9.", "main.10."): tensor for name, tensor in state.items()},
        "main.10 is a convolution where main.9 should be one",
    ),
    "a normalised image": (
        lambda state: state | {"main.10.weight": torch.ones(3), "main.10.running_mean": torch.zeros(3)},
        "its last convolution is normalised",
    ),
    "labels": (lambda state: state | {"label_embedding.weight": torch.ones(4, 4)}, "it holds label_embedding.weight"),
    "no statistics": (lambda state: without(state, "running_mean", "running_var"), "no running statistics"),
    "statistics of another width": (
        lambda state: state | {"main.1.running_mean": torch.zeros(3)},
        "main.1 do not fit one another",
    ),
    "values that are not finite": (
        lambda state: state | {"main.0.weight": torch.full((5, 8, 4, 4), torch.nan)},
        "layer0.weight holds values that are not finite",
    ),
    "something that is no tensor": (lambda state: state | {"main.1.bias": "text"}, "is no tensor"),
    "an endless image": (
        lambda state: state | {"main.0.weight": torch.ones(5, 8, 1000, 1000)},
        "beyond anything that exists",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_dcgan_is_refused_by_name(tmp_path, name):
    change, message = REFUSED[name]
    with pytest.raises(GanwalkError, match=message):
        load_generator(write(change(dict(tutorial().state_dict())), tmp_path / "g.pth"))


def test_a_discriminator_is_none(tmp_path):
    with pytest.raises(GanwalkError, match="holds no generator that is known"):
        load_generator(write(Discriminator().state_dict(), tmp_path / "d.pth"))
