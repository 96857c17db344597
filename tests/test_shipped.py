"""The shipped generator and predictor: the numbers in pretrained/ are those of the shipped files."""

import json

import numpy as np
import pytest
import torch

from ganwalk.evaluation.scene_predictor import FACTOR_NAMES, load_predictor, prediction_loss
from ganwalk.generators.base import sample_z
from ganwalk.generators.loading import load_generator, shipped_file
from vae.data import scene_renderer


@pytest.fixture(scope="module")
def predictor():
    return load_predictor()


def pictures(factors):
    return torch.from_numpy(scene_renderer.render(factors)).permute(0, 3, 1, 2).float() / 127.5 - 1


def read(predicted):
    """Predicted factors (n, 6), scale and azimuth in units of [-1, 1]."""
    return np.column_stack([predicted.hues, predicted.scale.clamp(-1, 1), predicted.shape.argmax(1), predicted.azimuth])


def test_the_predictor_reads_renderings(predictor):
    factors = scene_renderer.sample_factors(60, seed=77)
    rendered = pictures(factors)
    predicted = predictor.predict(rendered)
    gap = np.abs(predicted.hues.numpy() - factors[:, :3])
    assert np.minimum(gap, 1 - gap).max() < 0.02
    error = np.abs(scene_renderer.from_unit(read(predicted)) - factors).mean(axis=0)
    assert error[3] < 0.01 and error[5] < 1
    assert (predicted.shape.argmax(dim=1).numpy() == factors[:, 4]).all()
    assert prediction_loss(predictor(rendered), torch.from_numpy(scene_renderer.to_unit(factors))) < 0.01
    assert FACTOR_NAMES == scene_renderer.FACTOR_NAMES


@pytest.mark.slow
def test_samples_of_the_generator_look_like_renderings(predictor):
    quality = json.loads((shipped_file("scenes.safetensors").parent / "scenes-quality.json").read_text())
    generator = load_generator("scenes")
    assert generator.resolution == 64 and generator.z_dim == 64
    with torch.no_grad():
        images = generator(sample_z(generator, 60, seed=5)).clamp(-1, 1)
        predicted = predictor.predict(images)
    factors = scene_renderer.from_unit(read(predicted))
    error = float((pictures(factors) - images).square().mean().sqrt() / 2)
    assert error == pytest.approx(quality["rerender_rms_error"], rel=0.25)
    # Every shape and a wide range of every hue occur among 60 samples.
    assert set(factors[:, 4]) == {0, 1, 2, 3}
    for hue in factors[:, :3].T:
        assert len(set((hue * 6).astype(int))) >= 5
