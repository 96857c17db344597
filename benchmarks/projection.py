"""How well `ganwalk project` finds the latents of pictures, on `scenes`, whose true factors are known.

    python benchmarks/projection.py                 # 64 renderings, 16 generated images: minutes
    python benchmarks/projection.py --quick         # a few of each, few steps

- Renderings of `vae.data.scene_renderer`, which the generator never made, are projected. A predictor reads their
  factors off the reconstructions, and again after a walk along the direction (Jacobian, in w) that moves one factor
  most by itself: errors against the factors that were rendered, and the changes that the same walk makes on samples.
- Generated images, whose true w is known: how far the image and w found are from them.
- The first of both kinds also by the published procedure of NVIDIA's projector (Karras et al. 2020, appendix D),
  written plainly: from the mean of w, one w for all layers, 1000 steps of Adam, ramps of the learning rate, noise on w.
  It has VGG features for a loss and optimises noise maps, too; here it has our loss, and constant noise, so what is
  compared is the search. Ours takes its own default steps, in w+ and in w.

Errors of images are root mean squares, as shares of the range from black to white.
"""

from __future__ import annotations

import argparse
import math
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ganwalk.compute.threads import threads_limited
from ganwalk.directions import Directions, shift_latents
from ganwalk.discovery import discover
from ganwalk.evaluation.effects import effect_scores
from ganwalk.evaluation.factors import SceneReader, size_of_change
from ganwalk.files import write_json
from ganwalk.generators.base import mean_style, sample_z
from ganwalk.generators.loading import load_generator
from ganwalk.pictures.sheets import Sheet, save_picture
from ganwalk.projection.distance import Distance
from ganwalk.projection.run import Projection, prepare, run_projection
from ganwalk.projection.settings import ProjectionSettings
from ganwalk.rendering.images import from_bytes, to_bytes
from vae.data import scene_renderer

_RESULTS = Path(__file__).resolve().parent / "results"
# Of renderings and generated images; candidates of the start have others.
_SEED = 4321
_AMPLITUDE = 2.0
# Pictures at once.
_BATCH = 16
_SHOWN = 6


def published(generator: Any, pictures: Tensor, steps: int) -> Tensor:
    """Styles (n, num_layers, w_dim) by NVIDIA's procedure with our loss."""
    rng = torch.Generator().manual_seed(0)
    mean = mean_style(generator)
    with torch.no_grad():
        sampled = generator.mapping(sample_z(generator, 10_000, 123))[:, 0]
    spread = (sampled - mean).square().sum(dim=1).mean().sqrt()
    w = mean.expand(len(pictures), 1, -1).clone().requires_grad_()
    optimizer = torch.optim.Adam([w], 0.1, betas=(0.9, 0.999))
    distance = Distance(pictures)
    for step in range(steps):
        t = step / steps
        falling = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - t) / 0.25))
        optimizer.param_groups[0]["lr"] = 0.1 * falling * min(1.0, t / 0.05)
        noise = torch.randn(w.shape, generator=rng) * spread * 0.05 * max(0.0, 1 - t / 0.75) ** 2
        loss = distance(generator.synthesis((w + noise).expand(-1, generator.num_layers, -1))).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return w.detach().expand(-1, generator.num_layers, -1)


def projected(generator: Any, pictures: Tensor, **settings: Any) -> tuple[Tensor, float]:
    """Styles by ours, and seconds for each picture."""
    began = time.perf_counter()
    prepared = prepare(generator, ProjectionSettings(**settings))
    parts: list[Projection] = [run_projection(prepared, part) for part in pictures.split(_BATCH)]
    return torch.cat([part.styles for part in parts]), (time.perf_counter() - began) / len(pictures)


def image_errors(generator: Any, styles: Tensor, pictures: Tensor) -> Tensor:
    """Root mean squares (n,)."""
    with torch.no_grad():
        images = torch.cat([generator.synthesis(part).clamp(-1, 1) for part in styles.split(_BATCH)])
    return (images - pictures).square().flatten(1).mean(dim=1).sqrt() / 2


