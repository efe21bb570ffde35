"""This machine: everything, a worker, the server, a drill; completion and version."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from starter.cli.output import put, put_json
from starter.cli.session import Session, reading

PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": ["-h", "--help"]}


def installed_version() -> str:
    """The version of the installed distribution; of a mere checkout it is not known."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("tocsin")
    except PackageNotFoundError:
        return "0+unknown"


def become(module: str, arguments: Sequence[str], **settings: object) -> None:
    """Become another of our programs, which gets the terminal, the signals and the exit code; `settings` are `TOCSIN_…` of it.

    Its modules come from where this one does: a folder of the same name where the command is typed must not win.
    """
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
    environment |= {f"TOCSIN_{name.upper()}": str(value) for name, value in settings.items() if value is not None}
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, "-m", module, *arguments], environment)


def _given(**options: object) -> list[str]:
    words: list[str] = []
    for name, value in options.items():
        if value is not None:
            words += ["--" + name.replace("_", "-"), str(value)]
    return words


_PORT = click.IntRange(1, 65_535)


@click.command(context_settings=PASSED_ON)
@click.option("--data", metavar="DIR", help="where everything is kept (default: TOCSIN_DATA, else ./.tocsin)")
@click.option("--port", type=_PORT, help="of the HTTP server (default: 8700)")
@click.option("--temporal-port", type=_PORT, help="of the Temporal server (default: 7233)")
@click.option("--ui-port", type=_PORT, help="of Temporal's own UI (default: 8233)")
@click.pass_context
def up(context: click.Context, data: str | None, port: int | None, temporal_port: int | None, ui_port: int | None) -> None:
    """Run everything on this machine: Temporal, a worker, the HTTP server. It stays up until it is interrupted.

    The next up on the same folder carries on every open incident.
    """
    become("worker.up", [*_given(data=data, port=port, temporal_port=temporal_port, ui_port=ui_port), *context.args])


@click.command(context_settings=PASSED_ON)
@click.option("--auto", is_flag=True, help="play it alone, without waiting for Enter")
@click.option("--url", metavar="URL", help="the server to play against (default: the one that runs here, else one of its own)")
@click.option("--data", metavar="DIR", help="the data folder of that server")
@click.pass_context
def drill(context: click.Context, auto: bool, url: str | None, data: str | None) -> None:
    """Play a practice incident on a fast clock, step by step. It reaches nobody real and counts in no statistics."""
    url = url or context.find_root().params.get("url")
    become("starter.drill", [*(["--auto"] if auto else []), *_given(url=url, data=data), *context.args])


@click.command(context_settings=PASSED_ON)
@click.pass_context
def worker(context: click.Context) -> None:
    """Run a worker alone; the TEMPORAL_… and TOCSIN_… variables say where and how."""
    become("worker", context.args)


@click.command(context_settings=PASSED_ON)
@click.option("--port", type=_PORT, help="to listen on (default: TOCSIN_PORT, else 8700)")
@click.pass_context
def serve(context: click.Context, port: int | None) -> None:
    """Run the HTTP server alone; the TEMPORAL_… and TOCSIN_… variables say where and how."""
    become("starter.serve", context.args, port=port)


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print the completion script.

    \b
    bash: eval "$(tocsin completion bash)"      in ~/.bashrc
    zsh:  eval "$(tocsin completion zsh)"       in ~/.zshrc
    fish: tocsin completion fish | source       in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    from starter.cli.app import tocsin

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(found(tocsin, {}, "tocsin", "_TOCSIN_COMPLETE").source())


@click.command()
@reading
def version(session: Session) -> None:
    """Print the version."""
    found = installed_version()
    if session.json:
        put_json({"version": found})
    else:
        put(found)
