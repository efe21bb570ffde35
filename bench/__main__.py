"""`python -m bench [NAME …] [--long]`: the figures, as ratios against a bare workflow in the same run."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable

from bench import cadence, commands, lateness, lifecycle, memory, recovery, replaying
from bench.report import HEADER, Figure

FIGURES: dict[str, Callable[..., Awaitable[list[Figure]]]] = {
    "lifecycle": lifecycle.figures,
    "cadence": cadence.figures,
    "lateness": lateness.figures,
    "replay": replaying.figures,
    "memory": memory.figures,
    "recovery": recovery.figures,
    "commands": commands.figures,
}


async def _all(names: list[str], rounds: int) -> None:
    sys.stdout.write(HEADER + "\n")
    for name in names:
        for figure in await FIGURES[name](rounds=rounds):
            sys.stdout.write(figure.line() + "\n")
            sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Figures of the product beside a bare workflow's, in one run.")
    parser.add_argument("names", nargs="*", choices=[*FIGURES, []], help="which (default: all)")
    parser.add_argument("--long", action="store_true", help="three rounds instead of one")
    options = parser.parse_args()
    asyncio.run(_all(options.names or list(FIGURES), 3 if options.long else 1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
