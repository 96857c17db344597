"""The command line: parses, calls one function of a room, prints. Heavy imports happen inside the commands."""

from __future__ import annotations

import click

from ganwalk import __version__
from ganwalk.commands.animate import animate
from ganwalk.commands.arithmetic import directions
from ganwalk.commands.checkpoints import convert, info, models
from ganwalk.commands.compare import compare
from ganwalk.commands.discover import discover
from ganwalk.commands.encode import encode
from ganwalk.commands.evaluate import evaluate
from ganwalk.commands.explore import explore
from ganwalk.commands.interchange import export, import_command
from ganwalk.commands.naming import name
from ganwalk.commands.project import project
from ganwalk.commands.reach import reach
from ganwalk.commands.render import render
from ganwalk.commands.report import report
from ganwalk.commands.rtd import rtd
from ganwalk.terminal import run_command


def main(arguments: list[str] | None = None) -> None:
    """Runs the command group."""
    run_command(group, "ganwalk", arguments)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: ganwalk discover --generator scenes --n-directions 10, then ganwalk render --direction all",
)
@click.version_option(__version__, prog_name="ganwalk")
def group() -> None:
    """Find disentangled directions in the latent space of an image generator, by topology."""


for command in (
    discover,
    project,
    render,
    animate,
    explore,
    report,
    evaluate,
    encode,
    compare,
    name,
    reach,
    directions,
    rtd,
    import_command,
    export,
    convert,
    info,
    models,
):
    group.add_command(command)
