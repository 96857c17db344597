"""The metrics of disentanglement: ours against disentanglement_lib, in one run, at equal settings.

    git clone https://github.com/google-research/disentanglement_lib
    python benchmarks/metrics.py --reference disentanglement_lib

Codes of 10 dimensions for the factors of dSprites, 10,000 rows for training and 5,000 for testing, the settings of the
unsupervised study. The reference runs as it is, but for stand-ins for gin and absl, which it needs for configuration.
Its FactorVAE and BetaVAE scores draw factors and ask for codes; here a code is a matrix product away, so that no
network is timed. Metrics are marked by what they cost: "arrays", or "model" where the reference fits scikit-learn's
models. Linear algebra has one thread for both, as its threads would wait for each other on these sizes. Ours runs once
before it is timed, with few rows; runs are interleaved, the medians are compared; what takes long runs once.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import statistics
import sys
import time
import types
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from threadpoolctl import threadpool_limits

from vae import metrics
from vae.metrics import FULL

RESULTS = Path(__file__).resolve().parent / "results"
SIZES = (3, 6, 40, 32, 32)
CODES = 10
RUNS = 5
Scores = dict[str, float]


@dataclass(frozen=True)
class Data:
    """Rows of codes and factors, and the codes as a function of factors, without noise."""

    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    clean: np.ndarray
    encode: Callable[[np.ndarray], np.ndarray]


def make_data(rows: int, test_rows: int) -> Data:
    """Five codes with a factor each, partly mixed, two mixtures, and three dimensions that the model has given up."""
    rng = np.random.default_rng(0)
    matrix = np.zeros((len(SIZES), CODES))
    matrix[:, :5] = np.eye(5) + 0.2 * rng.normal(size=(5, 5))
    matrix[:, 5:7] = 0.5 * rng.normal(size=(5, 2))

    def encode(factors: np.ndarray) -> np.ndarray:
        return (3.4 * (factors / (np.array(SIZES) - 1) - 0.5)) @ matrix

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        factors = np.stack([rng.integers(size, size=n) for size in SIZES], axis=1)
        return (encode(factors) + 0.03 * rng.normal(size=(n, CODES))).astype(np.float32), factors

    train, test = draw(rows), draw(test_rows)
    return Data(train, test, encode(train[1]), encode)


class Sampler:
    """Ground truth as the reference asks for it, whose observations are the factors."""

    num_factors = len(SIZES)

    def sample_factors(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        return np.stack([rng.randint(size, size=n) for size in SIZES], axis=1)

    def sample_observations_from_factors(self, factors: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        return factors

    def sample_observations(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        return self.sample_factors(n, rng)


class Rows:
    """Rows by number, in order: the same images for every run."""

    def __init__(self) -> None:
        self._next = 0

    def sample_observations(self, n: int, rng: np.random.RandomState) -> np.ndarray:
        self._next += n
        return np.arange(self._next - n, self._next)


def load_reference(path: Path) -> dict[str, Any]:
    """The reference's modules by name, with gin's bindings of the unsupervised study."""

    def configurable(*names: Any, **options: Any) -> Any:
        return names[0] if names and callable(names[0]) else lambda function: function

    gin, absl = types.ModuleType("gin"), types.ModuleType("absl")
    gin.tf = gin  # type: ignore[attr-defined]
    gin.configurable, gin.REQUIRED = configurable, None  # type: ignore[attr-defined]
    absl.logging = types.SimpleNamespace(info=lambda *_: None)  # type: ignore[attr-defined]
    six = types.ModuleType("six")
    six.moves = types.ModuleType("six.moves")  # type: ignore[attr-defined]
    six.moves.range = range  # type: ignore[attr-defined]
    sys.modules.update({"gin": gin, "gin.tf": gin, "absl": absl})
    sys.modules.setdefault("six", six)
    sys.modules.setdefault("six.moves", six.moves)  # type: ignore[attr-defined]
    sys.path.insert(0, str(path))
    folder = "disentanglement_lib.evaluation"
    names = ("utils", "mig", "sap_score", "dci", "factor_vae", "beta_vae", "modularity_explicitness", "irs")
    try:
        modules = {name: importlib.import_module(f"{folder}.metrics.{name}") for name in names}
        modules["udr"] = importlib.import_module(f"{folder}.udr.metrics.udr")
    except ImportError as error:
        raise SystemExit(f"{path} is no checkout of disentanglement_lib: {error}") from error
    utils = modules["utils"]
    utils.make_discretizer = partial(utils._histogram_discretize, num_bins=FULL.bins)
    modules["factor_vae"]._prune_dims = partial(modules["factor_vae"]._prune_dims, threshold=FULL.min_std)
    return modules


@dataclass(frozen=True)
class Contest:
    """One metric, ours and theirs; each returns scores by name."""

    name: str
    cost: str
    ours: Callable[[Data], Scores]
    reference: Callable[[Data, dict[str, Any]], Scores]
    long: bool = False


def _modularity(data: Data) -> Scores:
    return {"modularity": metrics.modularity(*data.train)}


def _reference_modularity(data: Data, modules: dict[str, Any]) -> Scores:
    utils, codes = modules["utils"], data.train[0].T
    matrix = utils.discrete_mutual_info(utils.make_discretizer(codes), data.train[1].T)
    return {"modularity": modules["modularity_explicitness"].modularity(matrix)}


def _reference_explicitness(data: Data, modules: dict[str, Any]) -> Scores:
    utils, module = modules["utils"], modules["modularity_explicitness"]
    codes, mean, std = utils.normalize_data(data.train[0].T)
    test, _, _ = utils.normalize_data(data.test[0].T, mean, std)
    pairs = zip(data.train[1].T, data.test[1].T, strict=True)
    areas = [module.explicitness_per_factor(codes, y, test, y_test)[1] for y, y_test in pairs]
    return {"explicitness": float(np.mean(areas))}


def _reference_sap(data: Data, modules: dict[str, Any], continuous: bool) -> Scores:
    arrays = (part.T for part in (*data.train, *data.test))
    return {"sap": modules["sap_score"]._compute_sap(*arrays, continuous)["SAP_score"]}


def _dci(data: Data) -> Scores:
    found = metrics.dci(*data.train, *data.test, rounds=FULL.dci_rounds)
    return {name: getattr(found, name) for name in ("disentanglement", "completeness", "informativeness")}


def _reference_dci(data: Data, modules: dict[str, Any]) -> Scores:
    np.random.seed(0)
    found = modules["dci"]._compute_dci(*(part.T for part in (*data.train, *data.test)))
    return {
        "disentanglement": found["disentanglement"],
        "completeness": found["completeness"],
        "informativeness": found["informativeness_test"],
    }


def _reference_factor_vae(data: Data, modules: dict[str, Any]) -> Scores:
    found = modules["factor_vae"].compute_factor_vae(
        Sampler(),
        data.encode,
        np.random.RandomState(0),
        batch_size=FULL.batch,
        num_train=FULL.train_batches,
        num_eval=FULL.eval_batches,
        num_variance_estimate=10_000,
    )
    return {"factor_vae": found["eval_accuracy"]}


def _reference_beta_vae(data: Data, modules: dict[str, Any]) -> Scores:
    found = modules["beta_vae"].compute_beta_vae_sklearn(
        Sampler(),
        data.encode,
        np.random.RandomState(0),
        batch_size=FULL.batch,
        num_train=FULL.train_batches,
        num_eval=FULL.eval_batches,
    )
    return {"beta_vae": found["eval_accuracy"]}


def _runs(data: Data) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Codes of runs that agree in part, on 1000 images."""
    rng = np.random.default_rng(1)
    codes = data.train[0][:1000].astype(np.float64)
    mixing = [np.eye(CODES)[rng.permutation(CODES)] + 0.2 * rng.normal(size=(CODES, CODES)) for _ in range(RUNS)]
    return [codes @ matrix for matrix in mixing], [rng.uniform(0, 1, CODES) for _ in range(RUNS)]


