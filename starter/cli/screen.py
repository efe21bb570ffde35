"""A terminal on which lines are appended above a block that is kept at the end and redrawn in place.

Nothing of the terminal's own settings is changed, so nothing has to be put back: whatever ends the program leaves
the last block standing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from starter.cli.output import cut, width

FALLBACK = os.terminal_size((80, 24))


class Screen:
    """`size` is asked anew for every drawing: windows are resized."""

    def __init__(self) -> None:
        self._drawn: list[int] = []

    @property
    def size(self) -> os.terminal_size:
        try:
            size = os.get_terminal_size(sys.stdout.fileno())
        except OSError:
            return FALLBACK
        return size if size.columns > 0 and size.lines > 0 else FALLBACK

    def draw(self, above: Sequence[str], block: Sequence[str]) -> None:
        """Append lines above the block, and draw the block anew below them."""
        size = self.size
        shown = [cut(line, max(size.columns - 1, 10)) for line in block[: max(size.lines - 2, 1)]]
        sys.stdout.write(self._erased(size.columns) + "".join(line + "\n" for line in [*above, *shown]))
        sys.stdout.flush()
        self._drawn = [width(line) for line in shown]

    def _erased(self, columns: int) -> str:
        """What wipes the block: a window that became narrower has wrapped its lines since."""
        rows = sum(max(1, -(-length // columns)) for length in self._drawn)
        return f"\x1b[{rows}A\r\x1b[J" if rows else ""
