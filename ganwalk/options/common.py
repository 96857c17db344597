"""Options that commands of ganwalk and of vae share: threads, the device, the place of a public data set."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import click

from ganwalk.options.command_line import PATH, Command, option_group

# Of commands that compute without a device.
thread_options = option_group(
    click.option("--threads", type=click.IntRange(1, 1024), help="CPU threads [default: all cores]."),
    click.option("-q", "--quiet", is_flag=True, help="No progress bar, only the result."),
)
# Of every command that runs a network.
common_options = option_group(
    click.option("--device", default="cpu", show_default=True, help="torch device, such as cpu or cuda."),
    thread_options,
)


def data_options(command: Command) -> Command:
    """Options for the file of a public data set, handed to the command as one argument, a `DataPlace`."""

    @functools.wraps(command)
    def wrapped(*args: Any, data_root: Path | None, download: bool, **kwargs: Any) -> Any:
        from ganwalk.files.data_place import DataPlace

        return command(*args, data=DataPlace(data_root, download), **kwargs)

    return option_group(
        click.option("--data-root", type=PATH, help="Folder or file of a public data set [default: in the cache]."),
        click.option("--download/--no-download", default=True, show_default=True, help="Download a public data set."),
    )(wrapped)
