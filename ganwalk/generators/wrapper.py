"""Generators that are another one but for what they make of styles."""

from __future__ import annotations

from typing import Any

from torch import Tensor


class Wrapper:
    """Hands on everything of `generator` that a subclass does not say itself."""

    generator: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.generator, name)

    def mapping(self, *args: Any, **kwargs: Any) -> Tensor:
        """As the generator's."""
        return self.generator.mapping(*args, **kwargs)
