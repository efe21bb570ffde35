"""`tocsin status-page`: the public page as files, for a web server that stands when this one does not."""

from __future__ import annotations

import os
import time
from pathlib import Path, PurePosixPath
from typing import Any

import click

from starter.cli.failures import ERROR, UNREACHABLE, Failure, failed
from starter.cli.output import put, put_json
from starter.cli.session import Session, reading

LAST = "index.html"
"""Written after all that it links to."""


@click.group("status-page")
def status_page() -> None:
    """The public status page, as files for any web server."""


@status_page.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--every", type=click.FloatRange(min=1, max=86_400), metavar="SECONDS", help="go on, writing it anew this often")
@reading
def export(session: Session, folder: Path, every: float | None) -> None:
    """Write the public status page into DIR, ready for any web server.

    Files that have not changed are left alone, and each that has is replaced in one step. With --every it goes on until
    interrupted, also while the server can't be reached: what was written last stays.
    """
    while True:
        try:
            _export(session, folder)
        except Failure as failure:
            if every is None or failure.code != UNREACHABLE:
                raise
            session.talk(f"{failure}; the files stay as they are, next try in {every:g} s")
        if every is None:
            return
        time.sleep(every)


def _export(session: Session, folder: Path) -> None:
    answer: dict[str, Any] = session.client().get("/status-page")
    files: dict[str, str] = answer["files"]
    written = write(folder, files)
    if session.json:
        put_json({"folder": str(folder), "files": len(files), "written": written})
    elif session.ids:
        put(str(folder))
    else:
        put(f"{folder}: {len(files)} files, {len(written)} of them new or changed")


def write(folder: Path, files: dict[str, str]) -> list[str]:
    """Bring a folder up to these files, and tell which were written.

    Raises:
        Failure: the folder can't be written to, or a path would lead out of it.
    """
    changed = []
    for path in sorted(files, key=lambda name: (name == LAST, name)):
        parts = PurePosixPath(path)
        if parts.is_absolute() or ".." in parts.parts:
            raise failed(ERROR, "not-tocsin", f"the server names a file outside the folder: {path!r}")
        target = folder / parts
        content = files[path].encode()
        try:
            if target.exists() and target.read_bytes() == content:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = target.with_name(f".{target.name}.new")
            beside.write_bytes(content)
            os.replace(beside, target)
        except OSError as error:
            raise failed(ERROR, "not-writable", f"{target} can't be written: {error.strerror}") from error
        changed.append(path)
    return changed
