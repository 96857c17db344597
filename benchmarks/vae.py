"""What a TopDis step costs, as a multiple of the plain step in the same run, and where its time goes.

    python benchmarks/vae.py --threads 2
    python benchmarks/vae.py --threads 2 --lockstep 4                     # four models together, or one after the other
    python benchmarks/vae.py --lockstep 16 --device cuda --steps 200

Steps with and without the term, and with what makes it cheaper, alternate, so that whatever else the machine does
meets all of them. Times of steps are the CPU's. Writes benchmarks/results/vae.json and vae.png; with --lockstep,
vae-lockstep.json, or vae-lockstep-DEVICE.json.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import sys
import tempfile
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
from vae.topdis import TopDis, shift_codes
from vae.training.loop import Training, new_state, train_together
from vae.training.stack import Stack
from vae.training.step import compute_step, draw_step, load_images, reconstruction_loss

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


_TERMS: dict[str, TopDisSettings | None] = {
    "plain step": None,
    "TopDis step": TopDisSettings(),
    "without orthogonalisation": TopDisSettings(orthogonal=False),
    "32 points": TopDisSettings(points=32),
    "the same batch": TopDisSettings(batch="same"),
    "against reconstruction + KL": TopDisSettings(against="loss"),
    "32 points, against reconstruction + KL": TopDisSettings(points=32, against="loss"),
    "all three": TopDisSettings(points=32, batch="same", against="loss"),
    "the same batch, without orthogonalisation": TopDisSettings(batch="same", orthogonal=False),
}
"""Kinds of steps. Every k-th step, the term's share of the cost falls to 1 / k; it needs no measurement."""


_CLOCKS: dict[str, Callable[[], float]] = {"CPU": time.process_time, "seconds": time.perf_counter}


def alternate(tasks: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median milliseconds of the CPU of each task; they take turns, after one round that does not count."""
    return alternated(tasks, repeats)["CPU"]


def alternated(tasks: dict[str, Callable[[], Any]], repeats: int) -> dict[str, dict[str, float]]:
    """The same by every clock."""
    times: dict[str, dict[str, list[float]]] = {clock: {name: [] for name in tasks} for clock in _CLOCKS}
    for turn in range(repeats + 1):
        for name, task in tasks.items():
            began = {clock: read() for clock, read in _CLOCKS.items()}
            task()
            for clock, read in _CLOCKS.items() if turn else ():
                times[clock][name].append(1000 * (read() - began[clock]))
    return {
        clock: {name: statistics.median(values) for name, values in found.items()} for clock, found in times.items()
    }


def measure(settings: TrainingSettings, threads: int, repeats: int) -> dict[str, Any]:
    """Milliseconds of whole steps, with the optimisers, and of the parts of the term."""
    data = load_dataset(settings.dataset, resolution=settings.resolution)
    state = new_state(settings, data, "cpu")
    model, stack = state.model, Stack([state.model])
    step = 0

    def whole(term: TopDisSettings | None) -> None:
        nonlocal step
        step += 1
        draws = [draw_step(data, settings.batch, seed=0, step=step)]
        topdis = None if term is None else TopDis.of_settings(term, threads=threads)
        chosen = replace(settings, steps=10**6, topdis=term)
        result = compute_step(stack, [state.objective], data, draws, chosen, step=step, topdis=topdis)
        for parameter, gradient in zip(stack.parameters, result.gradients, strict=True):
            parameter.grad = gradient
        state.optimizer.step()
        state.objective.update(result.contexts[0])

    steps = alternate({name: lambda term=term: whole(term) for name, term in _TERMS.items()}, repeats)
    return {"steps": steps, "parts": parts(settings, data, model, threads, repeats)}


def lockstep(models: int, steps: int, threads: int, repeats: int, device: str) -> dict[str, Any]:
    """Milliseconds of the CPU and of the clock: models in lockstep, and the same one after the other."""
    base = TrainingSettings(steps=steps, topdis=TopDisSettings(delay=0.0))
    data = load_dataset(base.dataset, resolution=base.resolution)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for arm, term in (("plain", None), ("topdis", base.topdis)):
            settings = [replace(base, seed=seed, topdis=term) for seed in range(models)]
            trainings = [Training(one, Path(folder)) for one in settings]

            def run(groups: list[list[Training]]) -> None:
                for group in groups:
                    train_together(group, data, device=device, threads=threads)

            apart = [[training] for training in trainings]
            tasks = {
                "one after the other": functools.partial(run, apart),
                "in lockstep": functools.partial(run, [trainings]),
            }
            for clock, spent in alternated(tasks, repeats).items():
                ratio = round(spent["in lockstep"] / spent["one after the other"], 3)
                found[f"{arm}, {clock}"] = {**{name: round(value, 1) for name, value in spent.items()}, "ratio": ratio}
                print(
                    f"{arm}: {models} models in lockstep take {ratio} of what they take one by one ({clock})",
                    flush=True,
                )
    return {"models": models, "steps": steps, "threads": threads, "torch": torch.__version__, "found": found}


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
    parser.add_argument("--lockstep", type=int, metavar="K", help="measure K models together instead")
    parser.add_argument("--steps", type=int, default=40, help="of each training with --lockstep")
    parser.add_argument("--device", default="cpu", help="of --lockstep")
    parser.add_argument("--only", default="", help="only cases whose name contains this")
    parser.add_argument("--out", type=Path, default=_RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    threadpool_limits(limits=1, user_api="blas")  # as vae.train does
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.lockstep is not None:
        name = "vae-lockstep.json" if arguments.device == "cpu" else f"vae-lockstep-{arguments.device}.json"
        result = lockstep(arguments.lockstep, arguments.steps, arguments.threads, arguments.repeats, arguments.device)
        write_json(arguments.out / name, result)
        return
    found: dict[str, Any] = {}
    for name, settings in ((name, settings) for name, settings in _CASES.items() if arguments.only in name):
        case = measure(replace(settings), arguments.threads, arguments.repeats)
        plain = case["steps"]["plain step"]
        case["ratio"] = {kind: round(value / plain, 2) for kind, value in case["steps"].items()}
        case["mean ratio, every third step"] = round((2 + case["ratio"]["TopDis step"]) / 3, 2)
        for part in ("steps", "parts"):
            case[part] = {kind: round(value, 2) for kind, value in case[part].items()}
        found[name] = case
        print(f"{name}: a TopDis step takes {case['ratio']['TopDis step']} times the plain step ({plain:.1f} ms)")
        for kind, value in case["ratio"].items():
            print(f"    {kind:<40} {value:5.2f}")
        for kind, value in case["parts"].items():
            print(f"    {kind:<40} {value:7.1f} ms")
    write_json(arguments.out / "vae.json", {"threads": arguments.threads, "torch": torch.__version__, "cases": found})
    draw(found, arguments.out / "vae.png")


def draw(found: dict[str, Any], path: Path) -> None:
    """Bars: the steps, as multiples of the plain one."""
    figure = Figure(figsize=(8.5, 3), layout="constrained")
    axis: Any = figure.subplots()
    kinds = ("plain step", "32 points, against reconstruction + KL", "TopDis step")
    for place, (kind, colour) in enumerate(zip(kinds, ("#b8c4d6", "#5f86c4", "#1f4e9c"), strict=True)):
        values = [case["ratio"][kind] for case in found.values()]
        axis.barh([k - 0.26 * place for k in range(len(found))], values, 0.24, color=colour, label=kind)
    axis.set_yticks([k - 0.26 for k in range(len(found))], found)
    axis.set_xlabel("CPU time of a step, as a multiple of the plain step")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=120)


if __name__ == "__main__":
    main()
