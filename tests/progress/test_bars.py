"""Progress: a bar that fits any terminal and leaves nothing, a line now and then elsewhere, nothing for the quiet."""

import fcntl
import inspect
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import ganwalk
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.generators.loading import load_generator
from ganwalk.progress import bars
from ganwalk.progress.bars import Pace, progress_bar

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import time
from ganwalk.progress import bars
from ganwalk.progress.bars import progress_bar, say
bars._WARM_UP = 0.2
with progress_bar(200, "working", False) as advance:
    for k in range(200):
        advance(k + 1, "optimising loss 0.123456789 " + 10 * "and a note that is long ")
        time.sleep(0.005)
        if k == 100:
            say("half of it")
"""


def on_a_terminal(columns, *command):
    """What a program writes on a terminal of so many columns."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    environment |= {"PYTHONPATH": str(ROOT), "TERM": "xterm"}
    with subprocess.Popen(command, stdout=side, stderr=side, stdin=side, env=environment) as process:
        os.close(side)
        written = b""
        while True:
            ready, _, _ = select.select([main], [], [], 60)
            try:
                part = os.read(main, 65536) if ready else b""
            except OSError:
                # A terminal that nobody writes to any more ends so.
                part = b""
            if not part:
                break
            written += part
    os.close(main)
    assert process.returncode == 0, written
    return written.decode()


def screen(written, columns):
    """The lines that are on a terminal of so many columns in the end."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|.", written, flags=re.DOTALL):
        if part == "\r":
            column = 0
        elif part == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif part == "\x1b[A":
            row -= 1
        elif not part.startswith("\x1b"):
            if column == columns:
                row, column = row + 1, 0
                lines += [""] * (row == len(lines))
            line = lines[row].ljust(columns)
            lines[row] = line[:column] + part + line[column + 1 :]
            column += 1
    return [line.rstrip() for line in lines if line.strip()]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_bar_fits_and_leaves_nothing(columns):
    written = on_a_terminal(columns, sys.executable, "-c", PROGRAM)
    assert screen(written, columns) == ["half of it"]
    assert len(re.findall(r"\d+%\|.{10}\| \S+ left · optimis", written)) > 5
    # Before that, no figure is shown.
    assert re.search(r"%\|.{10}\| optimis", written)


def test_a_command_on_a_terminal_leaves_only_its_result(tmp_path):
    command = ["-m", "ganwalk", "discover", "-g", "blobs", "-n", "3", "--steps", "60", "--batch", "8"]
    written = on_a_terminal(80, sys.executable, *command, "-o", str(tmp_path / "out"))
    words = [line.split()[0] for line in screen(written, 80)]
    # Paths and what was written may take more than one line.
    assert words[:3] == ["basis", "rtd", "wrote"] and "next:" in words and len(words) < 10
    assert re.search(r"\d+%\|.{10}\| (\S+ left · )?steps", written)


def test_without_a_terminal_a_line_comes_now_and_then(capsys, monkeypatch):
    monkeypatch.setattr(bars, "_SECONDS_PER_LINE", 0.05)
    monkeypatch.setattr(bars, "_WARM_UP", 0.0)
    text = ""

    def wait_for(words):
        nonlocal text
        until = time.monotonic() + 30
        while not re.search(words, text) and time.monotonic() < until:
            time.sleep(0.02)
            text += capsys.readouterr().err
        assert re.search(words, text)

    with progress_bar(10, "working", False) as advance:
        wait_for(r"working: 0 %\n")
        advance(5, "optimising")
        wait_for(r"working: 50 %, optimising, about \d+ s left\n")
    capsys.readouterr()
    with progress_bar(10, "working", True) as advance:
        advance(5, "")
        time.sleep(0.2)
    assert capsys.readouterr().err == ""
    assert [bars._in_words(seconds) for seconds in (0.1, 80, 100, 7200)] == [
        "about 1 s",
        "about 80 s",
        "about 2 min",
        "about 2.0 h",
    ]


def test_the_time_left_is_of_the_pace_of_late():
    pace = Pace(1000, 0.0)
    assert pace.left(100.0) is None
    # Setting up takes 20 s for the first of a thousand, the rest one second each.
    pace.note(1, 2.0)
    assert pace.left(2.0) is None
    for second in range(20, 120):
        pace.note(second - 18, float(second))
    assert pace.left(119.0) == pytest.approx(1000 - 101, rel=0.02)
    # The machine gets half as fast: soon that is all that counts.
    for second in range(120, 420):
        pace.note(101 + (second - 119) // 2, float(second))
    assert pace.left(419.0) == pytest.approx(2 * (1000 - 251), rel=0.02)
    # While nothing is said, it counts down; for long, the whole tells.
    assert pace.left(429.0) == pytest.approx(pace.left(419.0) - 10)
    assert pace.left(2000.0) == pytest.approx((1000 - 251) * 2000 / 251)
    pace.note(1000, 2001.0)
    assert pace.left(2001.0) == 0


def test_a_long_run_keeps_few_points():
    pace = Pace(10**6, 0.0)
    for step in range(10**5):
        pace.note(step, step / 100)
        pace.left(step / 100)
    assert len(pace._points) <= 2 * bars._POINTS
    assert pace.left(1000.0) == pytest.approx(9 * 10**5 / 100, rel=0.01)


@pytest.mark.parametrize(("shell", "expected"), [(None, False), (object(), False), (SimpleNamespace(kernel=1), True)])
def test_a_notebook_is_told_by_its_kernel(monkeypatch, shell, expected):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    # What a notebook is made of may be imported anywhere.
    monkeypatch.setitem(sys.modules, "ipykernel", SimpleNamespace())
    assert bars.in_notebook() == expected


def test_python_is_quiet_unless_asked(capsys, monkeypatch):
    monkeypatch.setattr(bars, "_SECONDS_PER_LINE", 0.02)
    generator = load_generator("blobs")
    told = []
    options = {"steps": 3, "batch": 6}
    ganwalk.discover(generator, 2, **options, on_progress=lambda share, what: told.append((share, what)))
    assert capsys.readouterr().err == ""
    shares = [share for share, _ in told]
    assert (
        shares == sorted(shares)
        and shares[-1] == 1.0
        and {"steps", "scores"} <= {what.split()[0] for _, what in told[:-1]}
    )
    directions = ganwalk.discover(generator, 2, **options, progress=True)
    assert "discovering: " in capsys.readouterr().err
    monkeypatch.setattr(bars, "_SECONDS_PER_LINE", 0.001)
    ganwalk.evaluate(generator, directions, samples=8, reconstructor=False, progress=True)
    assert "evaluating: " in capsys.readouterr().err


def test_functions_show_their_settings_by_name():
    parameters = inspect.signature(ganwalk.discover).parameters
    assert parameters["steps"].default == DiscoverySettings.steps and parameters["amplitude"].annotation is float
    assert list(parameters)[:2] == ["generator", "n_directions"] and "settings" not in parameters
    assert "samples" in inspect.signature(ganwalk.evaluate).parameters
    with pytest.raises(TypeError, match=r"discover\(\) has no setting 'stepz': did you mean steps"):
        ganwalk.discover(None, stepz=3)
    assert ganwalk.evaluation.axis_scores
    assert {"discover", "load_generator", "Directions", "rtd"} <= set(dir(ganwalk))


def test_as_many_directions_as_there_are_by_default():
    assert len(ganwalk.discover(load_generator("blobs"), steps=1, batch=6)) == 6
