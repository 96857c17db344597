"""Files and commands under limits: one process has everything imported, and reads each file in a fork of its own.

The CPU time of a fork is limited, and the peak of its memory is compared with what it began with.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Seconds of CPU and bytes that SECURITY.md promises; what a file holds itself is allowed twice.
SECONDS = 10
BYTES = 2**30
MEASURE = """
import contextlib, functools, importlib, io, json, os, resource, signal, sys
from ganwalk.commands import group
from ganwalk.terminal import run_command
from ganwalk.errors import GanwalkError
from ganwalk.generators.loading import load_generator
from ganwalk.interchange.contents import one_line_errors, read_contents
from pathlib import Path
import ganwalk.evaluation.representation.encoder
import numpy, torch, safetensors.torch, vae.train, vae.evaluate, vae.score

torch.set_num_threads(1)
seconds = int(sys.argv[1])


def imported(path):
    from ganwalk.interchange import import_directions
    import_directions(path, load_generator("scenes"), reading="rows")


def latents(path):
    from ganwalk.interchange.latents import read_latents
    from ganwalk.samples import StoredSamples
    StoredSamples(read_latents(Path(path)).values, "w")


def directions(path):
    from ganwalk.directions import Directions
    Directions.load(path)


def encoder(path):
    from ganwalk.evaluation.representation.encoder import Encoder
    Encoder.load(path)


def command(arguments):
    # A command that waits uses no CPU. What it says when it refuses is raised; other errors fail.
    signal.alarm(6 * seconds)
    first, *rest = arguments
    program = group if first == "ganwalk" else getattr(vae, first.removeprefix("vae.")).command
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            run_command(program, first, rest)
    except SystemExit as ended:
        if ended.code == 2:
            raise GanwalkError(said.getvalue().strip())
        assert not ended.code, said.getvalue()


def photo(path):
    from ganwalk.pictures.photos import read_photo
    read_photo(Path(path), 64)


def settings(path):
    from ganwalk.discovery.settings import DiscoverySettings
    from ganwalk.options.files import load_settings
    load_settings(DiscoverySettings, Path(path))


def scores(path):
    from ganwalk.directions import Directions
    from ganwalk.evaluation.stored import load_evaluation
    generator = load_generator("scenes")
    given = Directions(torch.eye(generator.w_dim)[:2], torch.ones(2), "w", generator.identity)
    load_evaluation(Path(path), given)


def checkpoint(path):
    from ganwalk.resuming.states import read_state
    from ganwalk.inert.pickle_reader import PickleError
    try:
        read_state(Path(path))
    except PickleError as error:
        raise GanwalkError(str(error))


# What commands import, so that forks of this process have it.
COMMANDS = "discovery.run rendering.discovery rendering.report evaluation.run evaluation.comparison explore.server"
COMMANDS += " explore.opening projection.run animation.run discovery.student interchange reach video.formats"


@functools.cache
def get_ready():
    for name in COMMANDS.split():
        with contextlib.suppress(ImportError):
            importlib.import_module(f"ganwalk.{name}")


READERS = {"command": command, "generator": load_generator, "import": imported}
READERS |= {"directions": directions, "encoder": encoder, "photo": photo, "latents": latents, "settings": settings}
READERS |= {"scores": scores, "checkpoint": checkpoint}
load_generator("scenes")


def usage():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


for line in sys.stdin:
    reader, path = json.loads(line)
    if reader == "command":
        get_ready()
    if (child := os.fork()) == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        begun, before = usage()
        try:
            READERS[reader](path)
            said = ""
        except GanwalkError as error:
            said = str(error)
        except BaseException as error:
            said = f"\\n{error!r}"
        ended, after = usage()
        print(json.dumps([said, ended - begun, after - before]), flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        print(json.dumps([f"\\nkilled by {status}", 0, 0]), flush=True)
"""


@pytest.fixture(scope="session")
def measure(tmp_path_factory):
    """Reads one file in a fork of a process that has everything imported."""
    folder = tmp_path_factory.mktemp("bounds")
    process = subprocess.Popen(
        [sys.executable, "-c", MEASURE, str(SECONDS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])},
    )

    def run(data, reader="generator", suffix=".pkl"):
        """What is said of a file with these bytes, or by a command with these arguments."""
        given = [str(argument) for argument in data] if reader == "command" else str(folder / f"file{suffix}")
        if reader != "command":
            Path(given).write_bytes(data)
        process.stdin.write(json.dumps([reader, given]) + "\n")
        process.stdin.flush()
        said, seconds, size = json.loads(process.stdout.readline())
        print(f"{seconds:.1f} s, {size / 2**20:.0f} MB: {said}")
        assert "\n" not in said and len(said) < 700
        assert seconds < SECONDS and size < BYTES + 2 * len(data)
        return said

    yield run
    process.stdin.close()
    process.wait()
