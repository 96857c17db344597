"""What the tests of evaluation share."""

import pytest


@pytest.fixture
def run(run):
    """Runs a command and returns its exit code and everything printed."""

    def call(*arguments):
        code, out, err = run(*arguments)
        return code, out + err

    return call
