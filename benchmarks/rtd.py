"""The full RTD loss and its gradient: ours against giotto-ph and ripser.py, in one run.

    make bench            or: python benchmarks/rtd.py --sizes 64 128 256 512

Each measurement goes from two clouds (n, 64) to the four-term loss and the gradient to both. The peers run on the
2n×2n matrices of the published construction: giotto-ph with 2 threads, its bars located by the simplices it returns;
ripser.py, which returns values only, by looking them up. All barcodes must agree. (giotto-ph's loss is not held to
that: with 2 threads the simplices it returns are not always those of its own, correct, barcode.)
Shifted clouds: Q = P + 0.3·noise, as a batch and its small shift; unrelated clouds: two independent samples. Runs are
interleaved, the medians are compared.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganwalk.rtd import RTDLoss, distance_matrix, normalized

RESULTS = Path(__file__).resolve().parent / "results"
Bars = Callable[[np.ndarray], np.ndarray]


def doubled(small: Tensor, large: Tensor) -> Tensor:
    """The 2n×2n matrix [[0, Lᵀ], [L, K]] whose H₁ is that of the pair."""
    return torch.cat([torch.cat([torch.zeros_like(large), large.T], 1), torch.cat([large, small], 1)])


def giotto_bars(matrix: np.ndarray) -> np.ndarray:
    """Rows (birth i, j, death i, j) of the bars in dimension one."""
    from gph import ripser_parallel

    result = ripser_parallel(matrix, maxdim=1, metric="precomputed", n_threads=2, return_generators=True)
    finite = result["gens"][1]
    return finite[0] if len(finite) else np.empty((0, 4), np.int64)


def giotto_value(P: Tensor, Q: Tensor) -> float:
    """The loss by giotto-ph's barcodes, without their simplices."""
    from gph import ripser_parallel

    w, v = (normalized(distance_matrix(cloud), 0.9) for cloud in (P, Q))
    least, most = torch.minimum(w, v), torch.maximum(w, v)
    total = 0.0
    for small, large in ((least, w), (least, v), (v, most), (w, most)):
        matrix = doubled(small, large).numpy()
        bars = ripser_parallel(matrix, maxdim=1, metric="precomputed", n_threads=2)["dgms"][1]
        total += float((bars[:, 1] - bars[:, 0]).astype(np.float64).sum())
    return total / 2


def ripser_bars(matrix: np.ndarray) -> np.ndarray:
    """Rows (birth i, j, death i, j), each entry found by its value."""
    from ripser import ripser

    bars = ripser(matrix, maxdim=1, distance_matrix=True)["dgms"][1].astype(np.float32)
    flat = matrix.ravel()
    order = np.argsort(flat)
    at = order[np.searchsorted(flat[order], bars).clip(max=flat.size - 1)]
    return np.stack(np.divmod(at, len(matrix)), axis=2).reshape(-1, 4)


def published_loss(P: Tensor, Q: Tensor, bars_of: Bars) -> Tensor:
    """Half of the sum of the four terms, on 2n points."""
    w, v = (normalized(distance_matrix(cloud), 0.9) for cloud in (P, Q))
    least, most = torch.minimum(w, v), torch.maximum(w, v)
    total = P.new_zeros(())
    for small, large in ((least, w), (least, v), (v, most), (w, most)):
        matrix = doubled(small, large)
        bars = torch.from_numpy(np.asarray(bars_of(matrix.detach().numpy()), np.int64))
        total = total + (matrix[bars[:, 2], bars[:, 3]] - matrix[bars[:, 0], bars[:, 1]]).sum()
    return total / 2


def clouds(kind: str, n: int, seed: int) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    P, noise = torch.randn(n, 64, generator=rng), torch.randn(n, 64, generator=rng)
    return P, P + 0.3 * noise if kind == "shifted" else noise


