"""What a command says before it keeps somebody waiting."""

from __future__ import annotations

import click

# Seconds that need no announcement.
_SHORT = 60


def announce(what: str, seconds: float, remedy: str, quiet: bool) -> None:
    """Says `announcement` on stderr."""
    text = announcement(what, seconds, remedy)
    if text and not quiet:
        click.echo(text, err=True)


def announcement(what: str, seconds: float, remedy: str) -> str:
    """That something takes longer than a minute, roughly how long, and what makes it shorter; of less, nothing."""
    if seconds <= _SHORT:
        return ""
    minutes = round(seconds / 60)
    return f"{what} takes about {minutes} minute{'s' * (minutes != 1)} on this machine: {remedy}"
