"""What a figure prints, and the arithmetic behind it."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Measured = TypeVar("Measured")


@dataclass(frozen=True)
class Figure:
    """One line: the product's value and the bare twin's, in `unit`, and what the goal says of them.

    `paired` are the ratios of the single rounds; their median is the ratio. The goal bounds the ratio or, where
    `absolute`, the product's own value; from below where `at_least`.
    """

    id: str
    name: str
    unit: str
    product: float
    bare: float | None = None
    goal: float | None = None
    paired: Sequence[float] = field(default=())
    absolute: bool = False
    at_least: bool = False
    against: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        if self.paired:
            return statistics.median(self.paired)
        return self.product / self.bare if self.bare else None

    @property
    def met(self) -> bool | None:
        value = self.product if self.absolute else self.ratio
        if self.goal is None or value is None:
            return None
        return value >= self.goal if self.at_least else value <= self.goal

    def line(self) -> str:
        bare = _shown(self.bare) if self.bare is not None else "-"
        ratio = f"{self.ratio:.2f}x" if self.ratio is not None else "-"
        bound = "" if self.goal is None else f"{'>=' if self.at_least else '<='} {self.goal:g}{f' {self.unit}' if self.absolute else 'x'}"
        verdict = {True: "met", False: "NOT MET", None: "-"}[self.met]
        spread = f"min {min(self.paired):.2f} median {self.ratio:.2f} max {max(self.paired):.2f}" if len(self.paired) > 1 else ""
        notes = "; ".join(filter(None, (self.against and f"beside {self.against}", spread, self.note)))
        columns = f"{self.id:<4} {self.name:<50}{_shown(self.product):>10}{bare:>10} {self.unit:<9}{ratio:>7}  {bound:<15}{verdict:<8}"
        return f"{columns}{notes}".rstrip()


def _shown(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


HEADER = f"{'':<4} {'figure':<50}{'product':>10}{'bare':>10} {'unit':<9}{'ratio':>7}  {'goal':<15}"


def percentile(values: Sequence[float], part: float) -> float:
    """The value that `part` (0 to 1) of `values` do not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(part * len(ranked)))]


@dataclass(frozen=True)
class Pairs(Generic[Measured]):
    """What the rounds gave, the product's and the twin's side by side: neighbours in time belong together."""

    product: list[Measured]
    bare: list[Measured]

    def ratios(self, value: Callable[[Measured], float]) -> list[float]:
        return [value(a) / value(b) for a, b in zip(self.product, self.bare, strict=True)]

    def medians(self, value: Callable[[Measured], float]) -> tuple[float, float]:
        return statistics.median(map(value, self.product)), statistics.median(map(value, self.bare))


async def interleaved(rounds: int, measure: Callable[[str], Awaitable[Measured]]) -> Pairs[Measured]:
    """`rounds` times product, bare, bare, product, so that a slow spell of the machine meets both alike."""
    pairs: Pairs[Measured] = Pairs([], [])
    for _ in range(rounds):
        for arm in ("product", "bare", "bare", "product"):
            (pairs.product if arm == "product" else pairs.bare).append(await measure(arm))
    return pairs


def paired(
    id: str, name: str, unit: str, pairs: Pairs[Measured], value: Callable[[Measured], float], goal: float, note: str = ""
) -> Figure:
    """The figure of interleaved rounds: medians of both arms, and the ratios of neighbours."""
    product, bare = pairs.medians(value)
    return Figure(id, name, unit, product, bare, goal, paired=pairs.ratios(value), note=note)
