"""How latents become the points of a cloud: the space, the layers, the features, a bounded number at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ganwalk.generators.base import Generator, Noise, device_of, sample_labels, sample_z
from ganwalk.generators.channels import channelled
from ganwalk.layers import Layers

# Pixels on a side up to which distances are taken between images by default; above it, between features.
IMAGE_DISTANCE_LIMIT = 128
FEATURE_DISTANCE_LIMIT = 32
DEFAULT_CHUNK = 64
# Values of the largest feature map of a chunk in 3 GB: 16 maps of 512 channels and 32 px, with which the gradient of a
# 1024 px network takes some 2 GB.
DEFAULT_MEMORY = 3 * 10**9
_CHUNK_VALUES = 2**23
# Share of the memory that gradients of small networks may take.
_KEPT = 2 / 3
_WIDEST = 512


@dataclass(frozen=True)
class View:
    """How latents become the points of a cloud.

    Attributes:
        space: "z", "w", or "s", the channel styles (`ganwalk.generators.channels`).
        layers: whose styles are shifted (`ganwalk.layers`); None shifts all. Only for w.
        layer: layer whose features are compared; the last one is the image.
        noise: per-pixel noise of the synthesis.
        truncation_psi: truncation of the batch before it is shifted.
        class_index: class of a conditional generator; None draws classes.
        chunk: latents synthesised at once; larger batches are recomputed chunk by chunk in the backward pass.
        truncation_cutoff: truncate only this many first layers; None truncates all.
        precision: "float32", or "bfloat16" for the synthesis; features are float32 in either case.
        given: latents of batches as `sample_latents` has them, the first of a batch first; None draws them.
    """

    space: str
    layers: Layers | None
    layer: int
    noise: Noise
    truncation_psi: float
    class_index: int | None
    chunk: int
    truncation_cutoff: int | None = None
    precision: str = "float32"
    given: Tensor | None = field(default=None, compare=False, repr=False)

    def styles(self, generator: Generator, z: Tensor, c: Tensor | None) -> Tensor:
        """Styles (n, num_layers, w_dim) of latent codes (n, z_dim) and labels, truncated."""
        return generator.mapping(z, c, truncation_psi=self.truncation_psi, truncation_cutoff=self.truncation_cutoff)


def default_layer(generator: Generator) -> int:
    """The image for small generators; otherwise the last layer of at most 32 px, as the paper's early layers.

    A generator whose features have margins may be larger than that from the start: then the last of its smallest ones.
    """
    last = generator.num_layers - 1
    if generator.resolution <= IMAGE_DISTANCE_LIMIT:
        return last
    limit = max(FEATURE_DISTANCE_LIMIT, min(generator.layer_resolutions))
    return max(k for k, size in enumerate(generator.layer_resolutions) if size <= limit)


def default_chunk(generator: Generator, layer: int, memory: float = DEFAULT_MEMORY) -> int:
    """Images to synthesise at once up to a layer: few where feature maps are large, as published networks have them.

    Args:
        memory: bytes that the process may take, gradients included.
    """
    if generator.resolution <= IMAGE_DISTANCE_LIMIT:
        return max(1, min(DEFAULT_CHUNK, int(_KEPT * memory / _kept_bytes(generator, layer))))
    size = generator.layer_resolutions[layer]
    channels = max(1, min(_WIDEST, 2**15 // size))
    values = int(_CHUNK_VALUES * memory / DEFAULT_MEMORY)
    return max(1, min(DEFAULT_CHUNK, values // (channels * size**2)))


def _kept_bytes(generator: Generator, layer: int) -> int:
    """Bytes that the gradient of one image of a small network holds, roughly: of StyleGAN2 at 128 px, 237 MB.

    Two maps of a layer, and of networks with styles the weights, which each image may have for itself. Of networks that
    hide theirs, channels are the most that published ones have.
    """
    # Wrappers hand it on; what is no module has none.
    weights = [weight for weight in getattr(generator, "parameters", tuple)() if weight.ndim >= 4]
    widest = max((max(weight.shape[-4:-2]) for weight in weights), default=_WIDEST)
    sizes = generator.layer_resolutions[: layer + 1]
    maps = sum(max(1, min(widest, _WIDEST, 2**15 // size)) * size**2 for size in sizes)
    own = sum(weight.numel() for weight in weights) if generator.style_based else 0
    return 4 * (2 * maps + own)


def default_precision(generator: Generator) -> str:
    """bfloat16 for large networks on processors that compute in it, otherwise float32."""
    if generator.resolution <= IMAGE_DISTANCE_LIMIT:
        return "float32"
    device = device_of(generator)
    if device.type == "cuda":
        able = torch.cuda.is_bf16_supported()
    elif device.type == "cpu":
        # A torch that cannot tell is an old one.
        able = any(getattr(torch.cpu, f"_is_{name}_supported", bool)() for name in ("avx512_bf16", "amx_tile"))
    else:
        able = False
    return "bfloat16" if able else "float32"


def sample_latents(generator: Generator, view: View, n: int, seed: int) -> Tensor:
    """A batch in the searched space: styles (n, num_layers, w_dim), codes (n, z_dim), or channel styles (n, 1, S).

    Of latents that are given there are as many as there are.
    """
    if view.given is not None:
        return view.given[:n]
    z = sample_z(generator, n, seed)
    if view.space == "z":
        return z
    c = sample_labels(generator, n, view.class_index, seed)
    with torch.no_grad():
        styles = view.styles(generator, z, c)
        return channelled(generator).channel_styles(styles) if view.space == "s" else styles


def code_labels(generator: Generator, view: View, n: int, seed: int) -> Tensor | None:
    """Labels (n, c_dim) of a batch of codes z; None without classes, and in other spaces, whose latents hold them."""
    return sample_labels(generator, n, view.class_index, seed) if view.space == "z" else None


def latent_styles(generator: Generator, view: View, latents: Tensor, seed: int, labels: Tensor | None = None) -> Tensor:
    """What the synthesis takes of latents from `sample_latents`: themselves, or the styles that codes z map to.

    Args:
        labels: of the codes, where these are a part of the batch whose labels the seed draws; None draws them.
    """
    if view.space != "z":
        return latents
    c = code_labels(generator, view, len(latents), seed) if labels is None else labels
    return view.styles(generator, latents, c)


def style_features(generator: Generator, view: View, styles: Tensor, seed: int) -> Tensor:
    """Images or features (n, …) of styles (n, num_layers, w_dim), all at once, in the view's precision."""
    if view.precision == "float32":
        return generator.synthesis(styles, until=view.layer, noise=view.noise, seed=seed)
    with torch.autocast(styles.device.type, torch.bfloat16):
        made = generator.synthesis(styles, until=view.layer, noise=view.noise, seed=seed)
    return made.float()


def features(generator: Generator, view: View, latents: Tensor, seed: int, labels: Tensor | None = None) -> Tensor:
    """Images or features (n, …) of latents; bounded memory, forwards and backwards. `labels` as in `latent_styles`."""
    # Of the whole batch, so that the memory decides nothing but the memory.
    labels = code_labels(generator, view, len(latents), seed) if labels is None else labels

    def synthesise(part: Tensor, start: int) -> Tensor:
        own = None if labels is None else labels[start : start + len(part)]
        return style_features(generator, view, latent_styles(generator, view, part, seed, own), seed + start)

    if len(latents) <= view.chunk:
        return synthesise(latents, 0)
    parts = []
    for start in range(0, len(latents), view.chunk):
        part = latents[start : start + view.chunk]
        if torch.is_grad_enabled() and part.requires_grad:
            parts.append(checkpoint(synthesise, part, start, use_reentrant=False, preserve_rng_state=False))
        else:
            parts.append(synthesise(part, start))
    return torch.cat(parts)


def mean_change(reference: Tensor, shifted: Tensor) -> Tensor:
    """Mean over the batch of the root-mean-square difference of each pair, in the units of the features."""
    difference = (shifted - reference).flatten(1)
    return difference.square().mean(dim=1).sqrt().mean()
