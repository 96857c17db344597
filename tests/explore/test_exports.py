"""What is taken home is what was seen, and the command draws it again."""

import io
import shlex

import numpy as np
import pytest
import torch
from PIL import Image

from ganwalk.directions import Directions
from ganwalk.directions.edits import Move
from ganwalk.directions.labels import Label
from ganwalk.errors import GanwalkError
from ganwalk.explore.exports import edited_latents, edited_picture, path_animation, render_command
from ganwalk.explore.sides import Side, open_side
from ganwalk.explore.state import State
from ganwalk.explore.studio import Studio
from ganwalk.generators.loading import load_generator
from ganwalk.samples import DrawnSamples, StoredSamples

NAME = 'it\'s a "smile" $HOME'
SAMPLES = DrawnSamples((3, 5), truncation_psi=0.8)
EDITED = State(SAMPLES).moved(0, Move(0, 2.0)).moved(0, Move(1, -1.5)).moved(0, Move(2, 0.0))


@pytest.fixture
def studio(tmp_path):
    blobs = load_generator("blobs")
    directions = Directions(
        blobs.rotation.clone(), torch.ones(6), "z", blobs.identity, labels=(Label(NAME), *[Label()] * 5)
    )
    path = tmp_path / "some folder" / "directions.safetensors"
    path.parent.mkdir()
    directions.save(path)
    return Studio(blobs, [open_side(path)])


def test_a_picture_is_the_samples_side_by_side(studio):
    picture = Image.open(io.BytesIO(edited_picture(studio, EDITED)))
    np.testing.assert_array_equal(np.asarray(picture), np.concatenate(studio.pictures(EDITED)[0], axis=1))
    command = picture.text["ganwalk"]
    assert command == render_command(studio, EDITED).replace(
        shlex.quote(str(studio.sides[0].path)), "directions.safetensors"
    )
    assert "some folder" not in command, "a picture that is sent around tells where files are"


def test_the_command_draws_the_edit(studio, run, tmp_path):
    words = shlex.split(render_command(studio, EDITED))
    assert words[:2] == ["ganwalk", "render"] and f"{NAME}=2,1=-1.5" in words
    assert words[-4:] == ["--seeds", "3,5", "--truncation", "0.8"]
    code, _, err = run(*words[1:], "--out", tmp_path / "again.png")
    assert code == 0, err
    assert (tmp_path / "again.png").exists()


def test_the_command_names_the_cutoff_of_the_truncation(studio):
    words = shlex.split(render_command(studio, EDITED.sampled(truncation_cutoff=4)))
    assert words[-4:] == ["--truncation", "0.8", "--truncation-cutoff", "4"]


def test_there_is_no_command_for_what_is_in_no_file(studio):
    assert render_command(studio, State()) is None
    unkept = Studio(studio.generator, [Side(studio.directions[0], None)])
    assert render_command(unkept, EDITED) is None
    assert Image.open(io.BytesIO(edited_picture(unkept, EDITED))).text == {}


def test_an_animation_goes_to_the_edit_and_back(studio):
    heard = []
    data = path_animation(studio, EDITED, ".gif", lambda done, total: heard.append((done, total)))
    animation = Image.open(io.BytesIO(data))
    frames = []
    for k in range(animation.n_frames):
        animation.seek(k)
        frames.append(np.asarray(animation.convert("RGB")).astype(int))
    assert heard[-1] == (len(frames), len(frames))
    ends = [np.abs(frame - frames[0]).mean() for frame in (frames[1], frames[len(frames) // 2], frames[-1])]
    assert ends[1] > 3 * max(ends[0], ends[2], 0.1)


def test_nothing_walked_is_no_path(studio):
    for state in (State(), State().moved(0, Move(0, 0.0))):
        with pytest.raises(GanwalkError, match="move a slider first"):
            path_animation(studio, state, ".gif", lambda done, total: None)


def test_latents_are_a_plain_array(studio):
    array = np.load(io.BytesIO(edited_latents(studio, EDITED)), allow_pickle=False)
    np.testing.assert_array_equal(array, studio.latents(EDITED, 0))
    assert not np.array_equal(array, studio.latents(State(SAMPLES), 0))


def test_the_command_names_the_files_of_latents(studio, run, tmp_path):
    samples = StoredSamples(torch.ones(1, 6), "z", ("mine",))
    edited = State(samples).moved(0, Move(0, 2.0))
    assert render_command(studio, edited) is None
    np.savez(tmp_path / "mine.npz", z=np.ones((1, 6), np.float32))
    studio.shelf.keep(samples, files=(tmp_path / "mine.npz",))
    words = shlex.split(render_command(studio, edited))
    assert words[-2:] == ["--latents", str(tmp_path / "mine.npz")]
    code, _, err = run(*words[1:], "--out", tmp_path / "again.png")
    assert code == 0, err
    assert render_command(studio, edited, folders=False).endswith("--latents mine.npz")
