"""Directions of GANSpace, SeFa, numpy and torch, in and out."""

import errno
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ganwalk.directions import Directions
from ganwalk.directions.labels import Label
from ganwalk.errors import GanwalkError
from ganwalk.files.shipped import shipped_file
from ganwalk.generators.base import sample_z
from ganwalk.generators.loading import load_generator
from ganwalk.interchange import export_directions, import_directions, import_folder
from ganwalk.interchange.export import export_paths, needs_layers


def matrix(n=4, d=12, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_ganspace_brings_its_deviations(toy, tmp_path):
    path = tmp_path / "cache.npz"
    stdev = np.array([4, 3, 2, 1], np.float32)
    np.savez_compressed(
        path,
        act_comp=matrix()[:, None],
        act_mean=np.zeros((1, 12)),
        act_stdev=stdev,
        lat_comp=unit(matrix())[:, None],
        lat_mean=np.zeros((1, 12)),
        lat_stdev=stdev,
        var_ratio=stdev / 10,
        random_stdevs=stdev,
    )
    directions = import_directions(path, toy)
    assert np.allclose(directions.vectors, unit(matrix()), atol=1e-6) and directions.scales.tolist() == [4, 3, 2, 1]
    assert directions.space == "w" and directions.method == "imported from ganspace"


@pytest.mark.parametrize("name", ["a.npy", "a.pt", "a.pth"])
def test_plain_matrices_are_normalised_and_measured(toy, tmp_path, name):
    path = tmp_path / name
    rows = 3 * matrix()
    np.save(path, rows) if name == "a.npy" else torch.save({"boundaries": torch.from_numpy(rows)}, path)
    directions = import_directions(path, toy, layers=(1, 2))
    assert np.allclose(directions.vectors, unit(rows), atol=1e-6) and directions.layers == (1, 2)
    w = toy.mapping(sample_z(toy, 20_000, seed=3))[:, 0]
    assert torch.allclose(directions.scales, (w @ directions.vectors.T).std(dim=0), rtol=0.05)


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.pt"])
def test_what_is_exported_can_be_imported(toy, tmp_path, name):
    np.save(tmp_path / "in.npy", matrix())
    directions = import_directions(tmp_path / "in.npy", toy)
    export_directions(directions, tmp_path / name)
    again = import_directions(tmp_path / name, toy)
    assert torch.allclose(again.vectors, directions.vectors, atol=1e-6)
    assert torch.allclose(again.scales, directions.scales, rtol=1e-5)


def test_exports_have_the_arrays_that_others_read(toy, tmp_path):
    np.save(tmp_path / "in.npy", matrix())
    directions = import_directions(tmp_path / "in.npy", toy)
    export_directions(directions, tmp_path / "g.npz", "ganspace")
    with np.load(tmp_path / "g.npz") as arrays:
        assert arrays["lat_comp"].shape == (4, 1, 12) and arrays["lat_stdev"].shape == (4,)
        assert arrays["lat_mean"].shape == (1, 12) and set(arrays) >= {"act_comp", "act_mean", "act_stdev", "var_ratio"}
    export_directions(directions, tmp_path / "s.npy", "sefa")
    assert np.load(tmp_path / "s.npy").shape == (4, 12)


def test_given_scales_are_taken(toy, tmp_path):
    np.save(tmp_path / "in.npy", matrix())
    scales = torch.tensor([1.0, 2.0, 3.0, 4.0])
    assert torch.equal(import_directions(tmp_path / "in.npy", toy, scales=scales).scales, scales)


def test_the_columns_of_an_eigvec_are_directions(toy, tmp_path):
    q = torch.linalg.qr(torch.randn(12, 12, generator=torch.Generator().manual_seed(0)))[0]
    torch.save({"ckpt": "stylegan2.pt", "eigvec": q}, tmp_path / "factor.pt")
    assert torch.allclose(import_directions(tmp_path / "factor.pt", toy).vectors, q.T, atol=1e-6)


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.pt"])
def test_exports_that_fail_leave_nothing(toy, tmp_path, monkeypatch, name):
    np.save(tmp_path / "in.npy", matrix())
    directions = import_directions(tmp_path / "in.npy", toy)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(GanwalkError, match=r"cannot write .*No space left on device"):
        export_directions(directions, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["in.npy"]


def write(path, value):
    """A file of the kind that its name says: what torch, numpy or pickle write."""
    if path.suffix == ".npy":
        np.save(path, value)
    elif path.suffix == ".npz":
        np.savez(path, **value)
    elif path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(value))
    else:
        torch.save(value, path)
    return path


def imported(toy, tmp_path, value, name="a.pt", **options):
    return import_directions(write(tmp_path / name, value), toy, **options)


def along(directions, expected):
    """Whether directions are those expected, which may have any length."""
    expected = torch.as_tensor(np.asarray(expected), dtype=torch.float32)
    return torch.allclose(directions.vectors, torch.nn.functional.normalize(expected, dim=1), atol=1e-5)


def test_rows_that_are_equal_are_one_direction(toy, tmp_path):
    row = matrix(1)
    for rows in (6, 5):
        for value, name in ((row.repeat(rows, 0), "a.npy"), (torch.from_numpy(row).expand(rows, -1), "a.pt")):
            directions = imported(toy, tmp_path, value, name)
            assert along(directions, row) and directions.layers is None
            assert directions.settings["reading"] == f"{rows} equal rows, an edit of all layers"
    assert len(imported(toy, tmp_path, row.repeat(6, 0), "a.npy", reading="rows")) == 6
    assert along(imported(toy, tmp_path, row[0], "flat.npy"), row)
    assert along(imported(toy, tmp_path, row.repeat(6, 0)[None], "a.npy"), row)


@pytest.mark.parametrize("shape", [(6, 12), (1, 6, 12), (1, 72)])
def test_an_edit_of_a_range_of_layers_is_one_direction_of_it(toy, tmp_path, shape):
    edit = np.zeros((6, 12), np.float32)
    edit[2:5] = matrix(1)
    directions = imported(toy, tmp_path, edit.reshape(shape), "a.npy")
    assert along(directions, matrix(1)) and directions.layers == (2, 4)
    assert directions.settings["reading"] == "an edit in W+, equal in the layers 2-4"


def test_several_edits_of_the_same_layers_are_directions(toy, tmp_path):
    edits = np.zeros((3, 6, 12), np.float32)
    edits[:, 1:3] = matrix(3)[:, None]
    directions = imported(toy, tmp_path, edits, "a.npy")
    assert along(directions, matrix(3)) and directions.layers == (1, 2)


@pytest.mark.parametrize("shape", [(6, 12), (1, 6, 12), (72,), (2, 6, 12)])
@pytest.mark.parametrize("name", ["a.npy", "a.pt"])
def test_edits_that_differ_from_layer_to_layer_are_directions_in_wplus(toy, tmp_path, shape, name):
    value = matrix(12)[: np.prod(shape) // 12].reshape(shape)
    stored = value if name == "a.npy" else torch.from_numpy(value)
    for reading in (None, "wplus"):
        directions = imported(toy, tmp_path, stored, name, reading=reading)
        assert directions.space == "w+" and directions.vectors.shape == (np.prod(shape) // 72, 6, 12)
        assert torch.allclose(directions.rows, torch.from_numpy(unit(np.reshape(value, (-1, 72)))), atol=1e-5)
        assert "a vector for each of 6 layers (--as rows" in directions.settings["reading"]
    assert along(imported(toy, tmp_path, stored, name, reading="rows"), value.reshape(-1, 12))


def test_scales_in_wplus_go_on_where_those_in_w_end(toy, tmp_path):
    in_w = imported(toy, tmp_path, matrix(1), "a.npy")
    edit = matrix(1).repeat(6, 0)
    edit[3] *= 1.01
    nearly = imported(toy, tmp_path, edit, "a.npy")
    assert nearly.space == "w+" and torch.allclose(nearly.step(0), in_w.step(0).expand(6, -1), rtol=0.02, atol=0.02)
    edit[3:] *= -1
    # Where all layers share a style there is no spread along it, and still somewhere to go.
    assert imported(toy, tmp_path, edit, "a.npy").scales[0] > 0.5 * in_w.scales[0]


def test_layers_leave_a_part_of_an_edit(toy, tmp_path):
    edit = matrix(6)
    part = imported(toy, tmp_path, edit, "a.npy", layers=((0, 1), (4, 4)))
    assert part.layers_of(0) == ((0, 1), (4, 4)) and part.layers is None
    edit[2:] = 0
    with pytest.raises(GanwalkError, match="a direction that is zero in layers 3-5"):
        imported(toy, tmp_path, edit, "a.npy", layers=(3, 5))
    with pytest.raises(GanwalkError, match="layers 3-6 do not exist"):
        imported(toy, tmp_path, edit, "a.npy", layers=(3, 6))


def test_edits_of_sets_of_layers_keep_them(toy, tmp_path):
    edits = np.zeros((2, 6, 12), np.float32)
    edits[0, [0, 3]] = matrix(1)
    edits[1, 1:3] = matrix(1, seed=1)
    directions = imported(toy, tmp_path, edits, "a.npy")
    assert directions.space == "w" and directions.own_layers == (((0, 0), (3, 3)), (1, 2))
    assert "equal in layers of their own" in directions.settings["reading"]
    assert imported(toy, tmp_path, edits, "a.npy", layers=(0, 4)).layers == (0, 4)
    assert imported(toy, tmp_path, edits[:1], "a.npy").layers == ((0, 0), (3, 3))


def test_edits_for_other_generators_say_whose_they_are(toy, tmp_path):
    for value, message in (
        (matrix(18), "has 18 rows: it may be an edit for 18 layers, as a StyleGAN of 1024 px has, but .* has 6 layers"),
        (matrix(28).reshape(2, 14, 12), r"\(2, 14, 12\).*it is for 14 layers, as a StyleGAN of 256 px has"),
        (matrix(1, 18 * 12), "has directions of 216 dimensions, but w has 12: edits of 18 layers"),
        (matrix(16), "512 px or a StyleGAN3"),
    ):
        with pytest.raises(GanwalkError, match=message):
            imported(toy, tmp_path, value, "a.npy")
    assert len(imported(toy, tmp_path, matrix(18), "a.npy", reading="rows")) == 18
    assert len(imported(toy, tmp_path, unit(matrix(18)), "a.npy")) == 18


def test_rows_of_unit_length_are_directions_whatever_their_number(toy, tmp_path):
    for rows in (np.linalg.qr(matrix(12))[0][:6], unit(matrix(6))):
        directions = imported(toy, tmp_path, rows, "a.npy")
        assert along(directions, rows) and "6 rows, each a direction (--as wplus" in directions.settings["reading"]


def test_rows_that_are_nearly_as_many_as_layers_are_read_with_a_doubt(toy, tmp_path):
    for rows, doubt in (
        (5, "nearly the 6 layers of this generator: if they are those of one edit, it is for another network"),
        (8, "if they are the layers of one edit, it is for a StyleGAN of 32 px, not for this generator"),
        (9, None),
        (3, None),
    ):
        read = imported(toy, tmp_path, matrix(rows), "a.npy").settings["reading"]
        assert read == (f"{rows} rows, each a direction ({doubt})" if doubt else f"{rows} rows")
    assert imported(toy, tmp_path, unit(matrix(5)), "a.npy").settings["reading"] == "5 rows"


def test_a_folder_is_one_file_named_after_its_files(toy, tmp_path):
    folder = tmp_path / "editing.v1"
    folder.mkdir()
    np.save(folder / "stylegan_smile_w_boundary.npy", matrix(1))
    np.save(folder / "two.npy", matrix(2, seed=1))
    torch.save(torch.from_numpy(matrix(1, seed=2)), folder / "age.pt")
    (folder / "smile.pkl").write_bytes(pickle.dumps(viewer(name="stylegan smile")))
    (folder / "broken.npy").write_bytes(b"x")
    (folder / "notes.txt").write_text("x")
    directions, refusals = import_folder(folder, toy)
    names = ["age", "stylegan smile", "stylegan smile 2", "two 0", "two 1"]
    assert [label.name for label in directions.labels] == names and len(refusals) == 1 and "broken.npy" in refusals[0]
    assert directions.space == "w" and directions.own_layers == (None, (1, 3), None, None, None)
    assert along(directions.select([0]), matrix(1, seed=2))
    # One edit in W+ makes all of them edits, of the same steps.
    np.save(folder / "hat.npy", matrix(6, seed=3))
    deep, _ = import_folder(folder, toy)
    assert deep.space == "w+" and deep.labels[1].name == "hat" and deep.layers_of(2) == (1, 3)
    smile = directions.find("stylegan smile")
    expected = directions.shift(smile, 2.0, num_layers=6)
    assert torch.allclose(deep.shift(deep.find("stylegan smile"), 2.0, num_layers=6), expected, atol=1e-5)
    deep.save(tmp_path / "deep.safetensors")
    assert Directions.load(tmp_path / "deep.safetensors").fingerprint() == deep.fingerprint()
    # A name that is too long leaves the numbers of rows.
    np.save(folder / f"{'a' * 64}.npy", matrix(12, seed=4))
    long, refusals = import_folder(folder, toy)
    assert [label.name for label in long.labels[:12]] == [f"{'a' * (60 - len(f' {k}'))} {k}" for k in range(12)]
    assert len(long) == 12 + len(deep) and len(refusals) == 1
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(GanwalkError, match="holds no file of directions"):
        import_folder(empty, toy)
    (empty / "a.npy").write_bytes(b"x")
    with pytest.raises(GanwalkError, match=r"a\.npy is damaged"):
        import_folder(empty, toy)


@pytest.mark.parametrize("name", ["a.npy", "a.pt"])
def test_directions_in_channel_styles_are_told_by_their_width(toy, tmp_path, name):
    directions = imported(toy, tmp_path, matrix(3, 64), "in.npy")
    assert directions.space == "s" and directions.channels == toy.style_channels
    assert imported(toy, tmp_path, matrix(3, 64), "in.npy", layers=(1, 2)).layers_of(0) == (1, 2)
    export_directions(directions, tmp_path / name)
    again = import_directions(tmp_path / name, toy)
    assert again.space == "s" and torch.allclose(again.vectors, directions.vectors, atol=1e-6)
    assert torch.allclose(again.scales, directions.scales)
    for kind in ("ganspace", "interfacegan", "wplus", "e4e"):
        with pytest.raises(GanwalkError, match="has no place for: use npy or pt"):
            export_directions(directions, tmp_path / "out", kind)
    with pytest.raises(GanwalkError, match="64 dimensions, but w has 12"):
        import_directions(tmp_path / name, toy, space="w")


@pytest.mark.parametrize("kind", ["interfacegan", "wplus", "e4e", "npy", "pt"])
@pytest.mark.parametrize("space", ["w", "w+", "limited"])
def test_formats_of_one_direction_come_back(toy, tmp_path, kind, space):
    value = np.random.default_rng(0).normal(size=(2, 6, 12)).astype(np.float32) if space == "w+" else matrix(2)
    layers = (1, 2) if space == "limited" else None
    directions = imported(toy, tmp_path, value, "in.npy", layers=layers)
    directions = directions.labelled(1, Label("big / smile"))
    target = tmp_path / (f"out.{kind}" if kind in ("npy", "pt") else "out")
    if kind == "interfacegan" and space == "w+":
        with pytest.raises(GanwalkError, match="a vector for each layer, interfacegan has one"):
            export_directions(directions, target, kind)
        return
    if needs_layers(directions, kind):
        with pytest.raises(GanwalkError, match="say how many layers"):
            export_directions(directions, target, kind)
    export_directions(directions, target, kind, num_layers=6)
    if kind in ("npy", "pt"):
        again = import_directions(target, toy)
    else:
        suffix = ".pt" if kind == "e4e" else ".npy"
        assert sorted(path.name for path in target.iterdir()) == [f"big_smile{suffix}", f"direction_0{suffix}"]
        again = import_folder(target, toy)[0].select([1, 0])
        with pytest.raises(GanwalkError, match="holds one direction, and here are 2: name a folder"):
            export_directions(directions, tmp_path / f"one{suffix}", kind, num_layers=6)
        export_directions(directions.select([0]), tmp_path / f"one{suffix}", kind, num_layers=6)
    assert again.space == directions.space and torch.allclose(again.vectors, directions.vectors, atol=1e-6)
    if kind in ("wplus", "e4e"):
        assert again.layers == layers


def test_the_user_says_what_rows_are(toy, tmp_path):
    assert along(imported(toy, tmp_path, matrix(5), "a.npy"), matrix(5))
    with pytest.raises(GanwalkError, match="5 rows, and the generator has 6 layers"):
        imported(toy, tmp_path, matrix(5), "a.npy", reading="wplus")
    with pytest.raises(GanwalkError, match="no layers with styles of their own in this space"):
        imported(toy, tmp_path, matrix(6, 8), "a.npy", reading="wplus", space="z")
    assert along(imported(toy, tmp_path, matrix(6, 8), "a.npy", space="z"), matrix(6, 8))
    with pytest.raises(GanwalkError, match="choose rows or wplus"):
        imported(toy, tmp_path, matrix(6), "a.npy", reading="columns")


def nested(levels, value):
    """A dict of dicts with a state dict at its end."""
    for level in reversed(levels):
        value = {level: value}
    return value


@pytest.mark.parametrize("prefix", ["", "module.", "deformator.module."])
@pytest.mark.parametrize("levels", [(), ("deformator",), ("models", "deformator")])
@pytest.mark.parametrize("kind", ["linear", "orthogonal"])
def test_deformators_have_directions_in_their_columns(toy, tmp_path, prefix, levels, kind):
    rng = torch.Generator().manual_seed(0)
    if kind == "linear":
        weight = torch.randn(12, 5, generator=rng)
        state, expected = {"linear.weight": weight, "linear.bias": torch.ones(12)}, weight.T
    else:
        half = torch.randn(12, 12, generator=rng)
        state, expected = {"log_mat_half": half}, torch.matrix_exp(half - half.T).T
    value = nested(levels, {prefix + key: tensor for key, tensor in state.items()}) | {"step": 3}
    directions = imported(toy, tmp_path, value)
    assert along(directions, expected) and "columns of" in directions.settings["reading"]


def test_a_deformator_beside_its_predictor_and_as_a_module(toy, tmp_path):
    weight = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
    predictor = {"features.weight": torch.ones(3, 3), "type_estimator.linear.weight": torch.ones(4, 7)}
    value = {"deformator": {"linear.weight": weight}, "shift_predictor": predictor}
    assert along(imported(toy, tmp_path, value), weight.T)

    module = torch.nn.Module()
    module.linear = torch.nn.Linear(4, 12)
    assert along(imported(toy, tmp_path, module), module.linear.weight.detach().T)


def test_deformators_of_all_layers_are_edits(toy, tmp_path):
    columns = torch.zeros(6, 12, 3)
    columns[:2] = torch.from_numpy(matrix(3)).T
    directions = imported(toy, tmp_path, {"linear.weight": columns.reshape(72, 3)})
    assert along(directions, matrix(3)) and directions.layers == (0, 1)


@pytest.mark.parametrize("names", [("mean", "comp", "std"), ("std", "comp", "mean"), ("comp", "mean", "std")])
@pytest.mark.parametrize("as_numpy", [False, True])
@pytest.mark.parametrize("shape", [(4, 12), (4, 1, 12)])
def test_principal_components_bring_their_deviations(toy, tmp_path, names, as_numpy, shape):
    stdev = np.array([[4], [3], [2], [1]], np.float32)
    arrays = {"mean": np.ones((1, 12), np.float32), "comp": unit(matrix()).reshape(shape), "std": stdev}
    value = {name: arrays[name] if as_numpy else torch.from_numpy(arrays[name]) for name in names}
    for file in ("pca.pt", "pca.pkl"):
        directions = imported(toy, tmp_path, value, file)
        assert along(directions, matrix()) and directions.scales.tolist() == [4, 3, 2, 1]
        assert directions.method == "imported from pca"


def test_components_of_scikit_learn(toy, tmp_path):
    from sklearn.decomposition import PCA

    fitted = PCA(3).fit(matrix(50))
    directions = imported(toy, tmp_path, fitted, "pca.pkl")
    assert along(directions, fitted.components_)
    assert np.allclose(directions.scales, fitted.explained_variance_**0.5, rtol=1e-5)


def viewer(**changes):
    """What GANSpace's viewer saves of one component."""
    edit = {
        "name": "smile",
        "sigma_range": 2.0,
        "component_index": 3,
        "act_comp": np.ones((1, 8, 4, 4), np.float32),
        "lat_comp": matrix(1),
        "latent_space": "W",
        "act_stdev": np.float32(7),
        "lat_stdev": np.float32(2.5),
        "model_name": "StyleGAN2",
        "output_class": "ffhq",
        "decomposition": {"name": "ipca", "components": 80, "samples": 1000000, "layer": "style"},
        "edit_type": "latent",
        "truncation": 0.7,
        "edit_start": 1,
        "edit_end": 4,
    }
    return edit | changes


def test_edits_of_the_viewer_bring_their_layers(toy, tmp_path):
    for changes in ({}, {"lat_stdev": 2.5}, {"lat_stdev": torch.tensor(2.5)}):
        directions = imported(toy, tmp_path, viewer(**changes), "smile.pkl")
        assert along(directions, matrix(1)) and directions.scales.tolist() == [2.5]
        # Their end lies behind the last layer.
        assert directions.layers == (1, 3) and directions.space == "w" and directions.labels[0].name == "smile"
    assert imported(toy, tmp_path, viewer(), "smile.pkl", layers=(0, 5)).layers == (0, 5)
    unnamed = imported(toy, tmp_path, viewer(name="a,b"), "smile.pkl")
    assert unnamed.labels[0].name == ""
    in_z = viewer(latent_space="Z", lat_comp=matrix(1, 8))
    with pytest.raises(GanwalkError, match="layers needs directions in w"):
        imported(toy, tmp_path, in_z, "smile.pkl")
    for changes in ({"edit_end": 1}, {"edit_start": "x"}, {"lat_stdev": -1.0}, {"edit_end": 7}):
        with pytest.raises(GanwalkError, match=r"no range of layers|no standard deviation|do not exist"):
            imported(toy, tmp_path, viewer(**changes), "smile.pkl")


@pytest.mark.parametrize("legacy", [False, True])
def test_arrays_and_lists_inside_of_torch_and_pickle_files(toy, tmp_path, legacy):
    rows = matrix()
    for value in (rows, rows.astype(np.float64), np.asfortranarray(rows), torch.from_numpy(rows).half(), list(rows)):
        torch.save(value, tmp_path / "a.pt", _use_new_zipfile_serialization=not legacy)
        assert np.allclose(import_directions(tmp_path / "a.pt", toy).vectors, unit(rows), atol=1e-3)
        assert np.allclose(imported(toy, tmp_path, value, "a.pkl").vectors, unit(rows), atol=1e-3)


def test_the_kind_of_a_file_is_in_it_and_not_in_its_name(toy, tmp_path):
    np.save(tmp_path / "a.npy", matrix())
    (tmp_path / "a.npy").rename(tmp_path / "a.dat")
    assert along(import_directions(tmp_path / "a.dat", toy), matrix())
    np.savez(tmp_path / "b.npz", matrix())
    assert along(import_directions(tmp_path / "b.npz", toy), matrix())
    save_file({"directions": torch.from_numpy(matrix())}, tmp_path / "c.safetensors")
    assert along(import_directions(tmp_path / "c.safetensors", toy), matrix())


def test_matrices_of_which_nothing_is_known_are_named(toy, tmp_path):
    for value, message in (
        ({"support_sets": torch.ones(2, 12)}, "holds the matrix support_sets, of which nothing is known: .*--as rows"),
        ({"a": torch.ones(2, 12), "b": torch.ones(2, 12)}, "holds the matrices a, b, of which nothing is known"),
        ({"comp": torch.ones(2, 12), "eigvec": torch.ones(12, 12)}, r"several matrices of directions \(comp, eigvec\)"),
        ({f"fc{k}.weight": torch.ones(12, 12) for k in range(1, 5)}, "a deformator of several layers"),
        ({"age": 3}, "holds no matrix of directions"),
        ({"log_mat_half": torch.ones(12, 3)}, "log_mat_half has the shape"),
        ({"comp": torch.ones(2, 12), "std": torch.ones(3)}, "std does not fit comp"),
    ):
        with pytest.raises(GanwalkError, match=message):
            imported(toy, tmp_path, value)
    value = {"support_sets": torch.from_numpy(matrix()), "note": "x"}
    assert along(imported(toy, tmp_path, value, reading="rows"), matrix())


def test_checkpoints_and_our_own_files_are_named(toy, tmp_path):
    golden = Path(__file__).parent / "golden"
    imported(toy, tmp_path, matrix(), "a.npy").save(tmp_path / "d.safetensors")
    for path, message in (
        (golden / "rosinality_32.pt", r"is a checkpoint \(rosinality\), not directions: give it as --generator"),
        (golden / "pickled_sg3repo_sg2_32.pkl", r"is a checkpoint \(nvidia-pytorch\)"),
        (shipped_file("scenes.safetensors"), r"is a checkpoint \(ganwalk\)"),
        (tmp_path / "d.safetensors", "is a directions file already: give it as --directions"),
        (tmp_path, "is a folder"),
    ):
        with pytest.raises(GanwalkError, match=message):
            import_directions(path, toy)


def test_the_command_says_which_reading_was_taken(tmp_path, run):
    generator = load_generator("scenes")
    edit = np.zeros((generator.num_layers, generator.w_dim), np.float32)
    edit[1:3] = matrix(1, generator.w_dim)
    np.save(tmp_path / "edit.npy", edit)
    code, out, _ = run("import", tmp_path / "edit.npy", "-g", "scenes")
    assert code == 0 and "1 direction (read from an edit in W+, equal in the layers 1-2)" in out
    assert Directions.load(tmp_path / "edit.safetensors").layers == (1, 2)
    np.save(tmp_path / "edit.npy", matrix(*edit.shape))
    code, out, _ = run("import", tmp_path / "edit.npy", "-g", "scenes", "--as", "wplus", "--force")
    assert code == 0 and "1 direction (read from an edit in W+, a vector for each of" in out
    code, out, _ = run("import", tmp_path / "edit.npy", "-g", "scenes", "--as", "rows", "--force")
    assert code == 0 and f"{len(edit)} directions (read from {len(edit)} rows" in out


def test_the_commands_take_folders_both_ways(tmp_path, run):
    generator = load_generator("scenes")
    folder = tmp_path / "edits"
    folder.mkdir()
    np.save(folder / "smile.npy", matrix(1, generator.w_dim))
    (folder / "broken.pt").write_bytes(b"x")
    code, out, _ = run("import", folder, "-g", "scenes", "--layers", "0-1,3")
    path = tmp_path / "edits.safetensors"
    assert code == 0 and "left out: " in out and f"wrote {path}: 1 direction (read from 1 file)" in out
    assert Directions.load(path).layers == ((0, 1), (3, 3)) and Directions.load(path).find("smile") == 0
    code, out, _ = run("export", tmp_path / "out", "--format", "e4e", "--directions", path)
    assert code == 0 and "layers are not in it" not in out
    assert torch.load(tmp_path / "out" / "smile.pt").any(dim=1).nonzero().flatten().tolist() == [0, 1, 3]
    code, _, err = run("export", tmp_path / "out", "--format", "e4e", "--directions", path)
    assert code == 2 and "--force" in err
    code, out, _ = run("export", tmp_path / "one.npy", "--directions", path)
    assert code == 0 and "their layers are not in it" in out


class Evil:
    def __reduce__(self):
        return (open, ("evil-was-here", "w"))


def test_bad_files_are_refused_and_nothing_runs(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good = matrix()
    np.save("good.npy", good)
    header = (tmp_path / "good.npy").read_bytes()
    cases = {
        "zero.npy": np.zeros((2, 12)),
        "nan.npy": np.full((2, 12), np.nan),
        "wide.npy": np.ones((2, 13)),
        "flat.npy": np.ones(5),
        "scalar.npy": np.float32(1),
        "deep.npy": np.ones((2, 3, 12)),
        "words.npy": np.array([["a"] * 12]),
    }
    for name, array in cases.items():
        np.save(name, array)
    np.save("objects.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    np.savez("objects.npz", lat_comp=np.array([Evil()], dtype=object))
    np.savez("other.npz", x=good)
    torch.save(Evil(), "evil.pt")
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(viewer(lat_comp=Evil())))
    torch.save({"directions": torch.from_numpy(good), "note": Evil()}, "beside.pt")
    torch.save(torch.ones(1, 1).expand(2**20, 2**20), "stretched.pt")
    torch.save(torch.eye(12).to_sparse(), "sparse.pt")
    torch.save(torch.empty(3, 12, device="meta"), "meta.pt")
    torch.save(torch.ones(3, 12, dtype=torch.complex64), "complex.pt")
    torch.save(torch.ones(3, 12, dtype=torch.bool), "bool.pt")
    np.savez("negative.npz", lat_comp=good[:, None], lat_stdev=-np.ones(4))
    (tmp_path / "text.npy").write_text("hello")
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "huge.npy").write_bytes(header.replace(b"(4, 12), }        ", b"(4000000, 12), }  "))
    (tmp_path / "short.npy").write_bytes(header[:-20])
    (tmp_path / "directions.txt").write_text("1 2 3")
    messages = {
        "zero.npy": "a direction that is zero: leave out row 0$",
        "nan.npy": "not finite: leave out rows? .*, or save the directions again$",
        "wide.npy": "13 dimensions, but w has 12; give the generator that they are of as --generator",
        "flat.npy": "5 dimensions, but w has 12",
        "scalar.npy": "no matrix",
        "deep.npy": r"\(2, 3, 12\): directions are \(n, 12\), and in W\+ \(n, 6, 12\)",
        "words.npy": "must be numbers",
        "other.npz": "holds the matrix x, of which nothing is known",
        "stretched.pt": "more values than",
        "sparse.pt": "no plain matrix",
        "meta.pt": "no plain matrix",
        "complex.pt": "unknown type torch.ComplexFloatStorage",
        "bool.pt": "must be numbers, not torch.bool",
        "evil.pt": r"no plain matrix but an object of .*open",
        "evil.pkl": "of which nothing is known",
        "negative.npz": "lat_stdev does not fit",
        "missing.npy": "does not exist",
    }
    names = [*messages, "objects.npy", "objects.npz", "text.npy", "text.npz", "huge.npy", "short.npy", "directions.txt"]
    for name in names:
        with pytest.raises(GanwalkError, match=messages.get(name, "damaged, or no file of directions")) as caught:
            import_directions(tmp_path / name, toy)
        assert "\n" not in str(caught.value) and name in str(caught.value)
    assert along(import_directions(tmp_path / "beside.pt", toy), good)
    assert not (tmp_path / "evil-was-here").exists()


def test_entries_without_end_are_refused(toy, tmp_path):
    value = {f"k{index}": index for index in range(200)}
    for _ in range(6):
        value = {f"k{index}": value for index in range(200)}
    with pytest.raises(GanwalkError, match="more entries than any file of directions"):
        imported(toy, tmp_path, value, "a.pkl")


def test_names_that_are_one_as_files_make_several(toy, tmp_path):
    np.save(tmp_path / "in.npy", matrix())
    directions = import_directions(tmp_path / "in.npy", toy)
    for index, name in enumerate(("smile 2", "smile", "smile!", "Smile?")):
        directions = directions.labelled(index, Label(name))
    paths = export_paths(directions, tmp_path / "out", "e4e")
    assert [path.name for path in paths] == ["smile_2.pt", "smile.pt", "smile_3.pt", "Smile_4.pt"]
    export_directions(directions, tmp_path / "out", "e4e")
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_export_refuses_what_it_cannot_name(toy, tmp_path):
    np.save(tmp_path / "in.npy", matrix())
    directions = import_directions(tmp_path / "in.npy", toy)
    with pytest.raises(GanwalkError, match="cannot tell a format"):
        export_directions(directions, tmp_path / "a.txt")
    with pytest.raises(GanwalkError, match=r"must end in \.npz"):
        export_directions(directions, tmp_path / "a.npy", "ganspace")
