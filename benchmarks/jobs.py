"""What several processes gain: `ganwalk compare` of closed forms on blobs with --jobs N against --jobs 1, in one run.

    python benchmarks/jobs.py                       # 5 and 10 seeds, two processes: minutes
    python benchmarks/jobs.py --jobs 4 --seeds 20
    python benchmarks/jobs.py --quick --results FOLDER      # few scores: to see that it runs

Whole commands are timed, from the start of Python to the written report, after one that compiles what has to be
compiled; repetitions are interleaved. Tables are compared as well: they must agree in all but seconds.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ganwalk.files import write_json
from ganwalk.ledger.placement import cores

ROOT = Path(__file__).resolve().parents[1]
_RESULTS = Path(__file__).resolve().parent / "results"


# Of scores, which are most of the work.
_QUICK = ("--samples", "8", "--no-reconstructor")


def compare(seeds: int, jobs: int, out: Path, more: Sequence[str] = ()) -> tuple[float, list[dict[str, Any]]]:
    """Seconds of one command with these and `more` options, and its runs without theirs."""
    options = ["--methods", "random,pca,jacobian", "--seeds", str(seeds), "-n", "6", "--jobs", str(jobs), "-q", *more]
    command = [sys.executable, "-m", "ganwalk", "compare", "-g", "blobs", *options, "-o", str(out), "--force"]
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    runs = json.loads((out / "comparison.json").read_text())["runs"]
    return seconds, [{key: value for key, value in run.items() if key != "seconds"} for run in runs]


def measure(seeds: int, jobs: int, repeats: int, more: Sequence[str] = ()) -> dict[str, Any]:
    """Median seconds of both commands, the ratio, and whether their tables agree."""
    seconds: dict[int, list[float]] = {1: [], jobs: []}
    tables = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeats):
            for count, found in seconds.items():
                spent, table = compare(seeds, count, Path(folder), more)
                found.append(spent)
                tables.append(table)
    medians = {count: round(statistics.median(found), 2) for count, found in seconds.items()}
    return {
        "runs": len(tables[0]),
        **{f"seconds with --jobs {count}": value for count, value in medians.items()},
        "ratio": round(medians[jobs] / medians[1], 3),
        "equal": all(table == tables[0] for table in tables),
    }


def main() -> None:
    """Measures, prints a line for each number of seeds, and writes results/jobs.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[5, 10], help="per method; there are three")
    parser.add_argument("--jobs", type=int, default=2, help="processes, above 1")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="few scores, to see that it runs")
    parser.add_argument("--results", type=Path, default=_RESULTS, help="folder of jobs.json")
    arguments = parser.parse_args()
    if arguments.jobs < 2:
        parser.error("--jobs must be above 1: one process is what it is compared with")
    if arguments.quick and arguments.results == _RESULTS:
        parser.error("--quick is no measurement: give it another folder with --results")
    if not arguments.quick:
        with tempfile.TemporaryDirectory() as folder:
            compare(1, 1, Path(folder))
    facts: dict[str, Any] = {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "cores": cores(),
        "jobs": arguments.jobs,
        "repeats": arguments.repeats,
        "seeds": {},
    }
    more = _QUICK if arguments.quick else ()
    for seeds in arguments.seeds:
        facts["seeds"][str(seeds)] = measure(seeds, arguments.jobs, arguments.repeats, more)
        print(f"{seeds} seeds:", json.dumps(facts["seeds"][str(seeds)]), flush=True)
    arguments.results.mkdir(parents=True, exist_ok=True)
    write_json(arguments.results / "jobs.json", facts)


if __name__ == "__main__":
    main()
