"""What divergence is computed, and how: the options of `RTDLoss` and of the functions beside it."""

from __future__ import annotations

from dataclasses import dataclass

from ganwalk.rtd.choices import (
    ENDS,
    ENGINES,
    OVER,
    SCALE_GRADIENTS,
    VARIANTS,
    Engine,
    Mode,
    Over,
    Variant,
    check_word,
)

_MODES: dict[str, tuple[Mode, ...]] = {"rtd": ("min",), "max-rtd": ("max",), "srtd": ("symmetric",)}
_LITE = "-lite"


@dataclass(frozen=True)
class Settings:
    """See `RTDLoss`; a `minimax` of None becomes what it means for the variant.

    Raises:
        ValueError: a value out of its bounds, or options that do not go together.
    """

    p: float = 1.0
    card: int | None = None
    minimax: bool | None = None
    symmetric: bool = True
    normalize: float | None = 0.9
    over: Over = "all"
    scale_gradient: str = "exact"
    ends: str = "exact"
    variant: Variant = "rtd"
    engine: Engine = "relative"
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.p <= 0:
            raise ValueError(f"p must be positive, not {self.p}")
        if self.card is not None and self.card < 1:
            raise ValueError(f"card must be at least 1, not {self.card}")
        if self.normalize is not None and not 0 < self.normalize <= 1:
            raise ValueError(f"normalize must be a quantile in (0, 1], not {self.normalize}")
        check_word("over", self.over, OVER)
        check_word("scale_gradient", self.scale_gradient, SCALE_GRADIENTS)
        check_word("ends", self.ends, ENDS)
        check_word("variant", self.variant, VARIANTS)
        check_word("engine", self.engine, ENGINES)
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads must be at least 1, not {self.threads}")
        if self.minimax is None:
            object.__setattr__(self, "minimax", self.variant == "rtd")
        if self.minimax and self._pair != "rtd":
            raise ValueError(
                f"minimax adds the max terms to 'rtd' or 'rtd-lite', not to {self.variant!r}: leave it out"
            )
        if self._pair == "srtd" and not self.symmetric:
            raise ValueError(f"{self.variant!r} has one term, which is symmetric: leave out symmetric=False")
        if self.ends != "exact" and self.variant != "rtd":
            raise ValueError(f"ends={self.ends!r} is of the min terms of 'rtd', not of {self.variant!r}")
        if self.lite and self.engine != "relative":
            raise ValueError(f"{self.variant!r} is computed from trees: leave out engine={self.engine!r}")

    @property
    def _pair(self) -> str:
        return self.variant.removesuffix(_LITE)

    @property
    def lite(self) -> bool:
        """Whether bars are those of spanning trees."""
        return self.variant.endswith(_LITE)

    @property
    def kinds(self) -> list[tuple[Mode, bool]]:
        """Terms as (mode, swapped): what pair of filtrations, and whether w and v change their roles."""
        modes = _MODES[self._pair]
        if self.minimax:
            modes = ("min", "max")
        both = self.symmetric and self._pair != "srtd"
        return [(mode, swapped) for swapped in ((False, True) if both else (False,)) for mode in modes]

    @property
    def share(self) -> float:
        """What every term counts."""
        return 0.5 if self.symmetric and self._pair != "srtd" else 1.0
