"""Measures the shipped generator `scenes`: quality, coverage of the factors, and the curves of its training.

    python pretrained/evaluate_scenes.py --work runs/scenes

Writes scenes-quality.json, scenes-curves.png, scenes-samples.png and scenes-coverage.png beside this script.

- Fréchet distance between the predictor's hidden features of samples and of renderings (as FID, with our own network:
  comparable only within this project); the distance between two sets of renderings is its floor.
- Re-rendering error: the factors predicted from a sample are rendered, and the picture compared with the sample.
- Coverage: how evenly the predicted factors of samples fill their range, as the total variation distance between their
  histogram and that of renderings (0: the same, 1: disjoint).
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ganwalk.evaluation.scene_predictor import ScenePrediction, ScenePredictor, load_predictor
from ganwalk.generators.base import sample_z
from ganwalk.generators.stylegan2 import StyleGAN2
from pretrained.train_predictor import to_tensor
from pretrained.train_scenes import CONFIG, save_grid
from vae.data import scene_renderer

_HERE = Path(__file__).resolve().parent
_BINS = (10, 10, 10, 8, 4, 10)


def sample_images(generator: StyleGAN2, n: int, seed: int, psi: float = 1.0) -> Tensor:
    """Samples (n, 3, 64, 64) in [-1, 1]."""
    with torch.no_grad():
        chunks = sample_z(generator, n, seed).split(100)
        return torch.cat([generator(z, truncation_psi=psi).clamp(-1, 1) for z in chunks])


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Fréchet distance of Gaussians fitted to two sets of features (n, d)."""
    a, b = a.double(), b.double()
    cov_a, cov_b = torch.cov(a.T), torch.cov(b.T)
    values, vectors = torch.linalg.eigh(cov_a)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ cov_b @ root).clamp_min(0).sqrt().sum()
    gap = (a.mean(0) - b.mean(0)).square().sum()
    return float(gap + cov_a.trace() + cov_b.trace() - 2 * cross)


