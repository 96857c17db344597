"""Directions of GANSpace, SeFa, numpy and torch, in and out."""

import errno
from pathlib import Path

import numpy as np
import pytest
import torch

from ganwalk.errors import GanwalkError
from ganwalk.generators.base import sample_z
from ganwalk.interchange import export_directions, import_directions


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
        "flat.npy": np.ones(12),
        "words.npy": np.array([["a"] * 12]),
    }
    for name, array in cases.items():
        np.save(name, array)
    np.save("objects.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    np.savez("objects.npz", lat_comp=np.array([Evil()], dtype=object))
    np.savez("other.npz", x=good)
    torch.save(Evil(), "evil.pt")
    torch.save({"a": torch.ones(2, 12), "b": torch.ones(2, 12)}, "two.pt")
    torch.save(torch.ones(1, 1).expand(2**20, 2**20), "stretched.pt")
    torch.save(torch.eye(12).to_sparse(), "sparse.pt")
    torch.save(torch.empty(3, 12, device="meta"), "meta.pt")
    torch.save(torch.ones(3, 12, dtype=torch.complex64), "complex.pt")
    np.savez("negative.npz", lat_comp=good[:, None], lat_stdev=-np.ones(4))
    (tmp_path / "text.npy").write_text("hello")
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "huge.npy").write_bytes(header.replace(b"(4, 12), }        ", b"(4000000, 12), }  "))
    (tmp_path / "short.npy").write_bytes(header[:-20])
    (tmp_path / "directions.txt").write_text("1 2 3")
    messages = {
        "zero.npy": "zero or not finite",
        "nan.npy": "zero or not finite",
        "wide.npy": "13 dimensions, but w has 12",
        "flat.npy": "no matrix",
        "words.npy": "must be numbers",
        "other.npz": "holds no lat_comp",
        "two.pt": "holds 2 matrices",
        "stretched.pt": "no plain matrix",
        "sparse.pt": "no plain matrix",
        "meta.pt": "no plain matrix",
        "complex.pt": "must be numbers, not torch.complex64",
        "negative.npz": "lat_stdev does not fit",
        "directions.txt": "unknown kind",
        "missing.npy": "does not exist",
    }
    names = [*messages, "objects.npy", "objects.npz", "evil.pt", "text.npy", "text.npz", "huge.npy", "short.npy"]
    for name in names:
        with pytest.raises(GanwalkError, match=messages.get(name, "damaged, or no file of directions")):
            import_directions(tmp_path / name, toy)
    assert not (tmp_path / "evil-was-here").exists()


def test_export_refuses_what_it_cannot_name(toy, tmp_path):
    np.save(tmp_path / "in.npy", matrix())
    directions = import_directions(tmp_path / "in.npy", toy)
    with pytest.raises(GanwalkError, match="cannot tell a format"):
        export_directions(directions, tmp_path / "a.txt")
    with pytest.raises(GanwalkError, match=r"must end in \.npz"):
        export_directions(directions, tmp_path / "a.npy", "ganspace")
