"""What every generator offers: a latent space, a mapping, a synthesis that can stop at a layer."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, Protocol

import torch
from torch import Tensor

from ganwalk.compute.seeds import rng_of
from ganwalk.errors import GanwalkError
from ganwalk.layers import Layers, hull_of, in_words, is_layers, is_single

Noise = Literal["none", "const", "random"]
SPACES = ("z", "w")


@dataclass(frozen=True)
class GeneratorIdentity:
    """What a directions file remembers of its generator.

    Attributes:
        reference: name (also of the catalog), absolute path of the checkpoint, or package.module:callable.
        sha256: hash of the file (of the configuration, for generators without weights).
        architecture: such as "stylegan2" or "blobs"; "torchscript" and "python" are code.
        resolution: larger side of its images, in pixels.
        interface: of code, how it is called (`external.Interface` as text).
        image_size: height and width of its images as "1024×512" where they are not square; empty where they are.
        source_sha256: of a converted file, hash of the one that it was made of; empty for others.
    """

    reference: str
    sha256: str
    architecture: str
    resolution: int
    interface: str = ""
    image_size: str = ""
    source_sha256: str = ""

    def same_network(self, other: GeneratorIdentity) -> bool:
        """Whether both are one file, or conversions of one, or one is a conversion of the other."""
        mine, theirs = ({one.sha256, one.source_sha256} - {""} for one in (self, other))
        return not mine.isdisjoint(theirs)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of its images."""
        if not self.image_size:
            return self.resolution, self.resolution
        height, width = self.image_size.split("×")
        return int(height), int(width)


