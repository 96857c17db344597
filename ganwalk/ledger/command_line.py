"""The options of commands that run many jobs. Importing this loads nothing heavy."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from ganwalk.options.command_line import option_group

_OPTIONS = option_group(
    click.option("--jobs", type=click.IntRange(1), help="Runs at once, which share the cores [default: 1]."),
    click.option("--shard", metavar="I/N", help="Only each N-th run, from the I-th on; others run the rest."),
    click.option("--cluster", metavar="NAME", help="Submit the runs to slurm, or to local processes."),
    click.option("--partition", help="Partition of the cluster."),
    click.option("--time-limit", type=click.IntRange(1), metavar="MINUTES", help="Of each job [default: a day]."),
    click.option("--cluster-option", "cluster_options", multiple=True, metavar="KEY=VALUE", help="More for submitit."),
)


def ledger_options(*modules: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Options of commands that run many jobs, handed to the command as one argument, a `Placement`.

    Args:
        modules: what other processes import first, while the command still prepares.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def wrapped(
            *args: Any,
            jobs: int | None,
            shard: str | None,
            cluster: str | None,
            partition: str | None,
            time_limit: int | None,
            cluster_options: tuple[str, ...],
            **kwargs: Any,
        ) -> Any:
            from ganwalk.ledger.placement import Placement, parse_options, parse_shard

            where = Placement(
                processes=jobs,
                shard=None if shard is None else parse_shard(shard),
                cluster=cluster,
                partition=partition,
                time_limit=time_limit,
                options=parse_options(cluster_options),
            )
            with where.ready(modules, kwargs["threads"]) as ready:
                return command(*args, where=ready, **kwargs)

        return _OPTIONS(wrapped)

    return decorate