def features_of(predictor: ScenePredictor, images: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([predictor.features(chunk) for chunk in images.split(200)])


def predictions_of(predictor: ScenePredictor, images: Tensor) -> tuple[np.ndarray, ScenePrediction]:
    """Predicted factor values (n, 6), clipped to their ranges, and the prediction itself."""
    with torch.no_grad():
        prediction = predictor.predict(images)
    values = np.empty((len(images), 6), np.float32)
    values[:, :3] = prediction.hues
    values[:, 3] = prediction.scale.clamp(-1, 1)
    values[:, 4] = prediction.shape.argmax(dim=1)
    values[:, 5] = prediction.azimuth.clamp(-1, 1)
    return scene_renderer.from_unit(values), prediction


def histograms(values: np.ndarray) -> list[np.ndarray]:
    """Share of every bin, for each factor."""
    ranges = [(0, 1)] * 3 + [scene_renderer.SCALE_RANGE, (-0.5, 3.5), scene_renderer.AZIMUTH_RANGE]
    counts = [np.histogram(values[:, i], _BINS[i], ranges[i])[0] for i in range(6)]
    return [count / count.sum() for count in counts]


def rerender_error(values: np.ndarray, images: Tensor) -> float:
    """Root-mean-square difference, in [0, 1] units of brightness, between pictures and renderings of their factors."""
    again = to_tensor(scene_renderer.render(values))
    return float((again - images).square().mean().sqrt() / 2)


def plot_curves(work: Path, distances: dict[float, float], floor: float, path: Path) -> None:
    with (work / "history.csv").open() as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    kimg = [row["kimg"] for row in rows]
    left.plot(kimg, [row["loss_g"] for row in rows], label="generator loss", lw=1)
    left.plot(kimg, [row["loss_d"] for row in rows], label="discriminator loss", lw=1)
    left.plot(kimg, [row["r1"] for row in rows], label="R1 penalty", lw=1)
    left.set_xlabel("thousands of images")
    left.legend(frameon=False)
    right.plot(list(distances), list(distances.values()), "o-", label="samples")
    right.axhline(floor, ls="--", color="grey", label="renderings")
    right.set_yscale("log")
    right.set_xlabel("thousands of images")
    right.set_ylabel("Fréchet distance (predictor features)")
    right.legend(frameon=False)
    figure.savefig(path, dpi=120)


def plot_coverage(samples: list[np.ndarray], renderings: list[np.ndarray], path: Path) -> None:
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    axes = figure.subplots(2, 3).ravel()
    for i, axis in enumerate(axes):
        x = np.arange(_BINS[i])
        axis.bar(x - 0.2, renderings[i], 0.4, label="renderings", color="#b8c4d6")
        axis.bar(x + 0.2, samples[i], 0.4, label="samples", color="#1f4e9c")
        axis.set_title(scene_renderer.FACTOR_NAMES[i].replace("_", " "))
        axis.set_yticks([])
        axis.set_xticks(x, scene_renderer.SHAPE_NAMES if i == 4 else [""] * len(x))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("runs/scenes"))
    parser.add_argument("--samples", type=int, default=3000)
    arguments = parser.parse_args()
    from ganwalk.generators.loading import load_generator

    predictor = load_predictor()
    real = to_tensor(scene_renderer.render(scene_renderer.sample_factors(arguments.samples, 20_001)))
    other = to_tensor(scene_renderer.render(scene_renderer.sample_factors(arguments.samples, 20_002)))
    real_features = features_of(predictor, real)
    floor = frechet_distance(real_features, features_of(predictor, other))

    distances = {}
    generator = StyleGAN2(CONFIG).eval()
    for snapshot in sorted(arguments.work.glob("average-*.pt")):
        generator.load_state_dict(torch.load(snapshot, weights_only=True))
        images = sample_images(generator, arguments.samples, seed=1)
        distance = frechet_distance(real_features, features_of(predictor, images))
        distances[float(snapshot.stem.split("-")[1])] = round(distance, 4)
        print(snapshot.name, distance, flush=True)

    shipped = load_generator("scenes")
    images = sample_images(shipped, arguments.samples, seed=1)
    values, prediction = predictions_of(predictor, images)
    real_values, real_prediction = predictions_of(predictor, real)
    sample_bins, real_bins = histograms(values), histograms(real_values)
    variation = [0.5 * float(np.abs(a - b).sum()) for a, b in zip(sample_bins, real_bins, strict=True)]
    quality = {
        "command": f"python pretrained/evaluate_scenes.py --samples {arguments.samples}",
        "samples": arguments.samples,
        "frechet_distance": round(frechet_distance(real_features, features_of(predictor, images)), 4),
        "frechet_distance_between_renderings": round(floor, 4),
        "rerender_rms_error": round(rerender_error(values, images), 5),
        "rerender_rms_error_of_renderings": round(rerender_error(real_values, real), 5),
        "mean_top_shape_probability": round(float(prediction.shape.max(1).values.mean()), 4),
        "mean_top_shape_probability_of_renderings": round(float(real_prediction.shape.max(1).values.mean()), 4),
        "total_variation_of_factor_histograms": {
            name: round(v, 4) for name, v in zip(scene_renderer.FACTOR_NAMES, variation, strict=True)
        },
        "frechet_distance_by_kimg": distances,
    }
    print(json.dumps(quality, indent=1))
    (_HERE / "scenes-quality.json").write_text(json.dumps(quality, indent=1) + "\n")
    plot_curves(arguments.work, distances, floor, _HERE / "scenes-curves.png")
    plot_coverage(sample_bins, real_bins, _HERE / "scenes-coverage.png")
    save_grid(shipped, _HERE / "scenes-samples.png")
    with Image.open(_HERE / "scenes-samples.png") as grid:
        print("samples:", grid.size)


if __name__ == "__main__":
    main()