def readings(generator: Any, reader: SceneReader, styles: Tensor) -> list[Tensor]:
    """Factors that the predictor reads off the images of styles."""
    with torch.no_grad():
        parts = [reader.read(part, generator.synthesis(part).clamp(-1, 1)) for part in styles.split(_BATCH)]
    return [torch.cat(values) for values in zip(*parts, strict=True)]


def apart(reader: SceneReader, before: Sequence[Tensor], after: Sequence[Tensor]) -> dict[str, float]:
    """Mean distance of two readings, by factor."""
    sizes = zip(reader.factors, before, after, strict=True)
    return {factor.name: round(float(size_of_change(factor, a, b).mean()), 4) for factor, a, b in sizes}


def truth_of(factors: Any) -> list[Tensor]:
    """Rendered factors (n, 6) as the predictor has them."""
    values = torch.from_numpy(scene_renderer.to_unit(factors))
    shapes = torch.nn.functional.one_hot(values[:, 4].long(), len(scene_renderer.SHAPE_NAMES)).float()
    return [*values[:, :4].unbind(dim=1), shapes, values[:, 5]]


def cleanest(generator: Any, reader: SceneReader, quick: bool) -> tuple[Directions, int, str]:
    """Directions, the one that moves a factor most by itself, and that factor."""
    settings: dict[str, Any] = {"n_directions": 10, "method": "jacobian", "scored": 16}
    if quick:
        settings = {"n_directions": 2, "method": "pca", "scored": 4, "batch": 4}
    directions = discover(generator, space="w", threads=torch.get_num_threads(), **settings)
    effects = effect_scores(generator, directions, reader, samples=4 if quick else 64)
    shares = effects.matrix / effects.matrix.sum(dim=1, keepdim=True)
    index = int(shares.max(dim=1).values.argmax())
    return directions, index, effects.factors[int(shares[index].argmax())]


def walked(directions: Directions, index: int, styles: Tensor) -> Tensor:
    """Styles after the walk."""
    return shift_latents(styles, directions.step(index, _AMPLITUDE).to(styles), directions.layers)


def on_renderings(generator: Any, count: int, settings: dict[str, Any], keep: bool) -> tuple[dict[str, Any], Tensor]:
    """Facts about renderings, and the pictures; `keep` writes a sheet of them."""
    reader = SceneReader()
    factors = scene_renderer.sample_factors(count, _SEED)
    pictures, truth = from_bytes(scene_renderer.render(factors)), truth_of(factors)
    styles, seconds = projected(generator, pictures, **settings)
    directions, index, moved = cleanest(generator, reader, quick=not keep)
    before = readings(generator, reader, styles)
    after = readings(generator, reader, walked(directions, index, styles))
    with torch.no_grad():
        samples = generator.mapping(sample_z(generator, count, _SEED))
        plain = reader.read(styles, pictures)
    sampled = [readings(generator, reader, w) for w in (samples, walked(directions, index, samples))]
    facts = {
        "renderings": count,
        "image error": round(float(image_errors(generator, styles, pictures).mean()), 4),
        "seconds each": round(seconds, 2),
        "factor errors": {
            "read off the renderings": apart(reader, truth, plain),
            "read off the reconstructions": apart(reader, truth, before),
            "after the walk": apart(reader, truth, after),
        },
        "walk": {
            "sigma": _AMPLITUDE,
            "direction": index,
            "moves": moved,
            "changes of the reconstructions": apart(reader, before, after),
            "changes of samples": apart(reader, *sampled),
        },
    }
    if keep:
        save_walk(generator, pictures, styles, walked(directions, index, styles))
    return facts, pictures


def save_walk(generator: Any, pictures: Tensor, styles: Tensor, after: Tensor) -> None:
    """A sheet of renderings, reconstructions, and these after the walk."""
    with torch.no_grad():
        shown = [pictures[:_SHOWN], *(generator.synthesis(w[:_SHOWN]) for w in (styles, after))]
    rows = ["rendering", "reconstruction", f"walked +{_AMPLITUDE:g} σ"]
    sheet = Sheet(generator.image_size, [""] * len(shown[0]), rows)
    for row, images in enumerate(shown):
        sheet.paste(row, to_bytes(images))
    save_picture(sheet.finish("scenes · renderings that the generator never made"), _RESULTS / "projection.png")


