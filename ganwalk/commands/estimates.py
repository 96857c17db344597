"""What a command says before it keeps somebody waiting."""

from __future__ import annotations

import click

# Seconds that need no announcement.
_SHORT = 60


def announce(what: str, seconds: float, remedy: str, quiet: bool) -> None:
    """Says on stderr that something takes longer than a minute, roughly how long, and what makes it shorter."""
    if quiet or seconds <= _SHORT:
        return
    minutes = round(seconds / 60)
    click.echo(f"{what} takes about {minutes} minute{'s' * (minutes != 1)} on this machine: {remedy}", err=True)
