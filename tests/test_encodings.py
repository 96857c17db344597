"""No output ends in a traceback because a terminal's encoding lacks one of its characters."""

import io
import json
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


NAMES = {
    "a name": (0, "-m", "ganwalk", "name", "0", "x σ"),
    "a note": (0, "-m", "ganwalk", "name", "x σ", "--note", "→ × 3"),
}
# Everything is imported once; each command, as if it were typed, is a fork with streams of the process.
PROGRAM = """
import json, os, runpy, sys
import ganwalk.directions.files, vae.evaluate, vae.train

for name in ("vae.evaluate", "vae.train"):
    del sys.modules[name]
folder, commands = sys.argv[1], json.loads(sys.argv[2])
codes = []
for number, words in enumerate(commands):
    if os.fork() == 0:
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{folder}/{number}-{name}", os.O_CREAT | os.O_WRONLY), stream)
        if words[0] == "-m":
            sys.argv = words[1:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = words
            runpy.run_path(words[0], run_name="__main__")
        sys.exit()
    codes.append(os.waitstatus_to_exitcode(os.wait()[1]))
print(json.dumps(codes))
"""


@pytest.fixture(scope="module", params=ENCODINGS)
def answers(request, tmp_path_factory):
    """Exit codes and what was written to stdout and stderr, by command, on a terminal of an encoding."""
    folder = tmp_path_factory.mktemp(request.param)
    given = ("--directions", str(shutil.copy(DIRECTIONS, folder)))
    commands = {kind: words for kind, (_, *words) in COMMANDS.items()}
    commands |= {kind: [*words, *given] for kind, (_, *words) in NAMES.items()}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": request.param, "PYTHONUTF8": "0"}
    words = [sys.executable, "-c", PROGRAM, str(folder), json.dumps(list(commands.values()))]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, check=True, timeout=300)
    written = [[(folder / f"{k}-{name}").read_bytes() for name in ("out", "err")] for k in range(len(commands))]
    return dict(zip(commands, zip(json.loads(done.stdout), written, strict=True), strict=True))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("kind", COMMANDS)
def test_commands_write_what_a_terminal_lacks(answers, kind):
    code, (out, err) = answers[kind]
    assert code == COMMANDS[kind][0] and b"Traceback" not in err
    assert out if code == 0 else err


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("kind", NAMES)
def test_a_name_that_a_terminal_lacks_is_kept_and_confirmed(answers, kind):
    code, (out, err) = answers[kind]
    assert code == 0 and out.startswith(b"wrote ") and not err


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
