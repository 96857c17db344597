"""What the tests of evaluation share."""

import pytest

from ganwalk.commands import main


@pytest.fixture
def run(capsys):
    """Calls the command line: exit code, and everything printed."""

    def call(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return caught.value.code, captured.out + captured.err

    return call