def _udr(data: Data, similarity: Any) -> Scores:
    found = metrics.udr(*_runs(data), similarity=similarity)
    return {f"run {run}": score for run, score in enumerate(found.scores.tolist())}


def _reference_udr(data: Data, modules: dict[str, Any], similarity: str) -> Scores:
    functions = [lambda at, c=c, kl=kl: (c[at], kl) for c, kl in zip(*_runs(data), strict=True)]
    found = modules["udr"].compute_udr_sklearn(
        Rows(), functions, np.random.RandomState(0), 10, len(_runs(data)[0][0]), correlation_matrix=similarity
    )
    return {f"run {run}": float(score) for run, score in enumerate(found["model_scores"])}


CONTESTS = (
    Contest(
        "mig",
        "arrays",
        lambda data: {"mig": metrics.mig(*data.train)},
        lambda data, modules: {"mig": modules["mig"]._compute_mig(*(p.T for p in data.train))["discrete_mig"]},
    ),
    Contest("modularity", "arrays", _modularity, _reference_modularity),
    Contest(
        "sap, continuous",
        "arrays",
        lambda data: {"sap": metrics.sap_continuous(*data.train)},
        partial(_reference_sap, continuous=True),
    ),
    Contest(
        "irs",
        "arrays",
        lambda data: {"irs": metrics.irs(*data.train)},
        lambda data, modules: {"irs": modules["irs"].scalable_disentanglement_score(*data.train[::-1])["avg_score"]},
    ),
    Contest(
        "factor_vae",
        "arrays",
        lambda data: {"factor_vae": metrics.factor_vae_score(data.clean, data.train[1])},
        _reference_factor_vae,
    ),
    Contest(
        "beta_vae",
        "arrays",
        lambda data: {"beta_vae": metrics.beta_vae_score(data.clean, data.train[1])},
        _reference_beta_vae,
    ),
    Contest("udr, lasso", "model", partial(_udr, similarity="lasso"), partial(_reference_udr, similarity="lasso")),
    Contest(
        "udr, spearman", "arrays", partial(_udr, similarity="spearman"), partial(_reference_udr, similarity="spearman")
    ),
    Contest(
        "sap",
        "model",
        lambda data: {"sap": metrics.sap(*data.train, *data.test)},
        partial(_reference_sap, continuous=False),
        long=True,
    ),
    Contest(
        "explicitness",
        "model",
        lambda data: {"explicitness": metrics.explicitness(*data.train, *data.test)},
        _reference_explicitness,
        long=True,
    ),
    Contest("dci", "model", _dci, _reference_dci, long=True),
)


