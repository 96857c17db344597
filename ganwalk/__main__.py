"""`ganwalk` and `python -m ganwalk`."""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line; Ctrl-C while it is being loaded ends it as later, not in a traceback."""
    try:
        from ganwalk.commands import main as run
    except KeyboardInterrupt:
        print("ganwalk: interrupted", file=sys.stderr)
        sys.exit(130)
    run(arguments)


if __name__ == "__main__":
    main()
