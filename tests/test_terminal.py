"""What commands share."""

import subprocess
import sys
import warnings

import click
import pytest

from ganwalk.terminal import run_command

WARNING_COMMAND = """
import warnings
import click
from ganwalk.terminal import run_command

@click.command()
def command():
    warnings.warn("of a package", FutureWarning)
    click.echo("done")

run_command(command, "example")
"""


@pytest.mark.parametrize("asked", [[], ["-W", "default"]])
def test_warnings_of_other_packages_reach_a_terminal_only_if_asked_for(asked):
    done = subprocess.run([sys.executable, *asked, "-c", WARNING_COMMAND], capture_output=True, text=True, check=True)
    assert done.stdout == "done\n"
    assert ("of a package" in done.stderr) == bool(asked)


def test_no_warning_is_hidden_from_who_calls_a_command_from_python():
    @click.command()
    def command():
        warnings.warn("of a package", FutureWarning, stacklevel=1)

    with pytest.warns(FutureWarning, match="of a package"), pytest.raises(SystemExit):
        run_command(command, "example", [])