def timed(loss: Callable[[Tensor, Tensor], Tensor], P: Tensor, Q: Tensor) -> tuple[float, float]:
    """Seconds for the loss with its gradient, and its value."""
    P, Q = P.clone().requires_grad_(), Q.clone().requires_grad_()
    start = time.perf_counter()
    value = loss(P, Q)
    value.backward()
    return time.perf_counter() - start, value.item()


def measure(kind: str, n: int, repeats: int) -> dict[str, float]:
    """Median seconds of each engine on the same clouds."""
    losses = {
        "ganwalk": RTDLoss(threads=2),
        "giotto-ph": lambda P, Q: published_loss(P, Q, giotto_bars),
        "ripser.py": lambda P, Q: published_loss(P, Q, ripser_bars),
    }
    seconds: dict[str, list[float]] = {name: [] for name in losses}
    for repeat in range(repeats + 1):
        P, Q = clouds(kind, n, repeat)
        values = {}
        for name, loss in losses.items():
            if name == "ripser.py" and n > 256 and repeat > 1:
                continue
            # Short runs are repeated within a measurement: the first one after another engine's finds cold caches.
            runs = [timed(loss, P, Q) for _ in range(max(1, 512 // n))]
            values[name] = runs[0][1]
            if repeat:
                seconds[name].append(statistics.median(run[0] for run in runs))
        reference = values["ganwalk"]
        if repeat == 0:
            values["giotto-ph"] = giotto_value(P, Q)
        for name in values if repeat == 0 else ("ripser.py",) if "ripser.py" in values else ():
            if not math.isclose(values[name], reference, rel_tol=1e-4):
                raise SystemExit(f"{name} disagrees at n = {n}: {values[name]} where ganwalk has {reference}")
    return {name: statistics.median(values) for name, values in seconds.items()}


def plot(rows: list[dict[str, object]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, kind in zip(figure.subplots(1, 2, sharey=True), ("shifted", "unrelated"), strict=True):
        part = [row for row in rows if row["clouds"] == kind]
        for name, colour in (("ripser.py", "#8a8f99"), ("giotto-ph", "#c2571a"), ("ganwalk", "#1f4e9c")):
            axes.plot([row["n"] for row in part], [row[name] for row in part], "o-", label=name, color=colour)
        axes.set(xscale="log", yscale="log", xlabel="points n", title=f"{kind} clouds")
        axes.set_xticks([row["n"] for row in part], [str(row["n"]) for row in part])
        axes.minorticks_off()
        axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.axes[0].set_ylabel("seconds, loss and gradient")
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256, 512])
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    rows: list[dict[str, object]] = []
    print(f"{'clouds':<10}{'n':>5}{'ganwalk':>12}{'giotto-ph':>12}{'ripser.py':>12}{'/giotto':>9}{'/ripser':>9}")
    for kind in ("shifted", "unrelated"):
        ratios: dict[str, list[float]] = {"giotto-ph": [], "ripser.py": []}
        for n in arguments.sizes:
            seconds = measure(kind, n, arguments.repeats)
            for name in ratios:
                ratios[name].append(seconds[name] / seconds["ganwalk"])
            rows.append({"clouds": kind, "n": n, **seconds})
            cells = "".join(f"{1e3 * seconds[name]:>9.2f} ms" for name in seconds)
            print(
                f"{kind:<10}{n:>5}{cells}" + "".join(f"{values[-1]:>8.1f}×" for values in ratios.values()), flush=True
            )
        means = {name: math.exp(statistics.mean(map(math.log, values))) for name, values in ratios.items()}
        rows.append({"clouds": kind, "geometric_mean_ratio": means})
        print(f"{kind:<10} geometric means: {means['giotto-ph']:.1f}× giotto-ph, {means['ripser.py']:.1f}× ripser.py")
    RESULTS.mkdir(exist_ok=True)
    facts = {"command": "make bench", "machine": f"{platform.machine()}, 2 threads", "rows": rows}
    (RESULTS / "rtd.json").write_text(json.dumps(facts, indent=1) + "\n")
    plot([row for row in rows if "n" in row], RESULTS / "rtd.png")


if __name__ == "__main__":
    main()
