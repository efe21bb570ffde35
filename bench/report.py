"""What a figure prints, and the arithmetic behind it."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Measured = TypeVar("Measured")


@dataclass(frozen=True)
class Figure:
    """One line. `product` and `bare` are in `unit`; the goal is a bound on `judged`, by default their ratio."""

    id: str
    name: str
    unit: str
    product: float
    bare: float | None = None
    goal: float | None = None
    judged: float | None = None
    at_least: bool = False
    goal_text: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.product / self.bare if self.bare else None

    @property
    def met(self) -> bool | None:
        value = self.ratio if self.judged is None else self.judged
        if self.goal is None or value is None:
            return None
        return value >= self.goal if self.at_least else value <= self.goal

    def line(self) -> str:
        ratio = f"{self.ratio:.2f}x" if self.ratio is not None else "-"
        bare = _shown(self.bare) if self.bare is not None else "-"
        bound = "" if self.goal is None else self.goal_text or f"{'>=' if self.at_least else '<='} {self.goal:g}x"
        verdict = {True: "met", False: "NOT MET", None: ""}[self.met]
        note = f"  [{self.note}]" if self.note else ""
        return f"{self.id:<4}{self.name:<52}{_shown(self.product):>10}{bare:>10} {self.unit:<10}{ratio:>7}  {bound:<22}{verdict}{note}"


def _shown(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


HEADER = f"{'':<4}{'figure':<52}{'product':>10}{'bare':>10} {'unit':<10}{'ratio':>7}  {'goal':<22}"


def spread(values: Sequence[float]) -> str:
    return f"min {min(values):.2f} median {statistics.median(values):.2f} max {max(values):.2f}"


def percentile(values: Sequence[float], part: float) -> float:
    """The value that `part` (0 to 1) of `values` do not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(part * len(ranked)))]


@dataclass(frozen=True)
class Pairs(Generic[Measured]):
    """What the rounds gave, the product's and the twin's side by side: their neighbours in time belong together."""

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
