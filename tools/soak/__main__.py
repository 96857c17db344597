"""Runs commands undisturbed, then disturbed and continued until they are done, and compares what they leave.

python -m tools.soak --kills 40
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import click

from ganwalk.options.command_line import PATH
from tools.soak.commands import COMMANDS, Command
from tools.soak.disturbances import DISTURBANCES, Broken, Trial
from tools.soak.processes import Hangs, import_everything
from tools.soak.results import differences, hidden, results

# Kills of one run: what is killed for ever is never compared.
_KILLS_PER_RUN = 5
_SHOWN = 300


@dataclass
class Count:
    """Of one command and one disturbance.

    Attributes:
        runs: that were disturbed, and continued to their end.
        kills, refusals: processes that were killed, and those that ended in one line.
        left: hidden files after the ends of the runs.
        broken: what was found in runs that are not as the undisturbed one.
    """

    runs: int = 0
    kills: int = 0
    refusals: int = 0
    left: int = 0
    broken: list[str] = field(default_factory=list)


@click.command(name="python -m tools.soak", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--kills", type=click.IntRange(1), default=40, show_default=True, help="Kills of every command.")
@click.option("--runs", type=click.IntRange(0), default=8, show_default=True, help="Of every other disturbance.")
@click.option("--command", "chosen", multiple=True, help="Only this one; repeatable.")
@click.option("--disturbance", "wanted", multiple=True, help="Only this one; repeatable.")
@click.option(
    "--seed", default=0, show_default=True, help="Of everything that is left to chance but the machine's pace."
)
@click.option("--json", "target", type=PATH, help="File for the counts.")
def main(
    kills: int, runs: int, chosen: tuple[str, ...], wanted: tuple[str, ...], seed: int, target: Path | None
) -> None:
    """Disturb commands and compare their results with those of undisturbed runs; the exit code is 1 if any differ."""
    commands = [command for command in COMMANDS if not chosen or command.name in chosen]
    disturbances = [name for name in DISTURBANCES if not wanted or name in wanted]
    if not commands or not disturbances:
        raise click.UsageError(
            f"commands are {', '.join(command.name for command in COMMANDS)}; disturbances {', '.join(DISTURBANCES)}"
        )
    os.environ.update(SOURCE_DATE_EPOCH="0", OMP_NUM_THREADS="1")
    import_everything()
    counts = {}
    for command in commands:
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            counts[command.name] = _soak(command, Path(folder), disturbances, kills, runs, random.Random(seed))
    found = [count for of in counts.values() for count in of.values()]
    if target is not None:
        plain = {name: {which: vars(count) for which, count in of.items()} for name, of in counts.items()}
        target.write_text(json.dumps({"seed": seed, "counts": plain}, indent=1) + "\n", encoding="utf-8")
    total, bad = sum(count.runs for count in found), sum(len(count.broken) for count in found)
    click.echo(
        f"{total} runs of {', '.join(counts)} with {', '.join(disturbances)}: {sum(count.kills for count in found)} "
        f"kills, {sum(count.refusals for count in found)} refusals in one line; {total - bad} ended as undisturbed"
    )
    sys.exit(bad > 0)


def _soak(
    command: Command, root: Path, disturbances: list[str], kills: int, runs: int, dice: random.Random
) -> dict[str, Count]:
    """Everything that is done to one command."""
    reference, seconds, size = None, 0.0, 0
    # Twice: the first compiles and fills caches, and both must agree.
    for number in range(2):
        trial = Trial(command, _new(command, root / f"undisturbed-{number}"), 0.0, 0, dice)
        began = time.monotonic()
        trial.finish(lambda: None)
        seconds = time.monotonic() - began
        found = results(trial.out)
        size = sum(path.stat().st_size for path in trial.out.rglob("*") if path.is_file())
        if reference is not None and reference != found:
            raise click.ClickException(f"{command.name} is not repeatable: {', '.join(differences(reference, found))}")
        reference = found
    assert reference is not None
    click.echo(f"{command.name}: {len(reference)} files, {size >> 10} KB in {seconds:.1f} s undisturbed")
    counts = {}
    for name in disturbances:
        count = counts[name] = Count()
        while count.kills < kills if name == "kills" else count.runs < runs:
            count.runs += 1
            trial = Trial(command, _new(command, root / f"{name}-{count.runs}"), seconds, size, dice)
            try:
                DISTURBANCES[name](trial, min(_KILLS_PER_RUN, kills - count.kills))
                wrong = ", ".join(differences(reference, results(trial.out)))
            except (Broken, Hangs) as broken:
                wrong = " ".join(str(broken).split())
            finally:
                trial.close()
            count.kills += trial.tally.kills
            count.refusals += len(trial.tally.refusals)
            count.left += len(hidden(trial.out))
            if wrong:
                count.broken.append(wrong)
            click.echo(
                f"{command.name}, {name}, run {count.runs}: {trial.tally.starts} processes, "
                f"{trial.tally.kills} kills, {'as undisturbed' if not wrong else wrong[-_SHOWN:]}"
            )
    return counts


def _new(command: Command, place: Path) -> Path:
    place.mkdir(parents=True)
    command.prepare(place)
    return place


if __name__ == "__main__":
    main()
