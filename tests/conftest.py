"""What the tests share, where they run, and the order of their files."""

import errno
import os
import signal
from collections import Counter

import pytest

from ganwalk.commands import main
from ganwalk.generators.loading import load_generator
from tests.bounded import measure  # noqa: F401 (a fixture)
from tests.browser import browser, new_page  # noqa: F401 (fixtures)
from tests.explorer import forks, open_page, serve  # noqa: F401 (fixtures)
from tests.small import make_toy, shorten_local, shorten_student


def pytest_configure():
    """In the background of a shell Ctrl-C is ignored, and what tests start would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Whatever needs a browser is slow; files with many slow tests come first, so that no worker is left with one."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(params=[errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def without_locks(request, monkeypatch):
    """A file system that refuses to lock, by each of the errors that say so."""

    def refuse(*_):
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr("fcntl.flock", refuse)


@pytest.fixture
def canary(tmp_path_factory, monkeypatch):
    """The file that any payload would write that a test executes."""
    path = tmp_path_factory.mktemp("canary") / "canary"
    monkeypatch.setenv("GANWALK_CANARY", str(path))
    yield
    assert not path.exists()


@pytest.fixture
def blobs():
    return load_generator("blobs")


@pytest.fixture
def toy():
    """A random StyleGAN2 of 16 px with z of 8 and w of 12 dimensions."""
    return make_toy()


@pytest.fixture
def quick_local(monkeypatch):
    """`--method local` from few derivatives and in few steps, for tests of what is around it."""
    shorten_local(monkeypatch)


@pytest.fixture
def quick_student(monkeypatch):
    """Students that are small, fitted once, in few steps, and followed anyhow, for tests of what is around them."""
    shorten_student(monkeypatch)


@pytest.fixture
def run(capsys):
    """Runs a command and returns its exit code, output and error text."""

    def call(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return call
