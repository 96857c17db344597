"""No output ends in a traceback because a terminal's encoding lacks one of its characters."""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ganwalk.errors import GanwalkError
from ganwalk.terminal import run_command

ROOT = Path(__file__).parents[1]
DIRECTIONS = ROOT / "tests" / "files_0_1_0" / "directions.safetensors"
ENCODINGS = ("latin-1", "cp1252", "ascii")
# Exit codes, and words of every entry point.
COMMANDS = {
    "a group": (0, "-m", "ganwalk", "--help"),
    "an example with σ": (0, "-m", "ganwalk", "name", "--help"),
    "an option with →": (0, "-m", "ganwalk", "discover", "--help"),
    "from a checkout": (0, "cli.py", "evaluate", "--help"),
    "β of a training": (0, "-m", "vae.train", "--help"),
    "an evaluation": (0, "-m", "vae.evaluate", "--help"),
    "no such option": (2, "-m", "vae.train", "--σ"),
    "no such file": (2, "-m", "vae.evaluate", "/nowhere/σ→×"),
    "no such command": (2, "cli.py", "→"),
}


def run(encoding, *words, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    return subprocess.run(
        [sys.executable, *map(str, words)], cwd=ROOT, env=environment, capture_output=True, timeout=120, **options
    )


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", COMMANDS)
def test_commands_write_what_a_terminal_lacks(encoding, kind):
    code, *words = COMMANDS[kind]
    done = run(encoding, *words)
    assert done.returncode == code and b"Traceback" not in done.stderr
    assert done.stdout if code == 0 else done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_name_that_a_terminal_lacks_is_kept_and_confirmed(encoding, tmp_path):
    path = shutil.copy(DIRECTIONS, tmp_path)
    for words in (("0", "x σ"), ("x σ", "--note", "→ × 3")):
        done = run(encoding, "-m", "ganwalk", "name", *words, "--directions", path)
        assert done.returncode == 0 and done.stdout.startswith(b"wrote ") and not done.stderr


class Lost(io.BytesIO):
    """A terminal whose bytes outlive the stream."""

    def close(self):
        self.seek(0)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "koi8-r"])
def test_messages_and_results_show_a_question_mark(encoding, monkeypatch):
    out, err = Lost(), Lost()
    for name, held in (("stdout", out), ("stderr", err)):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(held, encoding=encoding, write_through=True))

    @click.command()
    def command():
        click.echo("7 ☃ é")
        raise GanwalkError("☃ melts")

    with pytest.raises(SystemExit, match="2"):
        run_command(command, "example", [])
    assert out.getvalue() == "7 ? é".encode(encoding, "replace") + b"\n"
    assert err.getvalue() == b"example: ? melts\n"
