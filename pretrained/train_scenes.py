"""Trains the shipped generator `scenes`: a small StyleGAN2 on rendered rooms.

    python pretrained/train_scenes.py --work runs/scenes --kimg 500

Non-saturating loss, lazy R1, equalised learning rates, style mixing and an exponential moving average of the weights,
as in StyleGAN2; no path-length term. Every random number is a function of the seed and of the step, so a run that was
stopped continues from its last checkpoint as if it had not been. Convolutions run in bfloat16, R1 in float32.
"""

from __future__ import annotations

import argparse
import copy
import csv
import dataclasses
import json
import math
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ganwalk.files import write_json
from ganwalk.generators.checkpoints.native import write_native
from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from vae.data import scene_renderer

CONFIG = StyleGAN2Config(
    img_resolution=64,
    z_dim=64,
    w_dim=128,
    mapping_layers=4,
    channel_base=1024,
    channel_max=128,
    use_noise=False,
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Training settings; written to settings.json beside the weights."""

    kimg: float
    seed: int = 0
    images: int = 40_000
    batch: int = 16
    lr: float = 0.002
    r1_gamma: float = 0.5
    r1_every: int = 16
    mixing: float = 0.5
    ema_kimg: float = 10.0
    decay_from: float = 0.7  # the learning rate falls linearly to zero after this share of the run


class EqualConv(nn.Module):
    """Convolution with an equalised learning rate and, optionally, a leaky ReLU with gain."""

    def __init__(self, in_channels: int, out_channels: int, size: int, active: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, size, size))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.active = active
        self.gain = (math.sqrt(2) if active else 1.0) / math.sqrt(in_channels * size * size)

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(x, self.weight * self.gain, self.bias, padding=self.weight.shape[2] // 2)
        return F.leaky_relu(x, 0.2) if self.active else x


class Discriminator(nn.Module):
    """Residual discriminator with the mean minibatch deviation as an extra channel at 4×4."""

    def __init__(self, config: StyleGAN2Config):
        super().__init__()
        channels = config.channels
        self.from_rgb = EqualConv(config.img_channels, channels(config.img_resolution), 1)
        self.blocks = nn.ModuleList()
        for resolution in reversed(config.resolutions[1:]):
            here, below = channels(resolution), channels(resolution // 2)
            layers = (
                EqualConv(here, here, 3),
                EqualConv(here, below, 3),
                EqualConv(here, below, 1, active=False),
            )
            self.blocks.append(nn.ModuleList(layers))
        self.last = EqualConv(channels(4) + 1, channels(4), 3)
        self.dense = EqualConv(channels(4), channels(4), 4)
        self.out = EqualConv(channels(4), 1, 1, active=False)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        x = self.from_rgb(images.contiguous(memory_format=torch.channels_last))
        for first, second, shortcut in self.blocks:  # type: ignore[misc]
            y = second(F.avg_pool2d(first(x), 2))
            x = (y + shortcut(F.avg_pool2d(x, 2))) * math.sqrt(0.5)
        groups = x.float().view(4, -1, *x.shape[1:]) if len(x) % 4 == 0 else x.float()[None]
        spread = (groups.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=(1, 2, 3))
        spread = spread.repeat(len(x) // len(spread)).view(-1, 1, 1, 1).expand(-1, 1, 4, 4)
        x = self.last(torch.cat([x, spread.to(x.dtype)], dim=1))
        dense = F.conv2d(x, self.dense.weight * self.dense.gain, self.dense.bias)
        return self.out(F.leaky_relu(dense, 0.2)).flatten()


class Pictures(Protocol):
    """What a network is trained on: pictures of factors drawn at random, as vae.data.scene_renderer has them."""

    def sample_factors(self, n: int, seed: int) -> np.ndarray: ...

    def render(self, factors: np.ndarray) -> np.ndarray: ...


def load_images(path: Path, settings: Settings, pictures: Pictures = scene_renderer) -> np.ndarray:
    """The rendered training images (images, 64, 64, 3) uint8, rendered once and mapped afterwards."""
    if not path.exists():
        factors = pictures.sample_factors(settings.images, settings.seed)
        size = CONFIG.img_resolution
        partial = path.with_suffix(".partial.npy")
        images = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=(settings.images, size, size, 3))
        for start in range(0, settings.images, 1000):
            images[start : start + 1000] = pictures.render(factors[start : start + 1000])
            print(f"\rrendered {start + 1000} of {settings.images}", end="", flush=True)
        images.flush()
        os.replace(partial, path)
    return np.load(path, mmap_mode="r")


def sample_styles(generator: StyleGAN2, n: int, mixing: float, rng: torch.Generator) -> Tensor:
    """Styles of random latent codes; with probability `mixing` per sample, of two codes with a random crossover."""
    device = generator.mapping.w_avg.device
    w = generator.mapping(torch.randn(n, generator.z_dim, generator=rng).to(device))
    other = generator.mapping(torch.randn(n, generator.z_dim, generator=rng).to(device))
    crossover = torch.randint(1, generator.num_layers, (n, 1, 1), generator=rng)
    keep = torch.rand(n, 1, 1, generator=rng) >= mixing
    layers = torch.arange(generator.num_layers).view(1, -1, 1)
    return torch.where((keep | (layers < crossover)).to(device), w, other)


def save_atomically(state: object, path: Path) -> None:
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def save_grid(generator: StyleGAN2, path: Path, columns: int = 12, rows: int = 6) -> None:
    """A grid of samples without truncation."""
    z = torch.randn(rows * columns, generator.z_dim, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        images = generator(z.to(generator.mapping.w_avg.device)).cpu()
    pixels = (images.clamp(-1, 1) * 127.5 + 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    size = pixels.shape[1]
    grid = pixels.reshape(rows, columns, size, size, 3).transpose(0, 2, 1, 3, 4)
    Image.fromarray(grid.reshape(rows * size, columns * size, 3)).save(path)


class Trainer:
    """Networks, optimisers and the step counter: everything that a checkpoint holds."""

    def __init__(self, settings: Settings, config: StyleGAN2Config = CONFIG, device: str = "cpu"):
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.device = torch.device(device)
        self.generator = StyleGAN2(config).to(self.device)
        self.discriminator = Discriminator(config).to(self.device)
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        betas = (0.0, 0.99)
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), settings.lr, betas, fused=True)
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), settings.lr, betas, fused=True)
        self.step = 0

    @property
    def parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        names = ("generator", "discriminator", "average", "g_optimizer", "d_optimizer")
        return {name: getattr(self, name) for name in names}

    def state(self) -> dict[str, object]:
        return {"step": self.step, **{name: part.state_dict() for name, part in self.parts.items()}}

    def load(self, state: dict[str, object]) -> None:
        self.step = int(state["step"])  # type: ignore[call-overload]
        for name, part in self.parts.items():
            part.load_state_dict(state[name])  # type: ignore[arg-type]

    def train_step(self, images: np.ndarray) -> dict[str, float]:
        """One update of the discriminator and one of the generator, on a batch chosen by the step."""
        settings, batch = self.settings, self.settings.batch
        rng = torch.Generator().manual_seed(settings.seed * 1_000_003 + self.step)
        share = self.step * batch / (settings.kimg * 1000)
        lr = settings.lr * min(1.0, max(0.0, (1 - share) / (1 - settings.decay_from)))
        for optimizer in (self.g_optimizer, self.d_optimizer):
            optimizer.param_groups[0]["lr"] = lr
        picks = torch.randint(len(images), (batch,), generator=rng).numpy()
        real = torch.from_numpy(images[np.sort(picks)]).to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        kind = self.device.type

        with torch.no_grad(), torch.autocast(kind, torch.bfloat16):
            fake = self.generator.synthesis(sample_styles(self.generator, batch, settings.mixing, rng))
        with torch.autocast(kind, torch.bfloat16):
            real_logits, fake_logits = self.discriminator(real), self.discriminator(fake)
        d_loss = F.softplus(-real_logits.float()).mean() + F.softplus(fake_logits.float()).mean()
        self.d_optimizer.zero_grad(set_to_none=True)
        d_loss.backward()
        record = {"loss_d": d_loss.item(), "sign_real": real_logits.float().sign().mean().item()}
        if self.step % settings.r1_every == 0:
            leaf = real.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(self.discriminator(leaf).sum(), leaf, create_graph=True)
            r1 = gradient.square().sum(dim=(1, 2, 3)).mean()
            (r1 * (settings.r1_gamma / 2 * settings.r1_every)).backward()
            record["r1"] = r1.item()
        self.d_optimizer.step()

        self.discriminator.requires_grad_(False)
        with torch.autocast(kind, torch.bfloat16):
            styles = sample_styles(self.generator, batch, settings.mixing, rng)
            logits = self.discriminator(self.generator.synthesis(styles))
        g_loss = F.softplus(-logits.float()).mean()
        self.g_optimizer.zero_grad(set_to_none=True)
        g_loss.backward()
        self.g_optimizer.step()
        self.discriminator.requires_grad_(True)
        record["loss_g"] = g_loss.item()

        self._update_average(styles.detach())
        self.step += 1
        return record

    def _update_average(self, styles: Tensor) -> None:
        kimg = self.step * self.settings.batch / 1000
        # A short memory at the start, as in StyleGAN2-ADA's ramp-up: early weights are worth nothing.
        decay = 0.5 ** (self.settings.batch / 1000 / max(min(self.settings.ema_kimg, kimg * 0.05), 1e-3))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.generator.parameters(), strict=True):
                mean.lerp_(value, 1 - decay)
            self.generator.mapping.w_avg.lerp_(styles.float().mean(dim=(0, 1)), 0.005)
            self.average.mapping.w_avg.copy_(self.generator.mapping.w_avg)


def train(
    settings: Settings,
    work: Path,
    threads: int,
    *,
    config: StyleGAN2Config = CONFIG,
    pictures: Pictures = scene_renderer,
    device: str = "cpu",
) -> None:
    """Trains up to settings.kimg in `work`, continuing from its checkpoint if there is one."""
    torch.set_num_threads(threads)
    work.mkdir(parents=True, exist_ok=True)
    images = load_images(work / "images.npy", settings, pictures)
    trainer = Trainer(settings, config, device)
    checkpoint, history = work / "checkpoint.pt", work / "history.csv"
    rows: list[dict[str, float]] = []
    if checkpoint.exists():
        trainer.load(torch.load(checkpoint, weights_only=True, map_location=device))
        with history.open() as file:
            rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
        rows = [row for row in rows if row["kimg"] * 1000 <= trainer.step * settings.batch]
    (work / "settings.json").write_text(json.dumps(dataclasses.asdict(settings), indent=1) + "\n")
    every = max(1, 1000 // settings.batch)
    sums: dict[str, list[float]] = {}
    started = time.perf_counter()
    while trainer.step * settings.batch < settings.kimg * 1000:
        for key, value in trainer.train_step(images).items():
            sums.setdefault(key, []).append(value)
        if not all(math.isfinite(values[-1]) for values in sums.values()):
            sys.exit(f"the loss is not finite at step {trainer.step}; the last good checkpoint is {checkpoint}")
        if trainer.step % every == 0:
            kimg = trainer.step * settings.batch / 1000
            row = {"kimg": round(kimg, 3)} | {k: round(float(np.mean(v)), 5) for k, v in sums.items()}
            row["seconds"] = round(time.perf_counter() - started, 2)
            rows.append(row)
            sums, started = {}, time.perf_counter()
            print(row, flush=True)
        if trainer.step % (every * 10) == 0 or trainer.step * settings.batch >= settings.kimg * 1000:
            save_atomically(trainer.state(), checkpoint)
            columns = ("kimg", "loss_d", "loss_g", "sign_real", "r1", "seconds")
            partial = history.with_suffix(".partial")
            with partial.open("w", newline="") as file:
                writer = csv.DictWriter(file, columns, extrasaction="ignore", restval="nan")
                writer.writeheader()
                writer.writerows(rows)
            os.replace(partial, history)
            save_grid(trainer.average, work / "samples.png")
        if trainer.step % (every * 25) == 0:
            name = f"average-{trainer.step * settings.batch // 1000:05d}.pt"
            save_atomically(trainer.average.state_dict(), work / name)


def write_average(
    work: Path, settings: Settings, path: Path, *, config: StyleGAN2Config = CONFIG, name: str, source: str
) -> float:
    """Writes the averaged generator of a training in ganwalk's format; returns its length in thousands of images."""
    state = torch.load(work / "checkpoint.pt", weights_only=True, map_location="cpu")
    kimg = state["step"] * settings.batch / 1000
    # Halves are enough for pictures of eight bits, and halve the file.
    tensors = {name: tensor.half() for name, tensor in state["average"].items()}
    write_native(config, tensors, path, name=name, license="MIT", source=f"{source}, {kimg:.0f} kimg")
    return kimg


def export(work: Path, settings: Settings) -> None:
    """Writes the averaged generator, the settings and the curves' numbers beside this script."""
    here = Path(__file__).resolve().parent
    kimg = write_average(
        work, settings, here / "scenes.safetensors", name="scenes", source="pretrained/train_scenes.py"
    )
    facts = {"kimg_done": kimg, **dataclasses.asdict(settings), "config": dataclasses.asdict(CONFIG)}
    write_json(here / "scenes-settings.json", facts)
    shutil.copyfile(work / "history.csv", here / "scenes-history.csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("runs/scenes"), help="folder of the run")
    parser.add_argument("--kimg", type=float, default=500, help="length of the training in thousands of images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", default="cpu", help="torch device")
    parser.add_argument("--export-only", action="store_true", help="export the last checkpoint, without training")
    arguments = parser.parse_args()
    settings = Settings(arguments.kimg, arguments.seed)
    if not arguments.export_only:
        train(settings, arguments.work, arguments.threads, device=arguments.device)
    export(arguments.work, settings)


if __name__ == "__main__":
    main()
