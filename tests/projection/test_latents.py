"""Latents in the files of this and other tools, told by their content and checked against the generator."""

import pickle

import numpy as np
import pytest
import torch

from ganwalk.errors import GanwalkError
from ganwalk.generators.base import mean_style, sample_z
from ganwalk.generators.progan import ProGAN, ProGANConfig
from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from ganwalk.interchange.latents import latent_samples, read_latents


def styles(toy, n=1):
    return torch.randn(n, toy.num_layers, toy.w_dim, generator=torch.Generator().manual_seed(3))


def samples_of(path, generator, **options):
    return latent_samples([read_latents(path)], generator, **options)


def test_formats_of_styles(toy, tmp_path):
    w = styles(toy)
    np.savez(tmp_path / "projected_w.npz", w=w.numpy())
    np.save(tmp_path / "sefa.npy", w.numpy())
    torch.save(w, tmp_path / "e4e.pt")
    torch.save(w[0], tmp_path / "bare.pt")
    torch.save(w, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    torch.save({"latent": w, "image": torch.zeros(3)}, tmp_path / "dict.pt")
    torch.save([w], tmp_path / "list.pt")
    for path in sorted(tmp_path.iterdir()):
        samples = samples_of(path, toy)
        assert samples.space == "w" and torch.equal(samples.styles(toy), w), path
        assert samples.labels == (path.stem,)


def test_one_style_serves_every_layer_and_several_are_numbered(toy, tmp_path):
    w = torch.randn(2, 12)
    torch.save(w, tmp_path / "pti.pt")
    samples = samples_of(tmp_path / "pti.pt", toy)
    assert torch.equal(samples.styles(toy), w[:, None].expand(-1, toy.num_layers, -1))
    assert samples.labels == ("pti 0", "pti 1")
    torch.save(styles(toy), tmp_path / "x.pt")
    both = latent_samples([read_latents(tmp_path / name) for name in ("pti.pt", "x.pt")], toy)
    assert both.labels == ("pti 0", "pti 1", "x") and both.styles(toy).shape == (3, toy.num_layers, 12)
    assert torch.equal(both.styles(toy)[2:], styles(toy))


def test_a_style_for_each_picture(toy, tmp_path):
    w = styles(toy, 3)
    torch.save({f"{k}.jpg": row[None] for k, row in enumerate(w)}, tmp_path / "deep.pt")
    torch.save({f"{k}.jpg": row[:1] for k, row in enumerate(w)}, tmp_path / "flat.pt")
    assert torch.equal(samples_of(tmp_path / "deep.pt", toy).styles(toy), w)
    assert torch.equal(samples_of(tmp_path / "flat.pt", toy).latents, w[:, 0])
    assert samples_of(tmp_path / "deep.pt", toy).labels == ("deep 0", "deep 1", "deep 2")
    with pytest.raises(GanwalkError, match="too large"):
        read_latents(tmp_path / "deep.pt", max_values=2 * w[0].numel())
    # Rows may be layers of one picture, or pictures: that is not guessed.
    torch.save({"a.jpg": w[0], "b.jpg": w[1]}, tmp_path / "rows.pt")
    with pytest.raises(GanwalkError, match="does not say which are latents"):
        read_latents(tmp_path / "rows.pt")


def test_codes(toy, tmp_path):
    z = sample_z(toy, 2, 5)
    np.save(tmp_path / "z.npy", z.numpy())
    np.savez(tmp_path / "both.npz", z=z.numpy(), w=toy.mapping(z).numpy(), run=np.zeros(3, np.uint8))
    for name in ("z.npy", "both.npz"):
        samples = samples_of(tmp_path / name, toy, truncation_psi=0.5)
        assert samples.space == "z"
        assert torch.allclose(samples.styles(toy), toy.mapping(z, truncation_psi=0.5), atol=1e-6)
    torch.manual_seed(0)
    progan = ProGAN(ProGANConfig(16, (8, 8, 4), z_dim=8)).eval()
    assert samples_of(tmp_path / "z.npy", progan).space == "z"
    np.savez(tmp_path / "w.npz", w=np.zeros((1, 3, 8)))
    with pytest.raises(GanwalkError, match="holds styles w, but this generator has none"):
        samples_of(tmp_path / "w.npz", progan)


def test_vectors_of_a_generator_with_equal_sizes_are_told_by_their_values(tmp_path):
    torch.manual_seed(0)
    config = StyleGAN2Config(img_resolution=16, z_dim=12, w_dim=12, mapping_layers=2, channel_base=128, channel_max=8)
    generator = StyleGAN2(config).eval().requires_grad_(False)
    generator.w_avg.copy_(mean_style(generator, 1000))
    z = sample_z(generator, 4, 5)
    for values, space in ((z, "z"), (generator.mapping(z)[:, 0], "w")):
        np.save(tmp_path / "x.npy", values.numpy())
        assert samples_of(tmp_path / "x.npy", generator).space == space


def test_what_does_not_fit_is_one_line(toy, tmp_path):
    cases = {
        "styles of 18×512 values, but this generator takes": {"w": np.zeros((1, 18, 512))},
        "codes z of 512 values, but this generator takes 8": {"z": np.zeros((1, 512))},
        "does not say which are latents": {"a": np.zeros((1, 8)), "b": np.zeros((1, 8))},
        "which are no latents": {"w": np.zeros((2, 3, 4, 5))},
        "not finite": {"w": np.full((1, 12), np.nan)},
        "must be numbers": {"w": np.array(["x"])},
        "more than 10000": {"w": np.zeros((10_001, 1))},
    }
    for reason, arrays in cases.items():
        np.savez(tmp_path / "x.npz", **arrays)
        with pytest.raises(GanwalkError, match=reason) as caught:
            samples_of(tmp_path / "x.npz", toy)
        assert "\n" not in str(caught.value) and "x.npz" in str(caught.value)
    np.savez(tmp_path / "z.npz", z=np.zeros((1, 8)))
    np.savez(tmp_path / "w.npz", w=np.zeros((1, 12)))
    with pytest.raises(GanwalkError, match="one after the other"):
        latent_samples([read_latents(tmp_path / name) for name in ("z.npz", "w.npz")], toy)
    with pytest.raises(GanwalkError, match="truncation is of latent codes"):
        samples_of(tmp_path / "w.npz", toy, truncation_psi=0.5)


class Payload:
    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return (open, (self.canary, "w"))


def test_hostile_files_run_nothing(tmp_path):
    canary = tmp_path / "canary"
    hostile = pickle.dumps({"w": Payload(str(canary))})
    for content in (hostile, b"", b"\x93NUMPY", b"PK\x03\x04" + bytes(40), b"<html>", bytes(200)):
        (tmp_path / "x.pt").write_bytes(content)
        with pytest.raises(GanwalkError) as caught:
            read_latents(tmp_path / "x.pt")
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 700
    assert not canary.exists()
    for path, reason in ((tmp_path / "none.npz", "does not exist"), (tmp_path, "is a folder")):
        with pytest.raises(GanwalkError, match=reason):
            read_latents(path)
