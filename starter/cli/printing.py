"""Rows, in whichever format was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from starter.cli.output import aligned, clean, markdown, put, put_json
from starter.cli.session import Session


class Cell(NamedTuple):
    """One value: as data, as people read it (the same, where None), and its colour."""

    data: object
    shown: str | None = None
    style: str | None = None

    @property
    def plain(self) -> str:
        return "" if self.data is None else clean(self.data)

    @property
    def read(self) -> str:
        return clean(self.shown) if self.shown is not None else self.plain or "-"


def put_rows(session: Session, whole: Any, headers: Sequence[str], rows: Sequence[Sequence[Cell]], ids: Sequence[str]) -> None:
    """Print a table, or the server's answer `whole` as JSON, or the ids. A pipe gets tab-separated data, no header."""
    if session.json:
        put_json(whole)
    elif session.ids:
        for each in ids:
            put(each)
    elif session.markdown:
        put("\n".join(markdown(headers, [[cell.plain for cell in row] for row in rows])))
    elif session.aligned:
        paint = session.paint
        if rows:
            put("\n".join(aligned([header.upper() for header in headers], [[paint(c.read, c.style) for c in row] for row in rows], paint)))
    else:
        for row in rows:
            put("\t".join(cell.plain for cell in row))
