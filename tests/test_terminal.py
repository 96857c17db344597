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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["discover", "-g", "blobs", "--n", "5"], "no such option --n: did you mean --n-directions"),
        (["discover", "-g", "blobs", "--stepz", "5"], "--steps"),
        (["discover"], "Missing option '-g'"),
        (["discover", "-g", "blobs", "--steps", "x"], "'x' is not a valid integer"),
        (["nothing"], "No such command 'nothing'"),
    ],
)
def test_what_was_typed_wrongly_is_one_line_with_a_remedy(run, arguments, words):
    code, _, text = run(*arguments)
    assert code == 2 and len(text.splitlines()) == 1 and words in text and text.strip().endswith("--help")


@pytest.mark.parametrize(("missing", "package"), [("torch", "torch"), ("sklearn", "scikit-learn")])
def test_what_is_not_installed_is_one_line(missing, package):
    program = f"""
import sys
sys.modules[{missing!r}] = None
import click
from ganwalk.terminal import run_command

@click.command()
def command():
    import {missing}.nn

run_command(command, "example", [])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == f"example: {missing} is not installed: pip install {package}\n"


def test_a_missing_module_of_others_is_no_matter_of_ours():
    @click.command()
    def command():
        import a_module_that_is_nowhere  # noqa: F401

    with pytest.raises(ModuleNotFoundError):
        run_command(command, "example", [])
