"""What reads factors: blobs exactly, scenes by the shipped predictor, anything by a classifier that is trusted."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from ganwalk.errors import GanwalkError
from ganwalk.evaluation.effects import effect_scores
from ganwalk.evaluation.factors import ClassifierReader, factor_reader, load_classifier, parse_attributes
from ganwalk.generators.base import sample_z
from ganwalk.generators.loading import load_generator
from tests.evaluation.known import axes_of


class Brightness(nn.Module):
    """Mean of the left half of the picture, and of the right."""

    def forward(self, images):
        half = images.shape[3] // 2
        return torch.stack([images[..., :half].mean(dim=(1, 2, 3)), images[..., half:].mean(dim=(1, 2, 3))], dim=1)


class Wrong(nn.Module):
    def __init__(self, kind: str):
        super().__init__()
        self.kind = kind

    def forward(self, images):
        if self.kind == "shape":
            return images
        if self.kind == "whole":
            return images.mean(dim=(2, 3)).long()
        if self.kind == "nan":
            return images.mean(dim=(2, 3)) * float("nan")
        return images.reshape(-1, 7)


@pytest.fixture
def saved(tmp_path):
    """Scripts a network into a file."""

    def save(network):
        path = tmp_path / "classifier.ts"
        torch.jit.script(network).save(str(path))
        return path

    return save


def test_blobs_are_read_exactly():
    generator = load_generator("blobs-curved")
    reader = factor_reader(generator)
    w = generator.mapping(sample_z(generator, 5, seed=0))
    assert torch.equal(torch.stack(reader.read(w, None), dim=1), generator.factors(w[:, 0]))
    assert [f.name for f in reader.factors if f.kind == "circular"] == ["angle", "hue"]
    assert not reader.needs_images


def test_scenes_are_read_by_the_shipped_predictor():
    generator = load_generator("scenes")
    reader = factor_reader(generator)
    assert [factor.kind for factor in reader.factors] == [*["circular"] * 3, "linear", "categorical", "linear"]
    styles = generator.mapping(sample_z(generator, 3, seed=0))
    values = reader.read(styles, generator.synthesis(styles).clamp(-1, 1))
    assert [tuple(value.shape) for value in values] == [(3,)] * 4 + [(3, 4), (3,)]


@pytest.mark.slow
def test_scenes_directions_have_effects():
    generator = load_generator("scenes")
    vectors = torch.linalg.qr(torch.randn(128, 2, generator=torch.Generator().manual_seed(0)))[0].T.contiguous()
    directions = replace(axes_of(load_generator("blobs")), vectors=vectors, scales=torch.tensor([3.0, 0.0]), space="w")
    found = effect_scores(generator, directions, factor_reader(generator), samples=8)
    assert found.factors[4] == "shape" and (found.matrix[0] > 0).all() and found.matrix[0].max() > 0.1
    # A shift of no length changes nothing.
    assert (found.matrix[1] == 0).all() and 0 <= found.overall <= 1


def test_other_generators_have_no_reader(toy):
    assert factor_reader(toy) is None


def test_a_classifier_sees_images_of_the_generator(saved):
    generator = load_generator("blobs")
    reader = load_classifier(saved(Brightness()), generator, trust=True, attributes=["left", "right"])
    styles = generator.mapping(sample_z(generator, 4, seed=0))
    images = generator.synthesis(styles)
    left, right = reader.read(styles, images)
    assert torch.allclose(left, images[..., :16].mean(dim=(1, 2, 3)), atol=1e-6) and right.shape == (4,)
    found = effect_scores(generator, axes_of(generator), reader, samples=64)
    background = generator.factor_names.index("background")
    assert found.factors == ("left", "right")
    # Brightness is that of the background, mostly.
    assert (found.matrix.argmax(dim=0) == background).all() and found.matrix[background].min() > 0.5
    unnamed = load_classifier(saved(Brightness()), generator, trust=True)
    assert [factor.name for factor in unnamed.factors] == ["attribute 0", "attribute 1"]


def test_a_classifier_runs_only_on_the_users_word(saved, blobs):
    with pytest.raises(GanwalkError, match="only on your word: add --trust"):
        load_classifier(saved(Brightness()), blobs, trust=False)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("shape", r"returns torch.float32 of shape \(2, 3, 32, 32\) for 2 images"),
        ("whole", "returns torch.int64"),
        ("nan", "not finite"),
        ("raise", "does not take 2 images of 3×32×32"),
    ],
)
def test_classifiers_that_are_none_end_in_one_line(saved, blobs, kind, message):
    with pytest.raises(GanwalkError, match=message) as caught:
        load_classifier(saved(Wrong(kind)), blobs, trust=True)
    assert "\n" not in str(caught.value)


def test_files_and_names_that_do_not_fit(saved, blobs, tmp_path):
    with pytest.raises(GanwalkError, match="does not exist"):
        load_classifier(Path("no.ts"), blobs, trust=True)
    other = tmp_path / "other.pt"
    torch.save(torch.zeros(2), other)
    with pytest.raises(GanwalkError, match="not a TorchScript program"):
        load_classifier(other, blobs, trust=True)
    with pytest.raises(GanwalkError, match="2 attributes, but --attributes names 1"):
        load_classifier(saved(Brightness()), blobs, trust=True, attributes=["left"])
    assert parse_attributes("smile, age") == ["smile", "age"]
    for text in ("", "smile,", "a,a"):
        with pytest.raises(GanwalkError, match="different names"):
            parse_attributes(text)


class Fickle(torch.nn.Module):
    """Answers two images well, and more of them as the mode says."""

    def __init__(self, mode):
        super().__init__()
        self.mode = mode

    def forward(self, images):
        n = len(images)
        if n == 2:
            return images.mean(dim=(2, 3))[:, :2]
        if self.mode == "nan":
            return torch.full((n, 2), torch.nan)
        return torch.zeros((3, 2) if self.mode == "rows" else (n, 5))


@pytest.mark.parametrize(
    ("mode", "message"),
    [("nan", "not finite"), ("rows", "of shape .3, 2. for 16"), ("columns", "5 attributes where it")],
)
def test_a_classifier_is_checked_at_every_batch(blobs, mode, message):
    reader = ClassifierReader(Fickle(mode), ["a", "b"], Path("c.ts"), "")
    with pytest.raises(GanwalkError, match=message):
        effect_scores(blobs, axes_of(blobs), reader, samples=16)
