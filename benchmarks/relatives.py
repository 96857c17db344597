"""RTD and its relatives by their public implementations, beside ours: the numbers of tests/golden/relatives.json.

    git clone https://github.com/IlyaTrofimov/RTD
    git clone https://github.com/ArGintum/RTD-Lite
    git clone https://github.com/frankwy505/SRTD-NTS
    python benchmarks/relatives.py --rtd RTD --lite RTD-Lite --srtd SRTD-NTS

They run as they are, on clouds drawn from seeds; but ripser.py in dimension one stands in for Ripser++, which two of
them import and which needs CUDA. Ours are printed beside them; with `--write`, theirs are kept.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from ripser import ripser
from scipy.sparse import spmatrix

from ganwalk.files import write_json
from ganwalk.rtd import distance_matrix, linear_cka, lite_barcode, normalized, nts_e, nts_m, rtd

GOLDEN = Path(__file__).resolve().parents[1] / "tests" / "golden" / "relatives.json"
# Points, their dimensions in both clouds, and how far the second is from the first (None: unrelated).
CASES: dict[str, tuple[int, tuple[int, int], float | None]] = {
    "near": (40, (5, 5), 0.2),
    "far": (48, (3, 3), 2.0),
    "unrelated": (33, (8, 2), None),
    "small": (7, (2, 2), 1.0),
}


def clouds(name: str) -> tuple[np.ndarray, np.ndarray]:
    """The clouds of a case, in double precision; tests draw them again."""
    n, (first, second), noise = CASES[name]
    rng = np.random.default_rng(list(CASES).index(name))
    P, Q = rng.normal(size=(n, first)), rng.normal(size=(n, second))
    return P, Q if noise is None else P + noise * Q


def ours(P: np.ndarray, Q: np.ndarray) -> dict[str, Any]:
    """The numbers of a case by this package."""
    w, v = (normalized(distance_matrix(cloud), 0.9) for cloud in (P, Q))
    counted = {"over": "positive"}
    return {
        "RTD": rtd(P, Q, minimax=False),
        "RTD-lite": rtd(P, Q, variant="rtd-lite"),
        "RTD-lite bars": [_rows(lite_barcode(w, v)), _rows(lite_barcode(v, w))],
        "RTD-lite, positive": rtd(P, Q, variant="rtd-lite", **counted),
        "RTD-lite, positive, one way": rtd(P, Q, variant="rtd-lite", symmetric=False, **counted),
        "SRTD-lite": rtd(P, Q, variant="srtd-lite", **counted),
        "SRTD-lite bars": _rows(
            lite_barcode(*(normalized(distance_matrix(cloud), 0.9, "positive") for cloud in (P, Q)), "symmetric")
        ),
        "Max-RTD-lite": rtd(P, Q, variant="max-rtd-lite", **counted),
        "SRTD": rtd(P, Q, variant="srtd", **counted),
        "NTS-E": nts_e(P, Q),
        "NTS-M": nts_m(P, Q),
        "linear CKA": linear_cka(P, Q),
    }


def theirs(P: np.ndarray, Q: np.ndarray, rtd_code: Any, lite: Any, srtd: Any) -> dict[str, Any]:
    """The same numbers by the public implementations."""
    w, v = distance_matrix(P), distance_matrix(Q)
    tensors = torch.from_numpy(P), torch.from_numpy(Q)
    bars = lite.RTD_Lite(*tensors)()
    scores, similar = srtd.rtd_srtd_lite_scores(w, v), srtd.nts_scores(w, v)
    return {
        "RTD": rtd_code.rtd1(P, Q, pdist_device="cpu"),
        "RTD-lite": float(lite.RTD_Lite_summ_only(*tensors)()),
        "RTD-lite bars": [_lasting(np.asarray(bars[way])) for way in ("1->2", "2->1")],
        "RTD-lite, positive": scores["RTD_lite"],
        "RTD-lite, positive, one way": scores["RTD_lite_dir_12"],
        "SRTD-lite": scores["SRTD_lite"],
        "SRTD-lite bars": _lasting(np.array(srtd.srtd_lite_barcode(w, v))),
        "Max-RTD-lite": scores["Max_RTD_lite"],
        "SRTD": srtd.srtd_score(w, v)[1],
        "NTS-E": similar["NTS_E"],
        "NTS-M": similar["NTS_M"],
        "linear CKA": srtd.linear_cka(P, Q),
    }


def _rows(barcode: Any) -> list[list[float]]:
    """Births and deaths, each in order: which belongs to which may differ among equal values."""
    return np.sort(np.stack([barcode.births, barcode.deaths], axis=1), axis=0).tolist()


def _lasting(bars: np.ndarray) -> list[list[float]]:
    """Likewise, without those that are zero but for rounding, by which the halves of torch.cdist's differ."""
    return np.sort(bars[bars[:, 1] - bars[:, 0] > 1e-12], axis=0).tolist()


