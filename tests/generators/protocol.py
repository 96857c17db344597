"""Whether a generator keeps to the protocol."""

from typing import get_type_hints

from ganwalk.generators.base import Generator

# What only `load_generator` knows.
_WHEN_LOADED = {"identity"}


def lacking(generator, loaded=False):
    """Names of the protocol's members that a generator does not have.

    `isinstance` with a runtime protocol is no help: from Python 3.12 on it does not see the buffers of a module.
    """
    wanted = {*get_type_hints(Generator), "mapping", "synthesis"} - (set() if loaded else _WHEN_LOADED)
    return {name for name in wanted if not hasattr(generator, name)}
