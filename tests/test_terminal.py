"""What commands share."""

import logging
import os
import shlex
import subprocess
import sys
import warnings

import click
import pytest
from PIL import Image

from ganwalk.errors import GanwalkError
from ganwalk.options import Option, TextForm
from ganwalk.options.command_line import click_option
from ganwalk.options.ranges import LAYERS, SEEDS
from ganwalk.progress.bars import say
from ganwalk.terminal import retyped, run_command
from vae.settings import parse_pair

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


HOSTILE = "a\x1b[2J\x1b]0;title\x07b\x9b31m\u202ec\rd\x00\x7f\x1b[Ae"


def test_names_do_not_steer_the_terminal(capsys):
    @click.command()
    def command():
        click.echo(HOSTILE)
        print(HOSTILE, file=sys.stderr)
        say(HOSTILE)
        logging.StreamHandler().emit(logging.LogRecord("", logging.ERROR, "", 0, HOSTILE, (), None))
        raise GanwalkError(HOSTILE)

    with pytest.raises(SystemExit):
        run_command(command, "example", [])
    captured = capsys.readouterr()
    # click leaves some out where there is no terminal.
    assert captured.out == "a?]0;title?b?31m?c?d??e\n"
    assert captured.err.count("a?[2J?]0;title?b?31m?c?d???[Ae") == 4
    assert set(captured.err) - {"\n"} == {letter for letter in captured.err if letter.isprintable()}


def test_bars_and_faint_lines_are_what_they_were(capsys):
    written = ["\r 50%|█", "\x1b[A", "\x1b[A\x1b[A", click.style("faint", dim=True), "one\ttwo\n"]

    @click.command()
    def command():
        for text in written:
            sys.stderr.write(text)

    with pytest.raises(SystemExit):
        run_command(command, "example", [])
    assert capsys.readouterr().err == "".join(written)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_names_of_files_do_not_steer_the_terminal(tmp_path, encoding):
    picture = tmp_path / "photo\x1b]0;title\x07.png"
    Image.new("RGB", (8, 8)).save(picture)
    options = ["--generator", "scenes", "--steps", "1", "--candidates", "32", "--out", str(tmp_path / "out\x9b2J")]
    done = subprocess.run(
        [sys.executable, "-m", "ganwalk", "project", str(tmp_path), *options],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": encoding, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert b"photo?]0;title?" in done.stdout
    assert not {"\x1b", "\x9b", "\x07"} & set((done.stdout + done.stderr).decode())


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
        (["render", "-d"], "ganwalk render: -d needs a value: number (0 is the strongest) or name of a direction, or"),
        (["discover", "--space"], "ganwalk discover: --space needs a value: w or z"),
        (["directions", "flip", "0", "--out"], "ganwalk directions flip: --out needs a value: file to write; see"),
        (["models", "--json=1"], "--json' does not take a value"),
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


def test_a_file_that_is_not_there_is_named_with_what_to_check(tmp_path, capsys):
    @click.command()
    def command():
        (tmp_path / "none.npy").read_bytes()

    with pytest.raises(SystemExit) as ended:
        run_command(command, "example", [])
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"example: {tmp_path / 'none.npy'} does not exist: check the path\n"


def test_a_missing_module_of_others_is_no_matter_of_ours():
    @click.command()
    def command():
        import a_module_that_is_nowhere  # noqa: F401

    with pytest.raises(ModuleNotFoundError):
        run_command(command, "example", [])


def test_what_was_typed_is_typed_again(capsys):
    @click.command()
    @click.argument("places", nargs=-1)
    @click.option("--root")
    @click.option("--download/--no-download", default=True)
    @click.option("-n", "--number", type=int, multiple=True)
    @click.option("--other", default="words")
    def command(**given):
        print(retyped("root", "download", "number", "places", "other"), retyped("root"), sep="\n")

    with pytest.raises(SystemExit):
        run_command(command, "example", ["--no-download", "-n", "1", "-n", "2", "--root", "my pictures", "a b", "c"])
    assert capsys.readouterr().out.splitlines() == [
        " 'a b' c --root 'my pictures' --no-download --number 1 --number 2",
        " --root 'my pictures'",
    ]


@pytest.mark.parametrize(
    ("words", "again"),
    [
        (["--layers", "0-3", "--seeds", "11-18"], " --layers 0-3 --seeds 11-18"),
        (["--layers", "7, 0-3", "--seeds", "5,1,2"], " --layers 0-3,7 --seeds 5,1-2"),
        (["--pair", "a, b", "--pair", "c,d"], " --pair a,b --pair c,d"),
    ],
)
def test_what_has_a_form_of_its_own_is_typed_again_in_it(capsys, words, again):
    forms = {"layers": LAYERS, "seeds": SEEDS, "pair": TextForm("A,B", parse_pair, ",".join, many=True)}

    @click.command()
    def command(**given):
        print(retyped(*forms))
        parsed.append(given)

    parsed = []
    for name, form in forms.items():
        click_option(name, name, Option("", text=form), str, "")(command)
    for typed in (words, shlex.split(again)):
        with pytest.raises(SystemExit):
            run_command(command, "example", typed)
        assert capsys.readouterr().out == f"{again}\n"
    assert parsed[0] == parsed[1]


def test_a_group_without_a_command_shows_its_help(capsys):
    @click.group()
    def group():
        """What it does."""

    with pytest.raises(SystemExit):
        run_command(group, "example", [])
    shown = capsys.readouterr()
    lines = (shown.out + shown.err).splitlines()
    assert lines[0].startswith("Usage: example") and "  What it does." in lines
