"""Commands to go on with, as they would be typed: what the last line of a command names."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganwalk.commands.options import DEFAULT_OUT
from ganwalk.terminal import quoted, retyped

if TYPE_CHECKING:
    from ganwalk.commands.options import External
    from ganwalk.generators.base import GeneratorIdentity


def directions_again(path: Path | None) -> str:
    """The option that names a directions file, where one was given."""
    return f" --directions {quoted(path)}" if path else ""


def code_again(generator: Any, name: str | None, external: External) -> str:
    """The options without which render will not run a generator that is code."""
    return identity_again(generator.identity, name, trusted=external["trust"])


def identity_again(identity: GeneratorIdentity, name: str | None = None, *, trusted: bool | None = None) -> str:
    """Likewise, where only the identity is known; what needs trust is then told by what it is."""
    if not identity.interface:
        return ""
    trust = identity.architecture == "torchscript" if trusted is None else trusted
    return f" --generator {quoted(name or identity.reference)}" + " --trust" * trust


def external_again(external: External) -> str:
    """The options of `external_options` as they were given."""
    words = ["--trust"] * external["trust"]
    if external["latent_dim"] is not None:
        words += ["--latent-dim", str(external["latent_dim"])]
    if external["image_range"] is not None:
        words += ["--image-range", ",".join(f"{limit:g}" for limit in external["image_range"])]
    return "".join(f" {word}" for word in words)


def discovery_of(reference: Path | str, external: External | None = None, *rest: str) -> str:
    """The command that discovers directions of a generator, into a folder where it would not be refused.

    Args:
        external: what was said of a generator that is code.
        rest: further words.
    """
    from ganwalk.directions import DIRECTIONS_FILE
    from ganwalk.discovery.checkpointing import CHECKPOINT_FILE

    out, number = DEFAULT_OUT, 1
    while (out / DIRECTIONS_FILE).exists() or (out / CHECKPOINT_FILE).exists() or (out.exists() and not out.is_dir()):
        number += 1
        out = DEFAULT_OUT.with_name(f"{DEFAULT_OUT.name}-{number}")
    given = "" if external is None else external_again(external)
    elsewhere = "" if out == DEFAULT_OUT else f" --out {quoted(out)}"
    return f"ganwalk discover --generator {quoted(reference)}{given}{''.join(f' {word}' for word in rest)}{elsewhere}"


def command_again(*, without: Collection[str] = ()) -> str:
    """The command that runs, as it was typed, but for some of its parameters."""
    context = click.get_current_context()
    left = [name for name in context.params if name not in without]
    return f"ganwalk {context.info_name}{retyped(*left)}"
