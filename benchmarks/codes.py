"""Time and memory of python -m vae.score on codes of somebody: 100,000 rows of 64 codes, five factors like dSprites'.

python benchmarks/codes.py                # everything but DCI, then everything
python benchmarks/codes.py --rows 2000 --codes 8 --quick
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parent / "results"
SIZES = (3, 6, 40, 32, 32)


def write_codes(path: Path, rows: int, codes: int) -> None:
    """Codes that hold the factors mixed, half of them next to nothing."""
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(size, size=rows) for size in SIZES], axis=1)
    matrix = rng.normal(size=(len(SIZES), codes)) * (rng.random((len(SIZES), codes)) < 0.3)
    matrix[:, codes // 2 :] *= 0.02
    scaled = (factors - factors.mean(axis=0)) / factors.std(axis=0)
    np.savez(path, codes=(scaled @ matrix + 0.3 * rng.normal(size=(rows, codes))).astype(np.float32), factors=factors)


def measure(path: Path, out: Path, *options: str) -> dict[str, float]:
    """Seconds, CPU seconds and the peak of memory in MB of one command."""
    command = [sys.executable, "-m", "vae.score", str(path), "--out", str(out), "--force", "-q", *options]
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    # Of Linux, in KB.
    return {
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mb": round(usage.ru_maxrss / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--codes", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--quick", action="store_true", help="quick metrics, to see that it runs")
    parser.add_argument("--only", choices=("without DCI", "with DCI"))
    parser.add_argument("--out", type=Path, default=RESULTS / "codes.json")
    arguments = parser.parse_args()
    common = ["--threads", str(arguments.threads), *(["--metrics", "quick"] if arguments.quick else [])]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "codes.npz"
        write_codes(path, arguments.rows, arguments.codes)
        for name, options in (("without DCI", ["--no-dci"]), ("with DCI", [])):
            if arguments.only in (None, name):
                found[name] = measure(path, Path(folder) / "scores", *common, *options)
                print(name, found[name], flush=True)
    facts = {
        "command": "python benchmarks/codes.py",
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "rows": arguments.rows,
        "codes": arguments.codes,
        "threads": arguments.threads,
        **found,
    }
    arguments.out.parent.mkdir(exist_ok=True, parents=True)
    arguments.out.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
