"""Trains the factor predictor of scenes on renderings, and writes it beside this script with its held-out errors.

    python pretrained/train_predictor.py --work runs/scenes

Pictures are blurred and given noise at random, so that a generator's slight softness does not count as a factor.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ganwalk.evaluation.scene_predictor import ScenePredictor, prediction_loss
from pretrained.train_scenes import Settings, load_images
from vae.data import scene_renderer

_HERE = Path(__file__).resolve().parent


def to_tensor(images: np.ndarray) -> Tensor:
    """Pictures (n, 3, h, w) in [-1, 1] of bytes (n, h, w, 3)."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def soften(images: Tensor, rng: torch.Generator) -> Tensor:
    """A random mixture with a blurred copy, plus noise."""
    share = torch.rand(len(images), 1, 1, 1, generator=rng)
    blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    noise = torch.randn(images.shape, generator=rng) * 0.05 * torch.rand(len(images), 1, 1, 1, generator=rng)
    return torch.lerp(images, blurred, share) + noise


def held_out_errors(predictor: ScenePredictor, n: int = 4000, seed: int = 10_001) -> dict[str, float]:
    """Errors on fresh renderings, in the units of the factors."""
    factors = scene_renderer.sample_factors(n, seed)
    with torch.no_grad():
        predicted = predictor.predict(to_tensor(scene_renderer.render(factors)))
    gap = np.abs(predicted.hues.numpy() - factors[:, :3])
    hue = np.minimum(gap, 1 - gap).mean(axis=0)
    shape = predicted.shape.argmax(dim=1).numpy()
    values = np.column_stack([predicted.hues, predicted.scale, shape, predicted.azimuth])
    error = np.abs(scene_renderer.from_unit(values) - factors).mean(axis=0)
    names = scene_renderer.FACTOR_NAMES
    return {
        **{f"{names[i]}_mean_abs_error": round(float(hue[i]), 5) for i in range(3)},
        "scale_mean_abs_error": round(float(error[3]), 5),
        "azimuth_mean_abs_error_degrees": round(float(error[5]), 4),
        "shape_accuracy": round(float((shape == factors[:, 4]).mean()), 5),
    }


def fit(
    predictor: ScenePredictor, images: np.ndarray, factors: Tensor, *, epochs: int, batch: int, device: str = "cpu"
) -> ScenePredictor:
    """The predictor, fitted to pictures (n, 64, 64, 3) uint8 with factors (n, 6) as `prediction_loss` takes them."""
    rng = torch.Generator().manual_seed(0)
    predictor = predictor.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(predictor.parameters(), 2e-3)
    total = epochs * (len(images) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=total)
    for epoch in range(epochs):
        order = torch.randperm(len(images), generator=rng).numpy()
        losses = []
        for start in range(0, len(order) - batch + 1, batch):
            picks = np.sort(order[start : start + batch])
            raw = predictor(soften(to_tensor(images[picks]), rng).to(device))
            loss = prediction_loss(raw, factors[picks].to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.5f}", flush=True)
    return predictor.cpu().eval()


def write_weights(predictor: ScenePredictor, path: Path) -> None:
    """Writes what `ganwalk.evaluation.scene_predictor` loads."""
    save_file({name: value.contiguous() for name, value in predictor.state_dict().items()}, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("runs/scenes"), help="folder of the generator's training")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=64)
    arguments = parser.parse_args()
    settings = Settings(kimg=0)
    arguments.work.mkdir(parents=True, exist_ok=True)
    images = load_images(arguments.work / "images.npy", settings)
    factors = torch.from_numpy(scene_renderer.to_unit(scene_renderer.sample_factors(settings.images, settings.seed)))
    torch.manual_seed(0)
    predictor = fit(ScenePredictor(), images, factors, epochs=arguments.epochs, batch=arguments.batch)
    errors = held_out_errors(predictor)
    print(json.dumps(errors, indent=1))
    write_weights(predictor, _HERE / "scenes-predictor.safetensors")
    (_HERE / "scenes-predictor.json").write_text(json.dumps(errors, indent=1) + "\n")


if __name__ == "__main__":
    main()
