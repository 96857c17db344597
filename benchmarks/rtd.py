"""The full RTD loss and its gradient: ours against giotto-ph and ripser.py, in one run.

    make bench            or: python benchmarks/rtd.py --sizes 64 128 256 512

Each measurement goes from two clouds (n, 64) to the four-term loss and the gradient to both. The peers run on the
2n×2n matrices of the published construction: giotto-ph with 2 threads, its bars located by the simplices it returns;
ripser.py, which returns values only, by looking them up. All barcodes must agree. (giotto-ph's loss is not held to
that: with 2 threads the simplices it returns are not always those of its own, correct, barcode.)
Shifted clouds: Q = P + 0.3·noise, as a batch and its small shift; unrelated clouds: two independent samples. Runs are
interleaved, the medians are compared.

    python benchmarks/rtd.py --large --limit 120

One min term of shifted clouds of 1,000, 2,000 and 4,096 points, in values alone, by every engine that is installed: pip
install giotto-ph gudhi oineus. Each runs in a process of its own, which tells its peak of memory and ends at the time
limit; the totals must agree. All but ganwalk take the 2n×2n matrices.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganwalk.rtd import RTDLoss, cross_barcode, distance_matrix, normalized

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


def total_by_ganwalk(w: np.ndarray, v: np.ndarray) -> float:
    return cross_barcode(w, v).total()


def total_by_giotto(w: np.ndarray, v: np.ndarray) -> float:
    from gph import ripser_parallel

    return _total(ripser_parallel(_doubled(w, v), maxdim=1, metric="precomputed", n_threads=2)["dgms"][1])


def total_by_ripser(w: np.ndarray, v: np.ndarray) -> float:
    from ripser import ripser

    return _total(ripser(_doubled(w, v), maxdim=1, distance_matrix=True)["dgms"][1])


def total_by_gudhi(w: np.ndarray, v: np.ndarray) -> float:
    from gudhi import RipsComplex

    tree = RipsComplex(distance_matrix=_doubled(w, v)).create_simplex_tree(max_dimension=2)
    tree.compute_persistence(homology_coeff_field=2)
    return _total(tree.persistence_intervals_in_dimension(1))


def total_by_oineus(w: np.ndarray, v: np.ndarray) -> float:
    import oineus

    # Its relative diagrams are of a pair whose smaller member is there from the beginning: the published construction.
    matrix = _doubled(w, v).astype(np.float64)
    return _total(oineus.compute_diagrams_vr(matrix, from_pwdists=True, max_dim=2).in_dimension(1))


# By the name of the engine: what it is imported by, and the total of a term.
ENGINES: dict[str, tuple[str, Callable[[np.ndarray, np.ndarray], float]]] = {
    "ganwalk": ("ganwalk", total_by_ganwalk),
    "giotto-ph": ("gph", total_by_giotto),
    "ripser.py": ("ripser", total_by_ripser),
    "GUDHI": ("gudhi", total_by_gudhi),
    "Oineus": ("oineus", total_by_oineus),
}


def _doubled(w: np.ndarray, v: np.ndarray) -> np.ndarray:
    return doubled(torch.from_numpy(np.minimum(w, v)), torch.from_numpy(w)).numpy()


def _total(bars: np.ndarray) -> float:
    bars = np.asarray(bars, np.float64).reshape(-1, 2)
    finite = np.isfinite(bars).all(axis=1)
    return float((bars[finite, 1] - bars[finite, 0]).sum())


def run_one(name: str, n: int) -> dict[str, float]:
    """Seconds, peak of memory and total of one engine, in this process; what it compiles at first is not timed."""
    w, v = (normalized(distance_matrix(cloud.numpy()), 0.9) for cloud in clouds("shifted", n, 0))
    small, _ = (normalized(distance_matrix(cloud.numpy()), 0.9) for cloud in clouds("shifted", 8, 0))
    total = ENGINES[name][1]
    total(small, small)
    start = time.perf_counter()
    found = total(w, v)
    seconds = time.perf_counter() - start
    # In kilobytes, but for macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {"seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, "total": found}


def measure_large(sizes: list[int], limit: float) -> list[dict[str, object]]:
    """A row for each size and engine; what takes longer than the limit, or fails, is said in words."""
    rows: list[dict[str, object]] = []
    for n in sizes:
        for name, (module, _) in ENGINES.items():
            row: dict[str, object] = {"n": n, "engine": name}
            if importlib.util.find_spec(module) is None:
                row["ended"] = "not installed"
            else:
                command = [sys.executable, __file__, "--one", name, "--sizes", str(n)]
                try:
                    # The start of Python, and what is compiled, count for the limit, too.
                    ran = subprocess.run(command, capture_output=True, text=True, timeout=limit)
                    failed = ran.returncode != 0
                    row.update({"ended": f"failed with {ran.returncode}"} if failed else json.loads(ran.stdout))
                except subprocess.TimeoutExpired:
                    row["ended"] = f"more than {limit:g} s"
            rows.append(row)
            told = row.get("ended") or f"{row['seconds']:>9.2f} s {row['peak_mb']:>9.0f} MB   total {row['total']:.4f}"
            print(f"{n:>6}  {name:<10} {told}", flush=True)
        totals = [float(row["total"]) for row in rows if row["n"] == n and "total" in row]  # type: ignore[arg-type]
        if totals and not math.isclose(min(totals), max(totals), rel_tol=1e-4):
            raise SystemExit(f"the engines disagree at n = {n}: {totals}")
    return rows


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
    parser.add_argument("--sizes", type=int, nargs="+", help="points [default: 64 to 512; --large: 1000 to 4096]")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="single terms of many points, by all engines")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for each of --large")
    parser.add_argument("--one", choices=ENGINES, help="one engine of --large at one size, as JSON")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    if arguments.one:
        print(json.dumps(run_one(arguments.one, arguments.sizes[0])))
        return
    arguments.results.mkdir(exist_ok=True)
    if arguments.large:
        rows = measure_large(arguments.sizes or [1000, 2000, 4096], arguments.limit)
        machine = f"{platform.machine()}, 2 threads"
        facts = {
            "command": "python benchmarks/rtd.py --large",
            "machine": machine,
            "limit": arguments.limit,
            "rows": rows,
        }
        (arguments.results / "rtd-large.json").write_text(json.dumps(facts, indent=1) + "\n")
        return
    compare_losses(arguments.sizes or [64, 128, 256, 512], arguments.repeats, arguments.results)


def compare_losses(sizes: list[int], repeats: int, results: Path) -> None:
    """The loss and its gradient, in rows and pictures."""
    rows: list[dict[str, object]] = []
    print(f"{'clouds':<10}{'n':>5}{'ganwalk':>12}{'giotto-ph':>12}{'ripser.py':>12}{'/giotto':>9}{'/ripser':>9}")
    for kind in ("shifted", "unrelated"):
        ratios: dict[str, list[float]] = {"giotto-ph": [], "ripser.py": []}
        for n in sizes:
            seconds = measure(kind, n, repeats)
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
    facts = {"command": "make bench", "machine": f"{platform.machine()}, 2 threads", "rows": rows}
    (results / "rtd.json").write_text(json.dumps(facts, indent=1) + "\n")
    plot([row for row in rows if "n" in row], results / "rtd.png")


if __name__ == "__main__":
    main()
