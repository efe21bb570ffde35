"""The command line: `tocsin VERB [ID] …`, over HTTP.

    app         the commands, made when they are typed      catalogue   which there are
    verbs       the incident's verbs and options, as data   writing     carries one out, and says what is next
    client      requests, repeated under the same key       stream      what happens, as it happens
    session     what every command knows: server, format    output      tables, JSON, Markdown, ids
    failures    every way to fail, with its exit code

Nothing here imports pydantic, temporalio or a web framework before a command needs it: a verb starts in a tenth of
a second.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line and leave with its exit code."""
    import sys

    from starter.cli.app import run

    sys.exit(run(sys.argv[1:]))
