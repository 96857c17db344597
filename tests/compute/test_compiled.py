"""Compiled loops: where nothing can be kept on disk, and interrupted."""

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ganwalk.compute.compiled import entry, jit

ROOT = Path(__file__).parents[2]

MODULE = """
from ganwalk.compute.compiled import {decorator}

@{decorator}
def total(values):
    result = values[:1].copy()
    for turn in range(1, {turns}):
        result[0] = (result[0] * 7 + turn) % 1_000_003
    return result, result.copy()
"""


@jit
def doubled(values):
    return 2 * values


@entry
def doubled_and_one(values):
    return doubled(values) + 1


def test_an_entry_calls_what_is_compiled():
    assert np.array_equal(doubled_and_one(np.arange(3.0)), [1, 3, 5])
    assert doubled_and_one.__name__ == "doubled_and_one"


def test_it_works_where_nothing_can_be_cached(tmp_path):
    # A module with a file where numba would make its folder, and no home.
    (tmp_path / "loop.py").write_text(MODULE.format(decorator="jit", turns=10))
    (tmp_path / "__pycache__").touch()
    code = "import loop, numpy; print(loop.total(numpy.ones(1, int)))"
    environment = {**os.environ, "HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null"}
    environment.pop("NUMBA_CACHE_DIR", None)
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, check=True)


def test_an_interrupt_meanwhile_is_an_interrupt(tmp_path):
    # The signal waits until the loop is done; numba, which then makes arrays of Python, would make an error of it.
    (tmp_path / "loop.py").write_text(MODULE.format(decorator="entry", turns=10**8))
    code = """
import os, signal, threading
import numpy
signal.signal(signal.SIGINT, signal.default_int_handler)
import loop
loop.total(numpy.ones(1, int))
threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    loop.total(numpy.ones(1, int))
except KeyboardInterrupt:
    print("interrupted")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")


def test_an_interrupt_is_not_lost_while_numba_compiles(tmp_path):
    # LLVM hands over what is compiled by a callback, in which ctypes drops whatever is raised.
    (tmp_path / "loop.py").write_text(MODULE.format(decorator="entry", turns=10))
    code = """
import os, signal
import numpy
from numba.core.codegen import CPUCodeLibrary
signal.signal(signal.SIGINT, signal.default_int_handler)
hook = CPUCodeLibrary._object_compiled_hook

def interrupted(*arguments):
    os.kill(os.getpid(), signal.SIGINT)
    hook(*arguments)

CPUCodeLibrary._object_compiled_hook = interrupted
import loop
try:
    loop.total(numpy.ones(1, int))
except KeyboardInterrupt:
    print("interrupted", signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted True\n", "")


def test_an_interrupt_that_is_ignored_stays_so():
    kept = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert doubled_and_one(np.float64(1)) == 3 and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, kept)


def decorator_of(function):
    """The name of what compiles a function, or nothing."""
    words = [word.id for each in function.decorator_list for word in ast.walk(each) if isinstance(word, ast.Name)]
    return next((word for word in words if word in ("jit", "entry")), "")


@pytest.mark.parametrize("room", ["ganwalk", "vae"])
def test_python_calls_entries_only(room):
    found = 0
    for path in sorted((ROOT / room).rglob("*.py")):
        source = path.read_text()
        assert "njit" not in source or path.name == "compiled.py", path
        functions = [each for each in ast.parse(source).body if isinstance(each, ast.FunctionDef)]
        inner = {each.name for each in functions if decorator_of(each) == "jit"}
        found += len(inner)
        for function in functions:
            if not decorator_of(function):
                called = {word.id for word in ast.walk(function) if isinstance(word, ast.Name)}
                assert not called & inner, (path, function.name)
    assert found
