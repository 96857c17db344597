"""`ganwalk rtd`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganwalk.commands.options import force_option
from ganwalk.commands.suggestions import command_again
from ganwalk.errors import GanwalkError
from ganwalk.options.command_line import PATH
from ganwalk.options.common import thread_options
from ganwalk.progress.bars import progress_bar
from ganwalk.rtd.choices import VARIANTS, Variant
from ganwalk.tables import table_lines
from ganwalk.terminal import quoted

if TYPE_CHECKING:
    from ganwalk.rtd.score import Scores


@click.command(epilog="Example: ganwalk rtd layer1.npy layer2.npy layer3.npy -o layers")
@click.argument("files", type=PATH, nargs=-1, required=True)
@click.option("--id", "id_name", metavar="NAME", help="Column (.csv) or array (.npz) of ids that rows are matched by.")
@click.option("--variant", type=click.Choice(VARIANTS), default="rtd", show_default=True, help="Which divergence.")
@click.option(
    "--metric", default="euclidean", show_default=True, help="One of scipy's; precomputed if rows are distances."
)
@click.option("--batch", type=click.IntRange(2), default=500, show_default=True, help="Points of a random batch.")
@click.option("--repeats", type=click.IntRange(2), default=10, show_default=True, help="Random batches.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the batches.")
@click.option("-o", "--out", type=PATH, help="Folder for the table as JSON, a heat map and barcodes.")
@force_option
@thread_options
def rtd(
    files: tuple[Path, ...],
    id_name: str | None,
    variant: Variant,
    metric: str,
    batch: int,
    repeats: int,
    seed: int,
    out: Path | None,
    force: bool,
    threads: int | None,
    quiet: bool,
) -> None:
    """Table of the divergences between representations of the same points: layers of a network, epochs, seeds.

    FILES are arrays (.npy, .npz) or tables with a header (.csv) of a row for each point, in the same order in all of
    them, or matched by --id. Of more points than --batch, means over random batches are shown, with half of their 95 %
    interval.
    """
    from ganwalk.compute.threads import threads_limited
    from ganwalk.files import check_free
    from ganwalk.rtd.outputs import OUTPUTS, write_outputs
    from ganwalk.rtd.representations import matched, read_representation
    from ganwalk.rtd.score import score_representations
    from ganwalk.rtd.settings import Settings

    if len(files) < 2:
        raise GanwalkError("give two files or more: a divergence is between representations")
    if metric == "precomputed" and id_name is not None:
        raise GanwalkError("--metric precomputed takes rows and columns in their order: leave out --id")
    for path in files:
        if not path.exists():
            raise GanwalkError(f"{path} does not exist: give files of points, one row for each")
    if out is not None:
        for name in OUTPUTS:
            check_free(out / name, force)
    read = [read_representation(path, id_name) for path in files]
    representations = matched(read)
    names = _names(files)
    settings = Settings(minimax=False, variant=variant, threads=1)
    draw: dict[str, Any] = {"batch": batch, "repeats": repeats, "seed": seed, "metric": metric}
    with threads_limited(threads), progress_bar(100, "comparing", quiet) as advance:
        try:
            scores = score_representations(
                [each.points for each in representations],
                settings,
                **draw,
                threads=threads,
                on_share=lambda share: advance(round(100 * share), ""),
            )
        except ValueError as error:
            raise GanwalkError(str(error)) from error
    _print_table(names, scores)
    n = len(representations[0].points)
    of = f"all {n} points" if n <= batch else f"{repeats} random batches of {batch} of {n} points"
    dropped = max(len(each.points) for each in read) - n
    unmatched = f"; up to {dropped} rows of a file have no match" if dropped else ""
    title = f"{variant} of {of}"
    click.echo(f"{title}{unmatched}")
    if out is None:
        click.echo(f"next: {command_again()} -o rtd-out")
        return
    written = write_outputs(out, names, representations, scores, variant, draw, title)
    click.echo(f"wrote {', '.join(map(str, written))}")
    click.echo(f"next: look at {quoted(written[1])}")


def _names(files: tuple[Path, ...]) -> list[str]:
    """Short names that tell the files apart: without endings where these do, else as they were given."""
    names = [path.stem for path in files]
    return names if len(set(names)) == len(names) else [str(path) for path in files]


def _print_table(names: list[str], scores: Scores) -> None:
    from ganwalk.rtd.outputs import shortened

    shown = shortened(names)
    several = len(scores.values) > 1
    rows = [["", *shown]]
    for i, name in enumerate(shown):
        cells = []
        for j in range(len(names)):
            summary = scores.of(i, j)
            spread = f" ± {summary.half_width:.2g}" if several and i != j else ""
            cells.append("-" if i == j else f"{summary.mean:.4g}{spread}")
        rows.append([name, *cells])
    for line in table_lines(rows):
        click.echo(line)