def _stand_in_for_ripserplusplus() -> None:
    """A module of that name, which asks ripser.py."""

    def run(options: str, matrix: Any) -> dict[Any, Any]:
        if isinstance(matrix, spmatrix):
            square = np.full(matrix.shape, np.inf)
            square[matrix.row, matrix.col] = square[matrix.col, matrix.row] = matrix.data
            np.fill_diagonal(square, 0)
        else:
            n = (1 + int(np.sqrt(1 + 8 * len(matrix)))) // 2
            square = np.zeros((n, n))
            square[np.tril_indices(n, -1)] = matrix
            square += square.T
        diagrams = ripser(square, maxdim=1, distance_matrix=True)["dgms"]
        return {"dgms": diagrams, 0: diagrams[0], 1: diagrams[1]}

    module = types.ModuleType("ripserplusplus")
    vars(module)["run"] = run
    sys.modules["ripserplusplus"] = module


def _load(name: str, path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.exists():
        raise SystemExit(f"{path} is not there: give a checkout of the repository that the text of --help names")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _commit(folder: Path) -> str:
    return subprocess.run(
        ["git", "-C", folder, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout[:12]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("rtd", "lite", "srtd"):
        parser.add_argument(f"--{name}", type=Path, required=True, help="checkout of its repository")
    parser.add_argument("--write", action="store_true", help="keep their numbers in tests/golden/relatives.json")
    arguments = parser.parse_args()
    _stand_in_for_ripserplusplus()
    modules = (
        _load("rtd_barcodes", arguments.rtd / "rtd" / "barcodes.py"),
        _load("rtd_lite", arguments.lite / "src" / "RTD_Lite.py"),
        _load("srtd_scores", arguments.srtd / "src" / "srtd_nts" / "scores.py"),
    )
    numbers = {}
    for case in CASES:
        P, Q = clouds(case)
        found, expected = ours(P, Q), theirs(P, Q, *modules)
        numbers[case] = expected
        for name, value in expected.items():
            both = [np.concatenate([np.ravel(part) for part in each]) if "bars" in name else np.ravel(each)
                    for each in (found[name], value)]  # fmt: skip
            same = both[0].shape == both[1].shape
            apart = float(np.abs(both[0] - both[1]).max()) if same else float("inf")
            print(f"{case:<10} {name:<28} {both[1].sum():>12.6f}   differs by {apart:.1e}")
    if arguments.write:
        commits = {name: _commit(getattr(arguments, name)) for name in ("rtd", "lite", "srtd")}
        made = {"command": "python benchmarks/relatives.py --rtd RTD --lite RTD-Lite --srtd SRTD-NTS --write"}
        write_json(GOLDEN, {"made": {**made, "commits": commits}, "cases": numbers})
        print(f"wrote {GOLDEN}")


if __name__ == "__main__":
    main()
