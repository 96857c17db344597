"""Networks on which no setting was chosen: StyleGAN2 of 64 px, trained as `scenes` was, to confirm what is found there.

    python benchmarks/networks.py scenes-1 --device cuda           # scenes from another seed
    python benchmarks/networks.py scenes-wide --device cuda        # and of another shape: wider, deeper, w of 256
    python benchmarks/networks.py sprites --device cuda            # coloured sprites (coloured_sprites.py)
    python benchmarks/networks.py sprites-predictor --device cuda  # what reads the factors of sprites off a picture

Trains in --work (and continues there), and writes NAME.safetensors into --out; those in benchmarks/data are committed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch import nn

from benchmarks import coloured_sprites
from ganwalk.discovery.factors import FactorReader
from ganwalk.evaluation.factors import SceneReader
from ganwalk.evaluation.scene_predictor import ScenePredictor
from ganwalk.generators.loading import load_generator
from ganwalk.generators.stylegan2 import StyleGAN2Config
from pretrained.train_predictor import fit, to_tensor, write_weights
from pretrained.train_scenes import CONFIG, Pictures, Settings, load_images, train, write_average
from vae.data import scene_renderer
from vae.data.sprites import SHAPE_NAMES

DATA = Path(__file__).resolve().parent / "data"
_PREDICTOR = "sprites-predictor"
_WIDE = replace(CONFIG, z_dim=128, w_dim=256, mapping_layers=8, channel_base=2048, channel_max=192)


@dataclass(frozen=True)
class Network:
    """What is trained: shape, seed and pictures."""

    config: StyleGAN2Config
    seed: int
    pictures: Pictures


NETWORKS = {
    "scenes-1": Network(CONFIG, 1, scene_renderer),
    "scenes-wide": Network(_WIDE, 2, scene_renderer),
    "sprites": Network(CONFIG, 3, coloured_sprites),
}


def load_network(name: str, device: str = "cpu") -> tuple[nn.Module, FactorReader]:
    """A committed network and what reads its factors."""
    generator = load_generator(str(DATA / f"{name}.safetensors"), device)
    if NETWORKS[name].pictures is scene_renderer:
        return generator, SceneReader(device)
    from safetensors.torch import load_file

    predictor = ScenePredictor(len(SHAPE_NAMES))
    predictor.load_state_dict(load_file(DATA / f"{_PREDICTOR}.safetensors"))
    predictor.eval().requires_grad_(False)
    return generator, SceneReader(device, predictor, coloured_sprites.FACTOR_NAMES, _PREDICTOR)


def train_network(name: str, work: Path, out: Path, settings: Settings, threads: int, device: str) -> None:
    """Trains a network and writes its average."""
    network = NETWORKS[name]
    train(settings, work, threads, config=network.config, pictures=network.pictures, device=device)
    source = f"benchmarks/networks.py, batch {settings.batch}"
    write_average(work, settings, out / f"{name}.safetensors", config=network.config, name=name, source=source)


def train_sprites_predictor(work: Path, out: Path, threads: int, device: str, epochs: int = 12) -> None:
    """Trains the predictor of coloured sprites and prints its errors on pictures that it has not seen."""
    torch.set_num_threads(threads)
    work.mkdir(parents=True, exist_ok=True)
    settings = Settings(kimg=0, seed=NETWORKS["sprites"].seed)
    images = load_images(work / "images.npy", settings, coloured_sprites)
    drawn = coloured_sprites.sample_factors(settings.images, settings.seed)
    torch.manual_seed(0)
    factors = torch.from_numpy(coloured_sprites.to_unit(drawn))
    predictor = fit(ScenePredictor(len(SHAPE_NAMES)), images, factors, epochs=epochs, batch=64, device=device)
    fresh = coloured_sprites.sample_factors(4000, 10_001)
    with torch.no_grad():
        found = predictor.predict(to_tensor(coloured_sprites.render(fresh)))
    truth = torch.from_numpy(coloured_sprites.to_unit(fresh))
    gap = (found.hues - truth[:, :3]).abs()
    errors = torch.minimum(gap, 1 - gap).mean(dim=0).tolist()
    errors += [float((found.scale - truth[:, 3]).abs().mean()), float((found.azimuth - truth[:, 5]).abs().mean())]
    right = float((found.shape.argmax(dim=1) == truth[:, 4]).float().mean())
    names = [*coloured_sprites.FACTOR_NAMES[:4], coloured_sprites.FACTOR_NAMES[5]]
    rounded = [round(error, 5) for error in errors]
    print(json.dumps(dict(zip(names, rounded, strict=True)) | {"shape_accuracy": round(right, 5)}))
    write_weights(predictor, out / f"{_PREDICTOR}.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=[*NETWORKS, _PREDICTOR])
    parser.add_argument("--work", type=Path, help="folder of the training [default: runs/NAME]")
    parser.add_argument("--out", type=Path, default=DATA, help="folder for the weights")
    parser.add_argument("--kimg", type=float, default=500, help="length of the training in thousands of images")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", default="cpu", help="torch device")
    arguments = parser.parse_args()
    work = arguments.work or Path("runs") / arguments.name
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.name == _PREDICTOR:
        train_sprites_predictor(work, arguments.out, arguments.threads, arguments.device)
        return
    settings = Settings(arguments.kimg, NETWORKS[arguments.name].seed, batch=arguments.batch)
    train_network(arguments.name, work, arguments.out, settings, arguments.threads, arguments.device)


if __name__ == "__main__":
    main()