def on_generated(generator: Any, count: int, settings: dict[str, Any]) -> tuple[dict[str, Any], Tensor]:
    """Facts about generated images, and the images."""
    with torch.no_grad():
        true = generator.mapping(sample_z(generator, count, _SEED))
        pictures = generator.synthesis(true).clamp(-1, 1)
    facts: dict[str, Any] = {"images": count}
    for space in ("w", "w+"):
        styles, seconds = projected(generator, pictures, **{**settings, "space": space})
        facts[space] = {
            "image error": round(float(image_errors(generator, styles, pictures).mean()), 4),
            "distance from the true w": round(distance_in_w(generator, styles, true), 3),
            "seconds each": round(seconds, 2),
        }
    return facts, pictures


def distance_in_w(generator: Any, styles: Tensor, true: Tensor) -> float:
    """Mean distance of styles, as a share of that of samples from their mean."""
    spread = (true[:, 0] - generator.w_avg).square().sum(dim=1).mean().sqrt()
    return float((styles - true).square().sum(dim=2).sqrt().mean() / spread)


def against_published(generator: Any, pictures: Tensor, steps: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Image errors and times of both on the same pictures."""
    began = time.perf_counter()
    theirs = published(generator, pictures, steps)
    seconds = (time.perf_counter() - began) / len(pictures)
    found = {
        "published, 1000 steps in w" if steps == 1000 else f"published, {steps} steps in w": (theirs, seconds),
        "ours, w": projected(generator, pictures, **{**settings, "space": "w"}),
        "ours, w+": projected(generator, pictures, **settings),
    }
    facts = {
        name: {
            "image error": round(float(image_errors(generator, styles, pictures).mean()), 4),
            "seconds each": round(spent, 2),
        }
        for name, (styles, spent) in found.items()
    }
    first, *others = facts.values()
    for other in others:
        other["error as a share of the published one's"] = round(other["image error"] / first["image error"], 3)
        other["time as a share of the published one's"] = round(other["seconds each"] / first["seconds each"], 3)
    return {"pictures": len(pictures), **facts}


def main() -> None:
    """Measures, prints as it goes, and writes results/projection.json and projection.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--renderings", type=int, default=64)
    parser.add_argument("--generated", type=int, default=16)
    parser.add_argument("--published", type=int, default=8, help="of each kind, also by the published procedure")
    parser.add_argument("--threads", type=int, help="CPU threads [default: all cores]")
    parser.add_argument("--quick", action="store_true", help="2 pictures of each kind, few steps; no file is kept")
    arguments = parser.parse_args()
    with threads_limited(arguments.threads):
        measure(arguments)


def measure(arguments: argparse.Namespace) -> None:
    """Everything, with as many threads as are allowed."""
    settings: dict[str, Any] = {"steps": 4, "candidates": 8} if arguments.quick else {}
    counts = (2, 2, 2) if arguments.quick else (arguments.renderings, arguments.generated, arguments.published)
    generator = load_generator("scenes")
    rendered, pictures = on_renderings(generator, counts[0], settings, not arguments.quick)
    print("renderings:", rendered, flush=True)
    generated, images = on_generated(generator, counts[1], settings)
    print("generated:", generated, flush=True)
    facts: dict[str, Any] = {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "steps": ProjectionSettings(**settings).resolve(generator).steps,
        "loss": "pixels and gradients at several sizes, for both procedures: no VGG",
        "renderings": rendered,
        "generated": generated,
    }
    for name, shown in (("renderings", pictures), ("generated", images)):
        one = against_published(generator, shown[: counts[2]], 4 if arguments.quick else 1000, settings)
        facts[f"published procedure, {name}"] = one
        print("published:", name, one, flush=True)
    if not arguments.quick:
        _RESULTS.mkdir(exist_ok=True)
        write_json(_RESULTS / "projection.json", facts)


if __name__ == "__main__":
    main()
