"""StyleGAN2 on a CPU: ours against a plain implementation of the published formulas (plain_stylegan2.py), in one run.

    make bench            or: python benchmarks/generators.py --repeats 5        --quick for a minute's look

Random weights, full size: 1024 px (config-f) and 256 px; with --not-square, StyleGAN-Human's 1024×512, speed alone;
with --families, the speed of the other families (plain_families.py). Both must make the same images (1e-4 of the
largest value). Runs alternate, medians are compared. Memory is the peak of a process of its own above what it held
after its imports, weights included. Also: the time of partial synthesis against its share of the multiply-adds, loading
a snapshot against torch.load of the same tensors, and the peak of a short discovery on the 1024 px network.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import plain_families
import torch
from plain_stylegan2 import PlainStyleGAN2
from torch import Tensor

from ganwalk.generators.base import sample_labels, sample_z
from ganwalk.generators.checkpoints.native import write_native
from ganwalk.generators.loading import load_generator
from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).resolve().parent / "results"


def build(resolution: int, first_size: tuple[int, int] = (4, 4)) -> StyleGAN2:
    """A full-size StyleGAN2 with random weights and some noise."""
    torch.manual_seed(0)
    config = StyleGAN2Config(img_resolution=resolution, first_size=first_size)
    generator = StyleGAN2(config).eval().requires_grad_(False)
    for name, parameter in generator.named_parameters():
        if name.endswith("noise_strength"):
            parameter.fill_(0.1)
    return generator


def write_files(generator: StyleGAN2, folder: Path) -> None:
    """The generator as a native file, a snapshot like NVIDIA's, and a plain torch file."""
    sys.path.insert(0, str(ROOT))
    from tests.generators.snapshots import snapshot

    tensors = generator.state_dict()
    write_native(generator.config, tensors, folder / "g.safetensors")
    (folder / "g.pkl").write_bytes(snapshot(generator))
    torch.save({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "g.pt")


def styles(generator: StyleGAN2, n: int) -> Tensor:
    """A style per layer and sample."""
    z = torch.randn(n * generator.num_layers, generator.z_dim, generator=torch.Generator().manual_seed(1))
    return generator.mapping(z)[:, 0].view(n, generator.num_layers, -1)


def seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compare_speed(generator: StyleGAN2, batch: int, repeats: int) -> dict[str, float]:
    """Median seconds per image of both, after a check that both make the same images."""
    plain = PlainStyleGAN2(generator.state_dict(), generator.resolution)
    w = styles(generator, batch)
    return compared(lambda: generator.synthesis(w), lambda: plain.synthesis(w), batch, repeats)


def compared(
    synthesis: Callable[[], Tensor], plain: Callable[[], Tensor], batch: int, repeats: int
) -> dict[str, float]:
    """Median seconds per image of two syntheses, in turns, after a check that both make the same images."""
    expected = plain()
    error = float((synthesis() - expected).abs().max() / expected.abs().max())
    if not error < 1e-4:
        raise SystemExit(f"the images differ by {error:.1e} of the largest value")
    del expected
    runs = [(seconds(synthesis), seconds(plain)) for _ in range(repeats)]
    ours, theirs = (statistics.median(column) / batch for column in zip(*runs, strict=True))
    return {"ganwalk": ours, "plain": theirs, "ratio": theirs / ours, "difference": error}


def compare_families(batches: tuple[int, ...], repeats: int) -> list[dict[str, Any]]:
    """A row for each of the other families and each size of a batch."""
    rows: list[dict[str, Any]] = []
    for name, plain in plain_families.PLAIN.items():
        generator: Any = plain_families.build(name)
        state = {key: tensor.contiguous() for key, tensor in generator.state_dict().items()}
        for batch in batches:
            w = generator.mapping(sample_z(generator, batch, 1), sample_labels(generator, batch, None, 1))[:, 0]
            made = compared(
                lambda: generator.synthesis(w, noise="none"),  # noqa: B023 (called before the next one)
                lambda: plain(generator.config, state, w),  # noqa: B023
                batch,
                repeats,
            )
            rows.append({"network": name, "batch": batch, **made})
            print(
                f"{name:<20}{batch:>6}{made['ganwalk']:>9.3f} s{made['plain']:>9.3f} s{made['ratio']:>8.2f}×",
                flush=True,
            )
    return rows


def multiply_adds(config: StyleGAN2Config, until: int) -> float:
    """Of the convolutions of layers 0 to `until`, as published: without the FIR filters."""
    total = 0.0
    for layer in range(until + 1):
        if layer == config.num_layers - 1:
            total += sum(config.channels(size) * config.img_channels * size**2 for size in config.resolutions)
            continue
        size = config.layer_resolutions[layer]
        up = layer % 2 == 1
        below = config.channels(size // 2) if up else config.channels(size)
        total += 9 * below * config.channels(size) * (size // 2 if up else size) ** 2
    return total


def partial_synthesis(generator: StyleGAN2, repeats: int) -> list[dict[str, float]]:
    """Share of time against share of multiply-adds, after the last convolution of each resolution."""
    w = styles(generator, 1)
    layers = [*range(4, generator.num_layers - 1, 2), generator.num_layers - 1]
    runs = [[seconds(lambda k=k: generator.synthesis(w, until=k)) for k in layers] for _ in range(repeats)]
    times = [statistics.median(column) for column in zip(*runs, strict=True)]
    work = [multiply_adds(generator.config, layer) for layer in layers]
    return [
        {"until": layer, "time": t / times[-1], "multiply_adds": m / work[-1]}
        for layer, t, m in zip(layers, times, work, strict=True)
    ]


def resident(field: str) -> float:
    """VmRSS or VmHWM (its peak) of this process in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def measure_process(kind: str, file: Path, batch: int) -> None:
    """Prints seconds and peak MB of loading, and the peak MB of two syntheses (batch 0: none)."""
    torch.set_num_threads(2)
    torch.set_grad_enabled(False)
    torch.randn(8, 8) @ torch.randn(8, 8)
    before = resident("VmRSS")
    network: Any = None
    if kind == "ganwalk":
        load = seconds(lambda: globals().update(network=load_generator(file)))
    else:
        load = seconds(lambda: globals().update(network=torch.load(file, weights_only=True)))
    network = globals()["network"]
    result = {"load_seconds": load, "load_mb": resident("VmHWM") - before}
    if batch:
        if kind == "plain":
            size = max(int(name.split(".")[1][1:]) for name in network if name.startswith("synthesis.b"))
            network = globals()["network"] = PlainStyleGAN2(network, size)
            w = torch.randn(batch, 2 * size.bit_length() - 4, 512)
        else:
            w = torch.randn(batch, network.num_layers, 512)
        # Forget the peak of loading.
        Path("/proc/self/clear_refs").write_text("5")
        for _ in range(2):
            network.synthesis(w)
        result["synthesis_mb"] = resident("VmHWM") - before
    print(json.dumps(result))


def in_process(kind: str, file: Path, batch: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", kind, str(file), str(batch)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def discovery(file: Path) -> dict[str, float]:
    """Seconds and peak MB of a whole direct `ganwalk discover` process at the default batch and layer."""
    options = ["-g", str(file), "-n", "2", "--steps", "1", "--no-equalize", "-q", "-o", str(file.parent / "out")]
    options += ["--search", "direct", "--force"]
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "ganwalk", "discover", *options], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("ganwalk discover failed")
    return {"seconds": time.perf_counter() - start, "peak_mb": usage.ru_maxrss / 1024}


def plot(rows: list[dict[str, Any]], parts: list[dict[str, float]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.4), layout="constrained")
    axes = figure.subplots(1, 3)
    names = [f"{row['resolution']} px\nbatch {row['batch']}" for row in rows]
    colours = {"plain": "#c2571a", "ganwalk": "#1f4e9c"}
    for k, (kind, colour) in enumerate(colours.items()):
        at = [i + 0.4 * k - 0.2 for i in range(len(rows))]
        axes[0].bar(at, [row[kind] for row in rows], 0.4, label=kind, color=colour)
        axes[1].bar(at, [row[f"{kind}_mb"] for row in rows], 0.4, color=colour)
    for axis, label in zip(axes, ("seconds per image", "peak memory, MB"), strict=False):
        axis.set_xticks(range(len(rows)), names)
        axis.set_ylabel(label)
    axes[0].legend(frameon=False)
    axes[2].plot([0, 1], [0, 1], ":", color="#8a8f99")
    axes[2].plot([p["multiply_adds"] for p in parts], [p["time"] for p in parts], "o-", color="#1f4e9c")
    axes[2].set(xlabel="share of multiply-adds", ylabel="share of time", title="until=k")
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", choices=(256, 1024), default=[256, 1024])
    parser.add_argument("--not-square", action="store_true", help="1024×512 pixels only, nothing written.")
    parser.add_argument("--quick", action="store_true", help="256 px only, no discovery, nothing written.")
    parser.add_argument("--families", action="store_true", help="The other families instead.")
    parser.add_argument("--measure", nargs=3, metavar=("KIND", "FILE", "BATCH"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        kind, file, batch = arguments.measure
        return measure_process(kind, Path(file), int(batch))
    torch.set_num_threads(2)
    torch.set_grad_enabled(False)
    if arguments.not_square:
        row = compare_speed(build(1024, (4, 2)), 1, arguments.repeats)
        print(f"1024×512 px: {row['ganwalk']:.2f} s, plain {row['plain']:.2f} s, {row['ratio']:.2f}×")
        return None
    load_before = os.getloadavg()[0]
    head = {"command": "make bench", "machine": f"{platform.machine()}, 2 threads", "load_average_before": load_before}
    if arguments.families:
        found = {**head, "command": "python benchmarks/generators.py --families"}
        found["rows"] = compare_families((1, 4), arguments.repeats)
        if not arguments.quick:
            RESULTS.mkdir(exist_ok=True)
            (RESULTS / "families.json").write_text(json.dumps(found, indent=1) + "\n")
        return None
    batches_of = {256: (1, 4), 1024: (1, 2)}
    chosen = [256] if arguments.quick else sorted(arguments.sizes)
    rows: list[dict[str, Any]] = []
    facts: dict[str, Any] = {}
    print(f"{'network':<10}{'batch':>6}{'ganwalk':>11}{'plain':>11}{'faster':>9}{'memory':>20}{'share':>8}")
    for resolution in chosen:
        generator = build(resolution)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_files(generator, folder)
            for batch in batches_of[resolution]:
                row = {"resolution": resolution, "batch": batch, **compare_speed(generator, batch, arguments.repeats)}
                for kind, file in (("ganwalk", "g.safetensors"), ("plain", "g.pt")):
                    row[f"{kind}_mb"] = in_process(kind, folder / file, batch)["synthesis_mb"]
                row["memory_share"] = row["ganwalk_mb"] / row["plain_mb"]
                rows.append(row)
                print(
                    f"{resolution:>7} px{batch:>6}{row['ganwalk']:>9.2f} s{row['plain']:>9.2f} s{row['ratio']:>8.2f}×"
                    f"{row['ganwalk_mb']:>8.0f} / {row['plain_mb']:.0f} MB{row['memory_share']:>8.0%}",
                    flush=True,
                )
            loading = {
                "pkl": in_process("ganwalk", folder / "g.pkl", 0),
                "safetensors": in_process("ganwalk", folder / "g.safetensors", 0),
                "torch.load": in_process("plain", folder / "g.pt", 0),
            }
            facts[f"loading_{resolution}"] = loading
            for kind, values in loading.items():
                print(f"{resolution} px {kind}: {values['load_seconds']:.2f} s, {values['load_mb']:.0f} MB")
            parts = partial_synthesis(generator, arguments.repeats)
            facts[f"partial_{resolution}"] = parts
            print("until=k, time / multiply-adds:", *(f"{p['time']:.2f}/{p['multiply_adds']:.2f}" for p in parts))
            if resolution == 1024:
                del generator
                facts["discovery_1024"] = discovery(folder / "g.safetensors")
                print("discovery, batch 64: {seconds:.0f} s, peak {peak_mb:.0f} MB".format(**facts["discovery_1024"]))
    if arguments.quick:
        return None
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "generators.json").write_text(json.dumps({**head, "rows": rows, **facts}, indent=1) + "\n")
    plot(rows, parts, RESULTS / "generators.png")
    return None


if __name__ == "__main__":
    main()