class Generator(Protocol):
    """A pretrained generator: latent code `z` → style `w` per layer → image.

    Generators are `torch.nn.Module`s in evaluation mode. Images are (n, img_channels, height, width)
    with values around [-1, 1]. Generators without a mapping have `style_based` False; their `w` is `z` itself, beside
    what a label becomes if there are classes, the same for every layer.

    Attributes:
        z_dim: dimension of the latent code.
        w_dim: dimension of one style.
        c_dim: number of classes (0: unconditional).
        num_layers: styles per image; layer k (0-based) is the k-th convolution, the last one is the image.
        layer_resolutions: larger side of the features after each layer.
        resolution: larger side of the image in pixels.
        image_size: height and width of the image in pixels.
        img_channels: channels of the image.
        style_based: whether the `w` space differs from `z`.
        w_avg: mean style (w_dim,), the centre of truncation.
        identity: where it is from; `load_generator` sets it.
    """

    z_dim: int
    w_dim: int
    c_dim: int
    num_layers: int
    layer_resolutions: tuple[int, ...]
    resolution: int
    image_size: tuple[int, int]
    img_channels: int
    style_based: bool
    w_avg: Tensor
    identity: GeneratorIdentity

    def mapping(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """Styles (n, num_layers, w_dim) of latent codes (n, z_dim) and one-hot labels (n, c_dim)."""
        ...

    def synthesis(
        self, w: Tensor, *, until: int | None = None, noise: Noise = "const", seed: int | None = None
    ) -> Tensor:
        """Images of styles (n, num_layers, w_dim) or (n, w_dim), or the features after layer `until`."""
        ...


def check_codes(z: Tensor, z_dim: int, c: Tensor | None = None, c_dim: int = 0) -> None:
    """Raises GanwalkError unless latent codes are (n, z_dim) and labels, where there are classes, (n, c_dim)."""
    if z.ndim != 2 or z.shape[1] != z_dim:
        raise GanwalkError(f"latent codes of shape {tuple(z.shape)} given, expected (n, {z_dim})")
    if c_dim > 0 and (c is None or c.shape != (len(z), c_dim)):
        raise GanwalkError(f"this generator is class-conditional: give labels c of shape (n, {c_dim})")


def broadcast_styles(w: Tensor, num_layers: int, w_dim: int) -> Tensor:
    """Styles as (n, num_layers, w_dim), from that shape or from one style per image, (n, w_dim)."""
    if w.ndim == 2 and w.shape[1] == w_dim:
        return w.unsqueeze(1).expand(-1, num_layers, -1)
    if w.ndim == 3 and tuple(w.shape[1:]) == (num_layers, w_dim):
        return w
    raise GanwalkError(f"styles of shape {tuple(w.shape)} given, expected (n, {w_dim}) or (n, {num_layers}, {w_dim})")


def truncate(w: Tensor, w_avg: Tensor, psi: float, cutoff: int | None) -> Tensor:
    """Truncation trick (Karras et al. 2019, section B): `w_avg + psi (w - w_avg)` on the first `cutoff` layers."""
    if psi == 1.0:
        return w
    truncated = torch.lerp(w_avg.expand_as(w), w, psi)
    if cutoff is None:
        return truncated
    return torch.cat([truncated[:, :cutoff], w[:, cutoff:]], dim=1)


def check_truncation(generator: Generator, psi: float, cutoff: int | None) -> None:
    """Raises GanwalkError unless truncation can stop after the first `cutoff` layers; None never stops."""
    if cutoff is None:
        return
    if not generator.style_based:
        raise GanwalkError("--truncation-cutoff has no effect: this generator has no styles of layers, drop it")
    if not 1 <= cutoff <= generator.num_layers:
        raise GanwalkError(
            f"--truncation-cutoff {cutoff} is out of range: the generator has {generator.num_layers} layers"
        )
    if psi == 1:
        raise GanwalkError("--truncation-cutoff has no effect without truncation: give --truncation, too, or drop it")


def check_layer(until: int | None, num_layers: int) -> int:
    """The index of the layer to stop after; None means the image, which is the last layer."""
    last = num_layers - 1
    if until is None:
        return last
    if not 0 <= until <= last:
        raise GanwalkError(f"layer {until} does not exist: this generator has layers 0 to {last}")
    return until


def check_layers(generator: Generator, layers: Layers | None, space: str) -> None:
    """Raises GanwalkError unless a set of layers (None is all) can be shifted in a space, "z", "w", "w+" or "s"."""
    if layers is None:
        return
    if space == "z":
        raise GanwalkError("a range of layers needs directions in w: name no layers, or discover with --space w")
    if not is_layers(layers):
        raise GanwalkError(f"layers are a first and a last one, or several such pairs, not {layers!r:.40}")
    if hull_of(layers)[1] >= generator.num_layers:
        do = "does" if is_single(layers) else "do"
        last = generator.num_layers - 1
        raise GanwalkError(f"{in_words(layers)} {do} not exist: the generator has layers 0 to {last}")


def size_in_words(image_size: tuple[int, int]) -> str:
    """Height and width as "1024×512"; the empty text for squares, whose side says all."""
    height, width = image_size
    return "" if height == width else f"{height}×{width}"


def device_of(generator: Generator) -> torch.device:
    """Where the generator runs, and its latents and images are."""
    return generator.w_avg.device


def one_hot(labels: Tensor, c_dim: int) -> Tensor:
    """One-hot rows (n, c_dim) of integer class labels (n,)."""
    return torch.nn.functional.one_hot(labels.long(), c_dim).float()


def sample_z(generator: Generator, n: int, seed: int) -> Tensor:
    """Standard normal latent codes (n, z_dim): the same for a seed on every device.

    Of generators with a `z_limit`, the distribution is cut off there (BigGAN's truncated normal).
    """
    rng = rng_of(seed)
    z = torch.randn(n, generator.z_dim, generator=rng)
    limit = z_limit(generator)
    return (z if limit is None else _cut_off(z, limit)).to(device_of(generator))


def _cut_off(z: Tensor, limit: float) -> Tensor:
    """Values of a normal distribution that is cut off at ±limit, from standard normal ones, in their order."""
    low, high = torch.special.ndtr(torch.tensor([-limit, limit], dtype=torch.float64))
    return torch.special.ndtri(low + torch.special.ndtr(z.double()) * (high - low)).float()


def z_limit(generator: Generator) -> float | None:
    """Where the distribution of latent codes is cut off on either side; None where it is not."""
    limit: float | None = getattr(generator, "z_limit", None)
    return limit


def z_variance(generator: Generator) -> float:
    """Variance of each value of latent codes: 1, or less where a `z_limit` cuts their distribution off."""
    limit = z_limit(generator)
    if limit is None:
        return 1.0
    normal = NormalDist()
    return 1 - 2 * limit * normal.pdf(limit) / (2 * normal.cdf(limit) - 1)


def nvidia_z(generator: Generator, seed: int) -> Tensor:
    """The latent code (1, z_dim) that NVIDIA's scripts draw for a seed: numpy's `RandomState(seed).randn(1, z_dim)`.

    Raises:
        GanwalkError: the seed is none of numpy's, which are below 2³².
    """
    import numpy as np

    if not 0 <= seed < 2**32:
        raise GanwalkError(f"seed {seed} is none of NVIDIA's, which are below 2³²: give --seed-style torch")
    z = np.random.RandomState(seed).randn(1, generator.z_dim)
    return torch.from_numpy(z.astype(np.float32)).to(device_of(generator))


def check_class(generator: Generator, class_index: int | None) -> None:
    """Raises GanwalkError unless the generator has this class; None is always right."""
    if class_index is None:
        return
    if generator.c_dim == 0:
        raise GanwalkError("--class given, but this generator is not class-conditional")
    if not 0 <= class_index < generator.c_dim:
        raise GanwalkError(f"class {class_index} does not exist: classes are 0 to {generator.c_dim - 1}")


def sample_labels(generator: Generator, n: int, class_index: int | None, seed: int) -> Tensor | None:
    """One-hot labels of one class, or of classes drawn uniformly; None for an unconditional generator."""
    check_class(generator, class_index)
    if generator.c_dim == 0:
        return None
    if class_index is None:
        labels = torch.randint(generator.c_dim, (n,), generator=rng_of(seed))
    else:
        labels = torch.full((n,), class_index)
    return one_hot(labels, generator.c_dim).to(device_of(generator))


def mean_style(generator: Generator, samples: int = 10_000, seed: int = 0) -> Tensor:
    """Mean style (w_dim,) of seeded latents, the centre of truncation where a checkpoint stores none."""
    total = torch.zeros(generator.w_dim, dtype=torch.float64)
    with torch.no_grad():
        for start in range(0, samples, 1000):
            n = min(1000, samples - start)
            z = sample_z(generator, n, seed + start)
            c = sample_labels(generator, n, None, seed + start)
            total += generator.mapping(z, c)[:, 0].cpu().double().sum(dim=0)
    return (total / samples).float().to(device_of(generator))