def measure(contest: Contest, data: Data, warm: Data, modules: dict[str, Any], repeats: int) -> dict[str, Any]:
    """Median seconds and the scores of both."""
    contest.ours(warm)
    seconds: dict[str, list[float]] = {"ours": [], "reference": []}
    scores: dict[str, Scores] = {}
    for _ in range(1 if contest.long else repeats):
        for who in seconds:
            start = time.perf_counter()
            scores[who] = contest.ours(data) if who == "ours" else contest.reference(data, modules)
            seconds[who].append(time.perf_counter() - start)
    medians = {who: statistics.median(values) for who, values in seconds.items()}
    return {
        "metric": contest.name,
        "cost": contest.cost,
        **medians,
        "ratio": medians["reference"] / medians["ours"],
        "scores": {who: {name: float(value) for name, value in found.items()} for who, found in scores.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, required=True, help="checkout of disentanglement_lib")
    parser.add_argument("--rows", type=int, default=FULL.train_rows)
    parser.add_argument("--test-rows", type=int, default=FULL.test_rows)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=[contest.name for contest in CONTESTS])
    parser.add_argument("--out", type=Path, default=RESULTS / "metrics.json")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    threadpool_limits(limits=1, user_api="blas")
    modules = load_reference(arguments.reference)
    data, warm = make_data(arguments.rows, arguments.test_rows), make_data(2000, 200)
    rows = []
    print(f"{'metric':<18}{'cost':<8}{'ours':>10}{'reference':>12}{'ratio':>9}   scores: ours, reference", flush=True)
    for contest in CONTESTS:
        if arguments.only and contest.name not in arguments.only:
            continue
        row = measure(contest, data, warm, modules, arguments.repeats)
        rows.append(row)
        shown = ["/".join(f"{value:.4f}" for value in found.values()) for found in row["scores"].values()]
        print(
            f"{contest.name:<18}{contest.cost:<8}{row['ours']:>8.3f} s{row['reference']:>10.3f} s{row['ratio']:>8.1f}×"
            f"   {shown[0]}, {shown[1]}",
            flush=True,
        )
    totals = {}
    for name, costs in (("arrays", ("arrays",)), ("model", ("model",)), ("total", ("arrays", "model"))):
        part = [row for row in rows if row["cost"] in costs]
        ours, reference = (sum(row[who] for row in part) for who in ("ours", "reference"))
        totals[name] = {"ours": ours, "reference": reference, "ratio": reference / ours if part else None}
        if part:
            print(f"{name:<26}{ours:>8.3f} s{reference:>10.3f} s{reference / ours:>8.1f}×")
    facts = {
        "command": "python benchmarks/metrics.py --reference disentanglement_lib",
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "rows": [arguments.rows, arguments.test_rows],
        "metrics": rows,
        "totals": totals,
    }
    arguments.out.parent.mkdir(exist_ok=True, parents=True)
    arguments.out.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
