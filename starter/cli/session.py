"""What every command knows: the server, who acts, in which format to answer, and whether somebody is there to ask."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from starter.cli.failures import ERROR, USAGE, failed
from starter.cli.output import Paint, say

if TYPE_CHECKING:
    from starter.cli.client import Client

DEFAULT_URL = "http://127.0.0.1:8700"

FORMATS = ("table", "json", "md", "id")

C = TypeVar("C", bound=Callable[..., Any])


class Session(NamedTuple):
    """One invocation. `output` is None where nobody said: a table for people, tab-separated lines for a pipe."""

    url: str
    output: str | None
    color: str
    by: str | None = None
    key: str | None = None
    yes: bool = False
    token_file: str | None = None

    def client(self) -> Client:
        from starter.cli.client import Client

        return Client(self.url, self.token)

    @property
    def token(self) -> str | None:
        """The personal token: in the file that is named, else TOCSIN_TOKEN; None where there is none.

        Raises:
            Failure: the file can't be read, or holds no token.
        """
        file = self.token_file or os.environ.get("TOCSIN_TOKEN_FILE")
        found = _read_token(file) if file else os.environ.get("TOCSIN_TOKEN", "").strip()
        if found and not (found.isascii() and found.isprintable() and " " not in found):
            raise failed(USAGE, "usage", "what TOCSIN_TOKEN holds is no token; those look like tocsin_…")
        return found or None

    @property
    def json(self) -> bool:
        return self.output == "json"

    @property
    def ids(self) -> bool:
        return self.output == "id"

    @property
    def markdown(self) -> bool:
        return self.output == "md"

    @property
    def aligned(self) -> bool:
        """Whether a table is laid out for eyes."""
        return self.output == "table" or (self.output is None and sys.stdout.isatty())

    @property
    def paint(self) -> Paint:
        return Paint(_colored(self.color, sys.stdout.isatty()))

    def talk(self, text: str) -> None:
        """Say something to a person, on stderr; machines that read JSON or ids are spared."""
        if not self.json and not self.ids:
            say(text)

    def who(self) -> str:
        """Who acts: `--by`, else TOCSIN_USER, else the login name."""
        return self.by or os.environ.get("TOCSIN_USER") or _login_name()

    def signature(self) -> dict[str, str]:
        """Who acts, as a request says it. With a token the server knows, and is told only what `--by` says."""
        if self.by is None and self.token is not None:
            return {}
        return {"by": self.who()}

    def request_key(self) -> str:
        """`--key`, else a fresh one: the key under which this invocation is one request, however often it is sent."""
        return self.key or os.urandom(16).hex()

    @property
    def asks(self) -> bool:
        """Whether somebody is there who can be asked, and did not say yes to everything."""
        return not self.yes and sys.stdin.isatty() and sys.stderr.isatty()

    def agreed(self, lines: list[str], question: str) -> None:
        """Ask before something that others see. Without a terminal nobody can be asked, and scripts go on.

        Raises:
            Failure: somebody said no.
        """
        if not self.asks:
            return
        for line in lines:
            say(line)
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise failed(ERROR, "declined", "not confirmed; nothing was sent")


def _read_token(file: str) -> str:
    try:
        with open(file, encoding="utf-8") as opened:
            found = opened.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise failed(USAGE, "usage", f"the token file {file} can't be read: {error}") from error
    if not found:
        raise failed(USAGE, "usage", f"the token file {file} is empty")
    return found


def _colored(wish: str, terminal: bool) -> bool:
    if wish != "auto":
        return wish == "always"
    return terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _login_name() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


_READING: tuple[Callable[[C], C], ...] = (
    click.option("--url", metavar="URL", help="the server (default: TOCSIN_URL, else the one on this machine)"),
    click.option("--token-file", metavar="PATH", help="where your personal token is (default: TOCSIN_TOKEN_FILE, else TOCSIN_TOKEN)"),
    click.option("-o", "--output", type=click.Choice(FORMATS), help="how to print the answer"),
    click.option("--json", "as_json", is_flag=True, help="the same as -o json"),
    click.option("--color", type=click.Choice(("auto", "always", "never")), help="colour (default: in a terminal only)"),
)

_WRITING: tuple[Callable[[C], C], ...] = (
    click.option("--by", metavar="NAME", help="who acts (default: TOCSIN_USER, else your login name)"),
    click.option("--key", metavar="TEXT", help="a repeat with the same key is the same request"),
    click.option("-y", "--yes", is_flag=True, help="do not ask before what others will see"),
)


def with_formats(command: C) -> C:
    """Give a command, or the group, the options that say where to ask and how to print."""
    for option in reversed(_READING):
        command = option(command)
    return command


def reading(command: Callable[..., None]) -> Callable[..., None]:
    """Make a function a reading command: it gets the session first, then its own options."""
    return with_formats(_given_session(command))


def writing(command: Callable[..., None]) -> Callable[..., None]:
    """Make a function a writing command: besides, somebody acts, under a key."""
    wrapped = _given_session(command)
    for option in reversed(_WRITING):
        wrapped = option(wrapped)
    return with_formats(wrapped)


def _given_session(command: Callable[..., None]) -> Callable[..., None]:
    @click.pass_context
    def with_session(context: click.Context, /, **values: Any) -> None:
        command(session_from(context, values), **values)

    return update_wrapper(with_session, command)


def session_from(context: click.Context, values: dict[str, Any]) -> Session:
    """Take the session's options out of a command's values; what was not said there may stand before the verb."""
    before: dict[str, Any] = context.find_root().params
    as_json = values.pop("as_json", False)
    output = "json" if as_json else values.pop("output", None)
    values.pop("output", None)
    return Session(
        url=values.pop("url", None) or before.get("url") or os.environ.get("TOCSIN_URL") or DEFAULT_URL,
        output=output or ("json" if before.get("as_json") else before.get("output")),
        color=values.pop("color", None) or before.get("color") or "auto",
        by=values.pop("by", None),
        key=values.pop("key", None),
        yes=values.pop("yes", False),
        token_file=values.pop("token_file", None) or before.get("token_file"),
    )
