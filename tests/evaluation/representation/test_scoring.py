"""Representations of directions with a known answer, and the data that they are scored on."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ganwalk.directions import Directions
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.factors import factor_source
from ganwalk.evaluation.representation.labelled import DataSetImages, check_data_set, encode_all, labelled_images
from ganwalk.evaluation.representation.scoring import SHOWN, represent
from ganwalk.evaluation.settings import EvaluationSettings
from ganwalk.evaluation.views import view_of
from ganwalk.files.data_place import DataPlace
from ganwalk.generators.blobs import BlobsConfig
from ganwalk.generators.loading import load_generator, make_blobs
from tests.evaluation.known import rotated
from tests.evaluation.representation.conftest import QUICK
from tests.vae.squares import Squares
from vae.metrics import SCORES


def test_true_axes_make_a_better_representation_than_their_rotation(trained, monkeypatch):
    images = labelled_images(trained.generator, trained.view, "latents")
    told = []
    monkeypatch.setattr("ganwalk.evaluation.representation.scoring.train_encoder", lambda *_, **__: trained.encoder)
    truth = represent(trained.generator, trained.directions, trained.view, images, level="quick", threads=1)
    monkeypatch.undo()
    mixed = represent(
        trained.generator,
        rotated(trained.directions),
        trained.view,
        images,
        level="quick",
        threads=1,
        on_share=lambda *what: told.append(what),
        **QUICK,
    )
    best, rest = truth.summary(), mixed.summary()
    assert set(truth.scores) == set(SCORES)
    assert set(best) == {"representation_fit", *(f"representation_{name}" for name in SHOWN)}
    for name, least in (("mig", 0.5), ("dci_disentanglement", 0.7), ("factor_vae", 0.95), ("beta_vae", 0.95)):
        assert best[f"representation_{name}"] > least
    for name in ("mig", "sap", "dci_disentanglement", "dci_completeness", "factor_vae", "irs"):
        assert rest[f"representation_{name}"] < best[f"representation_{name}"] - 0.05, name
    assert rest["representation_mig"] < 0.3
    # The rotation can be read as well: what it lacks is the right axes.
    assert rest["representation_fit"] > 0.75
    assert list(truth.information.argmax(axis=0)) == list(range(6)) == list(truth.information.argmax(axis=1))
    assert [name for name in dict(told)] == ["encoder", "codes", "metrics"]


def test_latents_and_their_factors_are_drawn_by_the_seed():
    generator = load_generator("blobs-curved")
    directions = Directions(torch.eye(6), torch.ones(6), "z", generator.identity)
    images = labelled_images(generator, view_of(generator, directions, chunk=7), "latents")
    assert images.factor_bins == 10 and images.factor_names == generator.factor_names
    mean = lambda batch: batch.mean(dim=(2, 3))  # noqa: E731
    (codes, factors), (again, _), (other, _) = (encode_all(images, mean, 20, s, lambda _: None) for s in (0, 0, 1))
    assert codes.shape == (20, 3) and factors.shape == (20, 6)
    assert np.array_equal(codes, again) and not np.array_equal(codes, other)
    # Angle and hue come round.
    assert factors[:, 3:5].min() >= 0 and factors[:, 3:5].max() < 4 and factors[:, 0].min() < 0


def test_images_of_a_data_set():
    shares, data = [], Squares()
    images = DataSetImages(data, torch.device("cpu"))
    assert images.factor_bins is None and images.channels == 1 and images.factor_names == data.factor_names
    codes, factors = encode_all(images, lambda batch: batch.flatten(1)[:, :2], 300, 0, shares.append)
    assert codes.shape == (300, 2) and factors.dtype.kind == "i" and shares[-1] == 1
    (batch, labels), _ = images.batches(300, 0)
    assert batch.min() == -1 and batch.max() <= 1 and batch.shape[1:] == (1, 32, 32)
    assert np.array_equal(labels, factors[: len(labels)]) and (labels.max(axis=0) > 0).all()


def test_the_data_set_behind_a_generator(toy, blobs):
    assert check_data_set(blobs, None) == "latents" == check_data_set(blobs, "latents")
    assert check_data_set(load_generator("scenes"), None) == "scenes" == factor_source(load_generator("scenes"))
    assert check_data_set(toy, "shapes3d") == "shapes3d"
    for name, message in (
        (None, "give the one that it was trained on, such as --dataset shapes3d"),
        ("latents", "unknown data set 'latents': choose one of sprites"),
        ("cats", "unknown data set 'cats'"),
    ):
        with pytest.raises(GanwalkError, match=message):
            check_data_set(toy, name)


def test_data_sets_that_cannot_serve(toy, tmp_path, monkeypatch):
    view = view_of(toy, Directions(torch.eye(12)[:2], torch.ones(2), "w", toy.identity))
    with pytest.raises(GanwalkError, match=r"is not there: get 3dshapes\.h5"):
        labelled_images(toy, view, "shapes3d", DataPlace(tmp_path, download=False))
    toy.img_channels = 1
    asked = []

    def load(name, **options):
        asked.append(options["resolution"])
        return SimpleNamespace(name=name, channels=3, factor_names=("hue",) if name == "scenes" else ())

    monkeypatch.setattr("vae.data.load_dataset", load)
    for name, message in (
        ("scenes", "scenes is in colour, and the generator's images are grey"),
        ("celeba", "celeba has no known factors: choose another --dataset"),
    ):
        with pytest.raises(GanwalkError, match=message):
            labelled_images(toy, view, name)
    assert asked == [32, 32]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataset": "scenes"}, "--dataset has no effect without --representation"),
        ({"encoder_steps": 7}, "--encoder-steps has no effect without --representation"),
        ({"metrics": "quick"}, "--metrics has no effect without --representation"),
        ({"encoder_width": 6}, "encoder-width must be a multiple of 4"),
        ({"encoder_lr": 0.0}, "encoder-lr must"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(GanwalkError, match=message):
        EvaluationSettings(**settings)


def test_settings_are_filled_in(blobs):
    found = EvaluationSettings(representation=True).resolve(blobs)
    assert (found.dataset, found.encoder_pairs) == ("latents", 9600)
    large = make_blobs(BlobsConfig(256))
    assert EvaluationSettings(representation=True).resolve(large).encoder_pairs == 1536
    assert replace(found, representation=True) == found and EvaluationSettings().resolve(blobs).dataset is None
