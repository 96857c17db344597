"""StyleGAN3 on a CPU: seconds per image and peak memory, ours against a plain formulation, in one run.

    python benchmarks/stylegan3.py --sizes 256 1024
    python benchmarks/stylegan3.py --kinds XL H --sizes 256 --no-memory

Full-size T, R, StyleGAN-XL (a stem of 16 px and super-resolution stages) and StyleGAN-Human (H: half as wide as high)
with random weights, one image at a time. The plain formulation differs in the activation alone:
zero insertion, then general two-dimensional depthwise convolutions, on the up-sampled signal of the whole layer. Both
make the same image. Runs are interleaved, the medians are compared; memory is that of a process of its own.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor

from ganwalk.generators.base import sample_labels, sample_z
from ganwalk.generators.filtered_activation import Resampling, filtered_activation
from ganwalk.generators.stylegan3 import StyleGAN3, StyleGAN3Config, published_config

RESULTS = Path(__file__).resolve().parent / "results"
ROTATION = {"channel_base": 65536, "channel_max": 1024, "kernel": 1, "radial": True}


def plain_activation(
    x: Tensor,
    up_filter: Tensor,
    down_filter: Tensor,
    resampling: Resampling,
    *,
    gain: float,
    slope: float,
    clamp: float | None,
) -> Tensor:
    """`filtered_activation` by its definition."""
    n, c, h, w = x.shape
    up, down = resampling.up, resampling.down
    kernel = down_filter if down_filter.ndim == 2 else torch.outer(down_filter, down_filter)
    if up == down == kernel.numel() == 1:
        x = F.leaky_relu(x, slope) * gain
        return x if clamp is None else x.clamp(-clamp, clamp)
    stuffed = x.new_zeros(n, c, h * up, w * up)
    stuffed[:, :, ::up, ::up] = x
    rows, columns = (
        (before, down * (wanted - 1) + len(kernel) + len(up_filter) - 1 - given * up - before)
        for given, before, wanted in zip((h, w), resampling.pad, resampling.out_size, strict=True)
    )
    stuffed = F.pad(stuffed, (*columns, *rows)).contiguous(memory_format=torch.channels_last)
    up_kernel = torch.outer(up_filter, up_filter).flip((0, 1)) * up**2
    fine = F.leaky_relu(F.conv2d(stuffed, up_kernel.expand(c, 1, -1, -1), groups=c), slope) * gain
    fine = fine if clamp is None else fine.clamp(-clamp, clamp)
    return F.conv2d(fine, kernel.flip((0, 1)).expand(c, 1, -1, -1), stride=down, groups=c)


ACTIVATIONS = {"ganwalk": filtered_activation, "plain": plain_activation}


def stacked_config(size: int, *, stem_layers: int = 10, head_layers: int = 7, classes: int = 1000) -> StyleGAN3Config:
    """StyleGAN-XL: a stem of 16 px, whose last layers give way to a head of twice the resolution, again and again.

    A head begins at the cutoff and stopband of the last layer that stays, and follows the published progression from
    there (Sauer et al. 2022, section 3.4).
    """
    wide = {"channel_base": 65536, "channel_max": 1024}
    config = published_config(16, layers=stem_layers, z_dim=64, **wide)
    cutoff, stopband, layers, resolution = 2.0, 2**2.1, stem_layers, 16
    while resolution < size:
        share = (layers - 3) / (layers - 2)
        cutoff *= (resolution / 2 / cutoff) ** share
        stopband *= (resolution / 2 * 2**0.3 / stopband) ** share
        resolution, layers = 2 * resolution, head_layers
        head = published_config(
            resolution, layers=layers, first_cutoff=cutoff, first_stopband=stopband, z_dim=64, **wide
        )
        # Of the layers: all but the critically sampled ones and the image.
        joined = {name: getattr(config, name)[:-3] + getattr(head, name) for name in _OF_LAYERS}
        maps = {name: getattr(config, name)[:-3] + getattr(head, name)[1:] for name in ("channels", "sizes")}
        config = replace(config, img_resolution=resolution, **joined, **maps)
    return replace(config, c_dim=classes, embed_features=64, class_table=(classes, 320))


_OF_LAYERS = ("kernels", "up", "down", "up_taps", "down_taps", "radial")


def config_of(kind: str, size: int) -> StyleGAN3Config:
    if kind == "XL":
        return stacked_config(size)
    config = published_config(size, **(ROTATION if kind == "R" else {}))
    return replace(config, widths=tuple(side // 2 for side in config.sizes)) if kind == "H" else config


def build(kind: str, size: int) -> StyleGAN3:
    torch.manual_seed(0)
    generator = StyleGAN3(config_of(kind, size)).eval().requires_grad_(False)
    for name, tensor in generator.named_buffers():
        # Radial filters that no product of two filters is, as trained ones are not.
        if name.endswith("down_filter") and tensor.ndim == 2:
            tensor += 0.1 * tensor.abs().max() * torch.rand_like(tensor)
    return generator


def image(generator: StyleGAN3, w: Tensor, name: str) -> tuple[float, Tensor]:
    """Seconds of one image, and the image."""
    with torch.inference_mode(), mock.patch("ganwalk.generators.stylegan3.filtered_activation", ACTIVATIONS[name]):
        start = time.perf_counter()
        picture = generator.synthesis(w)
        return time.perf_counter() - start, picture


def measure(kind: str, size: int, repeats: int) -> dict[str, float]:
    """Median seconds per image of each formulation, and the largest difference of their images."""
    generator = build(kind, size)
    seconds: dict[str, list[float]] = {name: [] for name in ACTIVATIONS}
    difference = 0.0
    # The first calls find cold caches and set up threads.
    generator.synthesis(torch.zeros(1, 512), until=2)
    for repeat in range(repeats):
        w = generator.mapping(sample_z(generator, 1, repeat), sample_labels(generator, 1, None, repeat))
        pictures = {}
        for name in ACTIVATIONS:
            spent, pictures[name] = image(generator, w, name)
            seconds[name].append(spent)
        error = (pictures["ganwalk"] - pictures["plain"]).abs().max() / pictures["plain"].abs().max()
        difference = max(difference, float(error))
    if difference > 1e-4:
        raise SystemExit(f"the images of {kind} at {size} px differ by {difference:.1e}")
    return {name: statistics.median(values) for name, values in seconds.items()} | {"difference": difference}


def peak_megabytes(kind: str, size: int, name: str) -> float:
    """Peak memory of a process that makes one image, weights and torch included (Linux)."""
    command = [sys.executable, __file__, "--memory-of", kind, str(size), name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def print_memory(kind: str, size: str, name: str) -> None:
    image(build(kind, int(size)), torch.randn(1, 512), name)
    # getrusage would do, but for a child of a large process it reports the parent's peak.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(float(status["VmHWM"].split()[0]) / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 1024])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--kinds", nargs="+", choices=("T", "R", "XL", "H"), default=["T", "R"])
    parser.add_argument("--no-memory", action="store_true", help="no peaks, and nothing written")
    parser.add_argument("--memory-of", nargs=3, metavar=("KIND", "SIZE", "NAME"), help="print one peak in MB")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.memory_of:
        return print_memory(*arguments.memory_of)
    rows: list[dict[str, Any]] = []
    print(f"{'':<2}{'px':>5}{'ganwalk':>12}{'plain':>12}{'ratio':>8}{'images/s':>10}{'ganwalk MB':>12}{'plain MB':>10}")
    for size in arguments.sizes:
        for kind in arguments.kinds:
            seconds = measure(kind, size, arguments.repeats)
            measured = {} if arguments.no_memory else {name: peak_megabytes(kind, size, name) for name in ACTIVATIONS}
            memory = {f"{name}_mb": measured.get(name, float("nan")) for name in ACTIVATIONS}
            ours, plain = seconds["ganwalk"], seconds["plain"]
            rows.append({"kind": kind, "px": size, **seconds, **memory, "ratio": plain / ours})
            cells = f"{ours:>10.2f} s{plain:>10.2f} s{plain / ours:>7.1f}×{1 / ours:>10.3f}"
            print(f"{kind:<2}{size:>5}{cells}{memory['ganwalk_mb']:>12.0f}{memory['plain_mb']:>10.0f}", flush=True)
            if arguments.no_memory:
                continue
            RESULTS.mkdir(exist_ok=True)
            facts = {
                "command": " ".join(["python", "benchmarks/stylegan3.py", *sys.argv[1:]]),
                "machine": f"{platform.machine()}, {arguments.threads} threads",
                "rows": rows,
            }
            (RESULTS / "stylegan3.json").write_text(json.dumps(facts, indent=1) + "\n")
    return None


if __name__ == "__main__":
    main()
