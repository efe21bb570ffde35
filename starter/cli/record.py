"""`audit`, `verify` and `replay`: the record, and its proof."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Protocol

import click

from starter.cli import incidents
from starter.cli.failures import DONE, ERROR, NOT_FOUND, failed
from starter.cli.output import GREEN, RED, put, put_json
from starter.cli.reading import incident_argument
from starter.cli.session import Session, reading


class Report(Protocol):
    """What a check found (`starter.audit.Report`)."""

    lines: list[str]
    ok: bool


@click.command()
@incident_argument
@click.option("--out", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="write it there instead of standard output")
@reading
def audit(session: Session, incident: str | None, out: Path | None) -> None:
    """Export the whole record: raw histories, timeline, and the hashes that tie them together."""
    client = session.client()
    name = incidents.find(client, incident)
    document = client.raw(f"/incidents/{name}/audit")
    if out is None:
        put(document.decode("utf-8"))
    else:
        out.write_bytes(document + b"\n")
        session.talk(f"{name}: {len(document):,} bytes in {out}; check it with: tocsin verify {out}")


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@reading
def verify(session: Session, file: Path) -> None:
    """Check an exported record, offline: every hash, and the timeline against the replayed history."""
    from starter.audit import verify_file

    _put(session, _existing(file), verify_file(file))


@click.command()
@click.argument("what", metavar="ID|FILE")
@reading
def replay(session: Session, what: str) -> None:
    """Replay a record against this version's code: an export, a history of Temporal's own tools, or an incident."""
    from starter.audit import replay_file

    if Path(what).is_file() or incidents.named(what) is None:
        _put(session, _existing(Path(what)), replay_file(Path(what)))
        return
    client = session.client()
    name = incidents.find(client, what)
    with tempfile.TemporaryDirectory(prefix="tocsin-replay-") as folder:
        exported = Path(folder) / f"{name}.json"
        exported.write_bytes(client.raw(f"/incidents/{name}/audit"))
        _put(session, name, replay_file(exported))


def _existing(file: Path) -> str:
    if not file.exists():
        raise failed(NOT_FOUND, "unknown-file", f"there is no file {str(file)!r}")
    return str(file)


def _put(session: Session, name: str, check: Coroutine[Any, Any, Report]) -> None:
    """Carry out a check and print what it found; exit 1 where something does not hold."""
    report = asyncio.run(check)
    if session.json:
        put_json({"checked": name, "ok": report.ok, "lines": report.lines})
    elif session.ids:
        put(name)
    else:
        for line in report.lines:
            put(session.paint(line, RED if line.startswith("FAIL") else GREEN if line.startswith("ok") else None))
    click.get_current_context().exit(DONE if report.ok else ERROR)
