"""What a shell may complete where an incident is named: the open ones."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from starter.cli.failures import Failure


def complete_incident(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The open incidents with their titles; nothing where the server does not answer at once."""
    from starter.cli.client import Client
    from starter.cli.session import session_from

    session = session_from(context, dict(context.params))
    try:
        rows = Client(session.url, session.token, pauses=(), within=1.0).get("/incidents", {"open": "true"})["incidents"]
    except Failure:
        return []
    wanted = incomplete.upper()
    return [CompletionItem(row["incident"], help=str(row.get("title", ""))[:60]) for row in rows if row["incident"].startswith(wanted)]
