"""What it saves that a process keeps the memory that its tensors give back (`ganwalk/compute/allocation.py`), on a CPU.

    python benchmarks/allocation.py              # minutes
    python benchmarks/allocation.py --quick --results FOLDER      # little of everything: to see that it runs

A process that keeps it and one that does not take turns at every case. Seconds are of the CPU, those that the kernel
took for the process among them, in the median of the repetitions; memory is the most that the process held.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ganwalk.compute.allocation import keep_freed_memory
from ganwalk.files import write_json

_ROOT = Path(__file__).resolve().parents[1]
_RESULTS = Path(__file__).resolve().parent / "results"


def training(topdis: bool, resolution: int) -> Callable[[], object]:
    """A step of a VAE on sprites."""
    from vae.data import load_dataset
    from vae.settings import TopDisSettings, TrainingSettings
    from vae.topdis import TopDis
    from vae.training.loop import new_state
    from vae.training.stack import Stack
    from vae.training.step import compute_step, draw_step

    term = TopDisSettings() if topdis else None
    settings = replace(TrainingSettings(), resolution=resolution, topdis=term)
    data = load_dataset(settings.dataset, resolution=resolution)
    state = new_state(settings, data, "cpu")
    stack = Stack([state.model])
    loss = None if term is None else TopDis.of_settings(term, threads=1)

    def step() -> None:
        draws = [draw_step(data, settings.batch, seed=0, step=state.step)]
        found = compute_step(stack, [state.objective], data, draws, settings, step=state.step, topdis=loss)
        for parameter, gradient in zip(stack.parameters, found.gradients, strict=True):
            parameter.grad = gradient
        state.optimizer.step()
        state.step += 1

    return step


def images(resolution: int, count: int, gradient: bool) -> Callable[[], object]:
    """Images of a StyleGAN2 of random weights; with their gradient to w, too."""
    import torch

    from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config

    generator = StyleGAN2(StyleGAN2Config(img_resolution=resolution)).eval().requires_grad_(False)
    z = torch.randn(count, 512, generator=torch.Generator().manual_seed(0))

    def synthesise() -> None:
        with torch.set_grad_enabled(gradient):
            w = generator.mapping(z).detach().requires_grad_(gradient)
            made = generator.synthesis(w)
            if gradient:
                torch.autograd.grad(made.square().sum(), w)

    return synthesise


# What is done, and how often in a process.
CASES: dict[str, tuple[Callable[[], Callable[[], object]], int]] = {
    "VAE, a step, 32 px": (lambda: training(False, 32), 60),
    "VAE, a TopDis step, 32 px": (lambda: training(True, 32), 40),
    "VAE, a TopDis step, 64 px": (lambda: training(True, 64), 20),
    "StyleGAN2, 2 images of 256 px": (lambda: images(256, 2, False), 6),
    "StyleGAN2, an image of 1024 px": (lambda: images(1024, 1, False), 4),
    "StyleGAN2, the gradient of 2 images of 256 px": (lambda: images(256, 2, True), 4),
}
_QUICK = ("VAE, a step, 32 px",)


def spend(case: str, keep: bool) -> dict[str, float]:
    """What a case takes in this process, the first time not counted: seconds of the CPU, and MiB of memory at most."""
    import torch

    if keep and not keep_freed_memory():
        sys.exit("this C library cannot be told to keep memory")
    torch.set_num_threads(1)
    make, repeats = CASES[case]
    work = make()
    work()
    times = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": statistics.median(times), "MiB": most}


def measure(case: str, turns: int) -> dict[str, Any]:
    """Both kinds of processes in turn, and how many times as much the keeping one takes."""
    found: dict[str, list[dict[str, float]]] = {"as usual": [], "kept": []}
    for _ in range(turns):
        for kind, runs in found.items():
            command = [sys.executable, __file__, "--spend", case, *(["--keep"] if kind == "kept" else [])]
            ran = subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, text=True)
            runs.append(json.loads(ran.stdout))
    medians = {
        kind: {unit: round(statistics.median(run[unit] for run in runs), 4) for unit in ("seconds", "MiB")}
        for kind, runs in found.items()
    }
    ratios = {unit: round(medians["kept"][unit] / medians["as usual"][unit], 2) for unit in ("seconds", "MiB")}
    return {**medians, "kept / as usual": ratios}


def main() -> None:
    """Parses the command line, measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5, help="processes of either kind")
    parser.add_argument("--quick", action="store_true", help="a small version, to see that everything runs")
    parser.add_argument("--results", type=Path, default=_RESULTS)
    parser.add_argument("--spend", choices=list(CASES), help="do this here, and print what it took")
    parser.add_argument("--keep", action="store_true", help="of --spend: keep memory")
    arguments = parser.parse_args()
    if arguments.spend is not None:
        print(json.dumps(spend(arguments.spend, arguments.keep)))
        return
    found = {}
    for case in _QUICK if arguments.quick else CASES:
        found[case] = measure(case, 1 if arguments.quick else arguments.turns)
        ratios = found[case]["kept / as usual"]
        print(f"{case}: {ratios['seconds']} of the time, {ratios['MiB']} of the memory", flush=True)
    arguments.results.mkdir(parents=True, exist_ok=True)
    machine = {"machine": platform.machine(), "threads": 1}
    write_json(arguments.results / "allocation.json", {**machine, "turns": arguments.turns, "cases": found})


if __name__ == "__main__":
    main()
