"""What a TopDis step costs, as a multiple of the plain step in the same run, and where its time goes.

    python benchmarks/vae.py --threads 2

Steps with and without the term alternate, so that whatever else the machine does meets both. Writes
benchmarks/results/vae.json and vae.png.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from ganwalk.files import atomic_path, write_json
from vae.data import load_dataset
from vae.settings import TopDisSettings, TrainingSettings
from vae.step import compute_step, draw_step, load_images, reconstruction_loss
from vae.topdis import TopDis, shift_codes
from vae.training import new_state

_RESULTS = Path(__file__).resolve().parent / "results"
_CASES = {
    "beta, sprites, 32 px": TrainingSettings(),
    "beta, sprites, 32 px, bfloat16": TrainingSettings(precision="bfloat16"),
    "beta, sprites, 64 px": TrainingSettings(resolution=64),
    "beta, scenes, 32 px": TrainingSettings(dataset="scenes"),
    "factor, sprites, 32 px": TrainingSettings(objective="factor"),
    "factor, sprites, 64 px": TrainingSettings(objective="factor", resolution=64),
    "dava, sprites, 32 px": TrainingSettings(objective="dava"),
}


def alternate(tasks: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median milliseconds of each task; they take turns, after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for turn in range(repeats + 1):
        for name, task in tasks.items():
            began = time.perf_counter()
            task()
            if turn:
                times[name].append(1000 * (time.perf_counter() - began))
    return {name: statistics.median(values) for name, values in times.items()}


def measure(settings: TrainingSettings, threads: int, repeats: int) -> dict[str, Any]:
    """Milliseconds of whole steps, with the optimisers, and of the parts of the term."""
    data = load_dataset(settings.dataset, resolution=settings.resolution)
    state = new_state(settings, data, "cpu")
    model, parameters = state.model, list(state.model.parameters())
    terms = {
        "plain step": None,
        "TopDis step": TopDisSettings(),
        "without orthogonalisation": TopDisSettings(orthogonal=False),
    }
    step = 0

    def whole(term: TopDisSettings | None) -> None:
        nonlocal step
        step += 1
        draw = draw_step(data, settings.batch, seed=0, step=step)
        topdis = None if term is None else TopDis(term.gamma, threads=threads)
        result = compute_step(model, state.objective, data, draw, step=step, steps=10**6, topdis=topdis, settings=term)
        for parameter, gradient in zip(parameters, result.gradients, strict=True):
            parameter.grad = gradient
        state.optimizer.step()
        state.objective.update(result.context)

    steps = alternate({name: lambda term=term: whole(term) for name, term in terms.items()}, repeats)
    return {"steps": steps, "parts": parts(settings, data, model, threads, repeats)}


def parts(settings: TrainingSettings, data: Any, model: Any, threads: int, repeats: int) -> dict[str, float]:
    """Milliseconds of what a TopDis step does besides the plain one, each part alone."""
    encoder, decoder = list(model.encoder.parameters()), list(model.decoder.parameters())
    images = load_images(data, draw_step(data, settings.batch, seed=1, step=0).first, "cpu")
    with torch.no_grad():
        codes = model.encode(images)[0]
    moved = shift_codes(codes, 0, 1 / 8)
    assert moved is not None
    both = torch.cat(moved)
    with torch.no_grad():
        decoded = model.decode(both).sigmoid().flatten(1)
    loss = TopDis(threads=threads).rtd

    def encode() -> None:
        torch.autograd.grad(model.encode(images)[0].sum(), encoder)

    def decode() -> None:
        torch.autograd.grad(model.decode(both).sum(), decoder)

    def topology() -> None:
        clouds = decoded.clone().requires_grad_()
        torch.autograd.grad(loss(*clouds.chunk(2)), clouds)

    def other() -> None:
        mean, log_variance = model.encode(images)
        kl = (mean.square() + log_variance.exp() - log_variance).sum()
        torch.autograd.grad(kl, encoder, retain_graph=True)

    def plain() -> None:
        mean, _ = model.encode(images)
        torch.autograd.grad(reconstruction_loss(model.decode(mean), images), encoder + decoder)

    tasks = {
        "encoder, second batch": encode,
        "decoder, codes and shifted codes": decode,
        "topology": topology,
        "encoder again, KL apart": other,
        "reconstruction, for comparison": plain,
    }
    return alternate(tasks, repeats)


def main() -> None:
    """Parses the command line, measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--out", type=Path, default=_RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    threadpool_limits(limits=1, user_api="blas")  # as vae.train does
    found: dict[str, Any] = {}
    for name, settings in _CASES.items():
        case = measure(replace(settings), arguments.threads, arguments.repeats)
        plain = case["steps"]["plain step"]
        case["ratio"] = {kind: round(value / plain, 2) for kind, value in case["steps"].items()}
        case["mean ratio, every third step"] = round((2 + case["ratio"]["TopDis step"]) / 3, 2)
        for part in ("steps", "parts"):
            case[part] = {kind: round(value, 2) for kind, value in case[part].items()}
        found[name] = case
        print(f"{name}: a TopDis step takes {case['ratio']['TopDis step']} times the plain step ({plain:.1f} ms)")
        for kind, value in case["parts"].items():
            print(f"    {kind:<34} {value:7.1f} ms")
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_json(arguments.out / "vae.json", {"threads": arguments.threads, "torch": torch.__version__, "cases": found})
    draw(found, arguments.out / "vae.png")


def draw(found: dict[str, Any], path: Path) -> None:
    """Bars: the steps, as multiples of the plain one."""
    figure = Figure(figsize=(8.5, 3), layout="constrained")
    axis: Any = figure.subplots()
    kinds = ("plain step", "without orthogonalisation", "TopDis step")
    for place, (kind, colour) in enumerate(zip(kinds, ("#b8c4d6", "#5f86c4", "#1f4e9c"), strict=True)):
        values = [case["ratio"][kind] for case in found.values()]
        axis.barh([k - 0.26 * place for k in range(len(found))], values, 0.24, color=colour, label=kind)
    axis.set_yticks([k - 0.26 for k in range(len(found))], found)
    axis.set_xlabel("time of a step, as a multiple of the plain step")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=120)


if __name__ == "__main__":
    main()
