"""The group of all commands, and the way from what was typed to an exit code."""

from __future__ import annotations

import difflib
import importlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from starter.cli import catalogue
from starter.cli.failures import DONE, ERROR, INTERRUPTED, USAGE, Failure
from starter.cli.output import clean, say
from starter.cli.session import with_formats

EPILOG = (
    "Without ID, the one open incident is meant; 41 is short for INC-2026-0041. stdout is data, stderr is talk; times are UTC. "
    "Exit: 0 done or already so, 1 error, 2 usage, 3 not found, 4 sign-in needed, 5 refused by the process, 6 conflict, "
    "7 unreachable, 8 wait timed out, 130 interrupted."
)


class Commands(click.Group):
    """Makes a command only when it is typed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return catalogue.names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = catalogue.MADE_AT.get(cmd_name)
        if place is not None:
            module, _, name = place.partition(":")
            made: click.Command = getattr(importlib.import_module(module), name)
            return made
        verb = catalogue.verb_of(cmd_name)
        if verb is None:
            return None
        from starter.cli.writing import command_for

        return command_for(verb, cmd_name)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in catalogue.names() and catalogue.verb_of(name) is None and not name.startswith("-"):
            near = difflib.get_close_matches(name, catalogue.names(), n=2)
            meant = f"; did you mean {' or '.join(near)}?" if near else "; tocsin --help lists the commands"
            ctx.fail(f"there is no command {name!r}{meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in catalogue.sections():
            with formatter.section(title):
                formatter.write_dl(commands, col_max=26)


@click.group(
    cls=Commands,
    invoke_without_command=True,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@with_formats
@click.option("--version", "version_wanted", is_flag=True, help="print the version")
@click.pass_context
def tocsin(context: click.Context, /, version_wanted: bool, **_: Any) -> None:
    """Durable incident response: nothing owed is forgotten, nothing is told twice."""
    if version_wanted:
        from starter.cli.machine import installed_version

        click.echo(installed_version())
        context.exit()
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def run(args: Sequence[str]) -> int:
    """Carry out one command line and give its exit code. Everything that goes wrong is told here, and only here."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    as_json = wants_json(args)
    try:
        code = tocsin.main(args=list(args), prog_name="tocsin", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else DONE
    except Failure as failure:
        _tell(failure, as_json)
        return failure.code
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.ctx.get_help() if error.ctx is not None else error.format_message())
        return USAGE
    except click.UsageError as error:
        _tell_usage(error, as_json)
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        _tell_if(not as_json, "interrupted", {"type": "urn:tocsin:interrupted", "code": "interrupted", "detail": "interrupted"})
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read has had enough. Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except click.ClickException as error:
        _tell(Failure(ERROR, [f"error: {error.format_message()}"], {"code": "error", "detail": error.format_message()}), as_json)
        return ERROR
    except OSError as error:
        detail = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        _tell(Failure(ERROR, [f"error: {detail}"], {"type": "urn:tocsin:error", "code": "error", "detail": detail}), as_json)
        return ERROR


def wants_json(args: Sequence[str]) -> bool:
    """Whether errors are to be JSON: also where the command line itself can't be understood."""
    given = list(args)
    for place, word in enumerate(given):
        if word in {"--json", "-ojson", "--output=json"}:
            return True
        if word in {"-o", "--output"} and given[place + 1 : place + 2] == ["json"]:
            return True
    return False


def _tell(failure: Failure, as_json: bool) -> None:
    if as_json:
        say(json.dumps(failure.document, ensure_ascii=False))
        return
    for line in failure.lines:
        indent = line[: len(line) - len(line.lstrip())]
        say(indent + clean(line.lstrip()))


def _tell_usage(error: click.UsageError, as_json: bool) -> None:
    detail = error.format_message()
    if as_json:
        say(json.dumps({"type": "urn:tocsin:usage", "code": "usage", "detail": detail}, ensure_ascii=False))
        return
    if error.ctx is not None:
        say(error.ctx.get_usage())
    say(f"error: {clean(detail)}")
    if error.ctx is not None:
        say(f"help:  {error.ctx.command_path} --help")


def _tell_if(wanted: bool, text: str, document: dict[str, Any]) -> None:
    say(text if wanted else json.dumps(document))
