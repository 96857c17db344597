"""`python -m vae.score`: scores anybody's codes against known factors."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganwalk.errors import GanwalkError
from ganwalk.files import check_free, write_json
from ganwalk.options.command_line import PATH, settings_options
from ganwalk.options.common import thread_options
from ganwalk.progress.bars import progress_bar
from ganwalk.terminal import quoted, run_command
from vae.codes.settings import CodesSettings

if TYPE_CHECKING:
    from vae.codes.scores import CodesScores
    from vae.codes.source import CodesSource

_PROGRAM = "python -m vae.score"
_PARTS = 1000
# Of the progress of the whole: what reading takes.
_READ = 50
# Codes in the picture, the most informative ones.
_SHOWN = 50
# Factors of a table whose names are shown with what they were taken for.
_NAMED = 12


@click.command(
    name=_PROGRAM,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: python -m vae.score codes.npz --folds 5 --out scores",
)
@click.argument("files", type=PATH, nargs=-1, required=True)
@settings_options("settings", CodesSettings())
@click.option("--codes", "code_names", metavar="A,B", help="Of a table: columns of codes; * stands for any text.")
@click.option(
    "--factors",
    "factor_names",
    metavar="A,B",
    help="Of a table: columns of factors [default: those whose names begin with factor].",
)
@click.option("--drop-missing", is_flag=True, help="Leave rows with missing or infinite values out.")
@click.option(
    "-o", "--out", type=PATH, default=Path("scores"), show_default=True, help="Folder for scores.json and the picture."
)
@click.option("--force", "--overwrite", "overwrite", is_flag=True, help="Replace the scores in --out.")
@click.option("--json", "as_json", is_flag=True, help="Print what scores.json holds instead of a table.")
@thread_options
def command(
    files: tuple[Path, ...],
    settings: CodesSettings,
    code_names: str | None,
    factor_names: str | None,
    drop_missing: bool,
    out: Path,
    overwrite: bool,
    as_json: bool,
    threads: int | None,
    quiet: bool,
) -> None:
    """Score the codes in FILES by every metric, against the factors beside them.

    FILES is an .npz with arrays codes (N, D) and factors (N, F), two .npy files, codes first, or a .csv, .tsv or
    .parquet with a column for each. Factors are classes; one whose values do not repeat is continuous, and scored by
    the metrics that have an estimator for it. A table and a picture of mutual information show the result.
    """
    import json

    from vae.codes.files import open_codes
    from vae.codes.scores import check_factors, read_samples, score_samples

    target = out / "scores.json"
    source, test = open_codes(files, codes=_listed(code_names), factors=_listed(factor_names))
    check_free(target, overwrite)
    with progress_bar(_PARTS, "reading", quiet) as advance:
        sample, test_sample = read_samples(source, test, settings, drop_missing=drop_missing)
        check_factors(source, sample, settings)
        found = score_samples(
            sample,
            test_sample,
            settings,
            names=source.factor_names,
            texts=[name in source.texts for name in source.factor_names],
            threads=threads,
            on_progress=lambda what, share: advance(_READ + int((_PARTS - _READ) * share), what),
        )
    facts = _facts(found, source, files, settings)
    write_json(target, facts)
    picture = out / "information.png"
    _draw(found, source, picture)
    if as_json:
        click.echo(json.dumps(facts))
        return
    for line in _report(found, source):
        click.echo(line)
    click.echo(f"wrote {target}, {picture}")
    click.echo(f"next: look at {quoted(picture)}")


def _listed(names: str | None) -> list[str]:
    listed = [name.strip() for name in (names or "").split(",") if name.strip()]
    if names is not None and not listed:
        raise GanwalkError("--codes and --factors take names of columns, such as A,B")
    return listed


def _facts(found: CodesScores, source: CodesSource, files: tuple[Path, ...], settings: CodesSettings) -> dict[str, Any]:
    return {
        "files": [str(path) for path in files],
        "settings": asdict(settings),
        "rows": found.rows,
        "codes": list(source.code_names),
        "factors": [{"name": name, "kind": kind} for name, kind in zip(source.factor_names, found.kinds, strict=True)],
        "scores": {name: round(value, 6) for name, value in found.scores.items()},
        "deviations": {name: round(value, 6) for name, value in found.deviations.items()},
        "intervals": {name: [round(end, 6) for end in ends] for name, ends in found.intervals.items()},
        "missing": found.missing,
        "bounds": [{**asdict(bound), "remedy": "--standardise"} for bound in found.bounds],
        "without_intervals": found.without_intervals or None,
        "numberings": list(source.numberings),
        "mutual_information": found.information.round(6).tolist(),
    }


def _report(found: CodesScores, source: CodesSource) -> list[str]:
    """What was scored, and a table of the scores."""
    from vae.metrics import SCORES
    from vae.scores.tables import scores_with_intervals

    rows = found.rows
    dropped = len(rows["dropped"]) + len(rows["dropped_of_test"])
    left_out = f", {dropped} dropped for missing values" if dropped else ""
    over = (
        f"means of folds of {rows['test']}" if found.deviations else f"{rows['train']} and {rows['test']} for testing"
    )
    lines = [f"{rows['used']} of {rows['total']} rows ({over}){left_out}; {len(source.code_names)} codes"]
    for kind in dict.fromkeys(found.kinds):
        names = [name for name, own in zip(source.factor_names, found.kinds, strict=True) if own == kind]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        lines.append(f"factors, {kind}: {', '.join(names[:_NAMED])}{more}")
    if source.numberings:
        named = ", ".join(repr(name) for name in source.numberings)
        lines.append(f"left out, as it numbers the rows: {named} (name it with --codes if it is a code)")
    for bound in found.bounds:
        named = " and ".join(SCORES[name] for name in bound.scores)
        lines.append(f"left out of {named}: {bound.codes} codes without {bound.condition}")
    if found.bounds:
        lines.append("such bounds, and the penalty in SAP, are made for codes of a VAE: of others, give --standardise")
    if found.without_intervals:
        lines.append(f"no intervals: {found.without_intervals}")
    return lines + scores_with_intervals(found.scores, found.intervals, found.deviations, found.missing)


def _draw(found: CodesScores, source: CodesSource, path: Path) -> None:
    """A heat map whose codes are in the order of the factors that they know best, as far as they know any."""
    import numpy as np

    from vae.scores.information_map import draw_map

    information = found.information
    best = information.max(axis=1)
    chosen = np.argsort(-best, kind="stable")[:_SHOWN]
    # As a diagonal, where each code knows one factor; codes that know next to nothing come last.
    knows = best[chosen] >= 0.05 * best.max()
    order = np.lexsort((-best[chosen], information[chosen].argmax(axis=1), ~knows))
    chosen = chosen[order]
    shown = f"{len(chosen)} of {len(information)} codes" if len(chosen) < len(information) else "codes"
    draw_map(information[chosen], [source.code_names[k] for k in chosen], source.factor_names, path, rows=shown)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    run_command(command, _PROGRAM, arguments)


if __name__ == "__main__":
    main()
