"""Images of students: the same however they come together, kept for the next run, and never trusted blindly."""

from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ganwalk.discovery.search_space import search_space
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.student import images as module
from ganwalk.discovery.student.images import draw_images
from ganwalk.discovery.student.reduction import fit_reduction
from ganwalk.discovery.student.shifts import BLOCK, Shifts
from ganwalk.discovery.view import style_features
from ganwalk.errors import GanwalkError


class Counted:
    """A generator that counts the images it makes."""

    def __init__(self, generator):
        self.generator, self.images = generator, 0

    def __getattr__(self, name):
        return getattr(self.generator, name)

    def synthesis(self, w, **rest):
        self.images += len(w)
        return self.generator.synthesis(w, **rest)


@pytest.fixture
def counted(toy):
    return Counted(toy)


def shifts_of(generator, **change):
    settings = DiscoverySettings(n_directions=4, **change).resolve(generator)
    return Shifts(settings.view(), search_space(generator, settings), 4.0, settings.image_seed)


def test_a_quarter_of_the_latents_is_as_sampled_and_none_is_shifted_too_far(toy):
    shifts = shifts_of(toy)
    unshifted = replace(shifts, reach=0.0)
    moved = torch.cat([shifts.styles(toy, k)[:, 0] - unshifted.styles(toy, k)[:, 0] for k in range(8)]).double()
    assert 0.15 < float((moved.norm(dim=1) == 0).double().mean()) < 0.35
    # In units of standard deviations along each shift.
    vectors = torch.nn.functional.normalize(moved, dim=1)
    lengths = moved.norm(dim=1) / shifts.subspace.scales(vectors)
    assert 3 < float(lengths[moved.norm(dim=1) > 0].max()) <= 4.001
    assert torch.allclose(moved @ shifts.subspace.components.T @ shifts.subspace.components, moved, atol=1e-5)


def test_layers_that_are_not_shifted_stay(toy):
    shifts = shifts_of(toy, layers=(1, 2))
    styles, still = shifts.styles(toy, 0), replace(shifts, reach=0.0).styles(toy, 0)
    assert torch.equal(styles[:, [0, 3, 4, 5]], still[:, [0, 3, 4, 5]]) and not torch.equal(styles, still)
    assert draw_images(toy, shifts, BLOCK).inputs.shape == (BLOCK, 3 * 12)


def test_kept_images_are_not_made_again(counted, tmp_path):
    shifts, kept = shifts_of(counted), tmp_path / "images.safetensors"
    counted.images = 0
    few = draw_images(counted, shifts, 2 * BLOCK, kept)
    assert counted.images == 2 * BLOCK
    more = draw_images(counted, shifts, 3 * BLOCK, kept)
    assert counted.images == 3 * BLOCK
    written = kept.stat()
    again = draw_images(counted, shifts, 2 * BLOCK, kept)
    assert counted.images == 3 * BLOCK
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
    whole = draw_images(counted, shifts, 3 * BLOCK)
    assert torch.equal(more.sketches, whole.sketches) and torch.equal(more.inputs, whole.inputs)
    assert torch.equal(few.sketches, again.sketches)
    draw_images(counted, replace(shifts, reach=3.0), BLOCK, kept)
    assert counted.images == 7 * BLOCK
    assert not list(tmp_path.glob("*.lock"))


def test_sketches_become_coordinates_once_there_are_enough(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PILOT", 2 * BLOCK)
    shifts, kept = shifts_of(toy), tmp_path / "images.safetensors"
    for count in (1, 2, 4):
        images = draw_images(toy, shifts, count * BLOCK, kept)
        assert (images.reduction is None) == (count == 1)
    whole = draw_images(toy, shifts, 4 * BLOCK)
    assert torch.equal(images.coordinates, whole.coordinates) and len(images.sketches) == 2 * BLOCK
    assert 0.9 < images.captured <= 1.0001
    # Distances are those of the features.
    styles = torch.cat([shifts.styles(toy, k) for k in range(4)])
    with torch.no_grad():
        features = style_features(toy, shifts.view, styles, 0).flatten(1)
    expected, found = torch.cdist(features, features), torch.cdist(images.coordinates, images.coordinates)
    assert torch.allclose(found, expected, rtol=0.05, atol=0.05 * float(expected.mean()))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_images_do_not_depend_on_those_that_a_file_has_beside_them(toy, tmp_path, monkeypatch, count):
    monkeypatch.setattr(module, "_PILOT", 3 * BLOCK)
    shifts, kept = shifts_of(toy), tmp_path / "images.safetensors"
    draw_images(toy, shifts, 5 * BLOCK, kept)
    alone, among = (draw_images(toy, shifts, count * BLOCK, file).reduced() for file in (None, kept))
    assert torch.equal(alone.inputs, among.inputs) and torch.equal(alone.coordinates, among.coordinates)
    assert alone.captured == pytest.approx(among.captured, abs=1e-6)


def test_a_file_without_sketches_beside_coordinates_serves_on(counted, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PILOT", 3 * BLOCK)
    shifts, kept = shifts_of(counted), tmp_path / "images.safetensors"
    written = draw_images(counted, shifts, 4 * BLOCK, kept)
    with safe_open(kept, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys() if name != "sketches"}  # noqa: SIM118
        save_file(tensors, kept, file.metadata())
    counted.images = 0
    for blocks in (1, 4):
        images = draw_images(counted, shifts, blocks * BLOCK, kept)
        assert torch.equal(images.coordinates, written.coordinates[: blocks * BLOCK]) and images.reduction is not None
    assert counted.images == 0 and len(draw_images(counted, shifts, 5 * BLOCK, kept)) == counted.images + 4 * BLOCK


@pytest.mark.parametrize("damage", [b"", b"no safetensors", None])
def test_a_file_that_cannot_be_read_holds_no_images(counted, tmp_path, damage):
    shifts, kept = shifts_of(counted), tmp_path / "images.safetensors"
    expected = draw_images(counted, shifts, BLOCK, kept)
    kept.write_bytes(kept.read_bytes()[:-100] if damage is None else damage)
    counted.images = 0
    found = draw_images(counted, shifts, BLOCK, kept)
    assert counted.images == BLOCK and torch.equal(found.sketches, expected.sketches)


def test_what_is_there_must_do_when_the_time_is_over(toy):
    assert len(draw_images(toy, shifts_of(toy), 5 * BLOCK, stop=lambda: True)) == BLOCK


def test_features_that_do_not_vary_are_refused():
    with pytest.raises(GanwalkError, match="do not change with the latents"):
        fit_reduction(torch.ones(20, 5))
