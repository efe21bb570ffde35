"""`python -m bench [NAME …] [--long] [--herd N]`: the figures, as ratios against a bare workflow in the same run."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import partial

from bench import latency, lateness, lifecycle, memory, pages, recovery, replay, storm, tick
from bench.report import HEADER, Figure

Measure = Callable[..., Awaitable[list[Figure]]]

FIGURES: dict[str, Measure] = {
    "lifecycle": lifecycle.figures,
    "tick": tick.figures,
    "lateness": lateness.figures,
    "replay": replay.figures,
    "memory": memory.figures,
    "recovery": recovery.figures,
    "latency": latency.figures,
    "storm": storm.figures,
    "pages": pages.figures,
}
"""What a run without names prints."""

LONG = 6
"""Rounds of A B B A in the long form; the short one has one."""

ALONE: dict[str, Measure] = {"events": lifecycle.events}
"""Part of another figure, quicker by itself."""


async def _all(measures: list[Measure], long: bool) -> bool:
    """Print every figure; whether all goals were met."""
    sys.stdout.write(HEADER.rstrip() + "\n")
    met = True
    for measure in measures:
        for figure in await (measure(rounds=LONG) if long else measure()):
            met = met and figure.met is not False
            sys.stdout.write(figure.line() + "\n")
            sys.stdout.flush()
    return met


def main() -> int:
    """Measure; 0 also where a goal was missed, since a busy machine misses some: the lines say which."""
    named = FIGURES | ALONE
    parser = argparse.ArgumentParser(prog="python -m bench", description="Figures of the product beside a bare workflow's, in one run.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of {', '.join(named)} (default: all)")
    parser.add_argument("--long", action="store_true", help=f"{LONG} rounds of everything, and a herd of a thousand")
    parser.add_argument("--herd", type=int, help="deadlines that fall together (default 100, with --long 1000)")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in named]
    if unknown:
        parser.error(f"no figure is called {', '.join(unknown)}; there are {', '.join(named)}")
    herd = options.herd or (1000 if options.long else 100)
    measures = [partial(named[name], herd=herd) if name == "lateness" else named[name] for name in options.names or FIGURES]
    met = asyncio.run(_all(measures, options.long))
    sys.stdout.write("every goal is met\n" if met else "a goal is not met; on a busy machine look at the spread, and run it again\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
