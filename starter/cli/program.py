"""`tocsin` itself: the verbs of the process, made from their table, and what goes with them."""

from __future__ import annotations

import getpass
import json
import os
import re
import sys
from collections.abc import Callable
from typing import Any

import click

from starter.cli import output
from starter.cli.http import Failure, Refused, Server
from starter.cli.verbs import DECLARE, FACTORS, OPENING, VERBS, Field, Verb

FORMATS = ("table", "json", "md", "id")
ID = re.compile(r"INC-\d{4}-\d{4,}")


class Context:
    """What every verb needs: the server, who asks, and how to print."""

    def __init__(self) -> None:
        self.url: str | None = None
        self.format = "table"
        self.by: str | None = None
        self.key: str | None = None
        self._server: Server | None = None

    @property
    def server(self) -> Server:
        if self._server is None:
            self._server = Server(self.url)
        return self._server

    @property
    def who(self) -> str:
        return self.by or os.environ.get("TOCSIN_USER") or getpass.getuser()

    def incident(self, given: str | None) -> str:
        """The incident's id: as given, out of an address, from its number, or the only one that is open."""
        if given:
            found = ID.search(given)
            if found:
                return found.group()
            if given.isdigit():
                return self._by_number(int(given))
            raise Failure(2, f"{given!r} is no incident; it looks like INC-2026-0001")
        rows = self.server.get("/api/v1/incidents", open="true")["incidents"]
        if len(rows) == 1:
            return str(rows[0]["incident"])
        choices = ", ".join(str(row["incident"]) for row in rows) or "none is open"
        raise Failure(2, f"say which incident ({choices})")

    def _by_number(self, number: int) -> str:
        rows = self.server.get("/api/v1/incidents")["incidents"]
        found = [str(row["incident"]) for row in rows if int(str(row["incident"]).rsplit("-", 1)[1]) == number]
        if not found:
            raise Failure(3, f"there is no incident number {number}")
        return sorted(found)[-1]


pass_context = click.make_pass_decorator(Context, ensure=True)


def common(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every verb takes."""

    def remember(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
        def callback(context: click.Context, _: click.Parameter, value: Any) -> Any:
            if value is not None:
                setattr(context.ensure_object(Context), name, value)
            return value

        return callback

    def json_output(context: click.Context, _: click.Parameter, value: bool) -> bool:
        if value:
            context.ensure_object(Context).format = "json"
        return value

    for option in (
        click.option("--url", expose_value=False, callback=remember("url"), help="the server (TOCSIN_URL)"),
        click.option("-o", "--output", expose_value=False, type=click.Choice(FORMATS), callback=remember("format"), help="how to print"),
        click.option("--json", is_flag=True, expose_value=False, callback=json_output, help="the same as -o json"),
    ):
        function = option(function)
    return function


def writing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every verb that changes something takes."""

    def remember(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
        def callback(context: click.Context, _: click.Parameter, value: Any) -> Any:
            if value is not None:
                setattr(context.ensure_object(Context), name, value)
            return value

        return callback

    function = click.option("--by", expose_value=False, callback=remember("by"), help="who asks (TOCSIN_USER, else the login name)")(
        function
    )
    return click.option("--key", expose_value=False, callback=remember("key"), help="makes a repeat the same request")(function)


def read_text(value: str) -> str:
    """`-` is standard input."""
    return sys.stdin.read() if value == "-" else value


def options_of(fields: tuple[Field, ...], message: str | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Click options for the fields; what is required is left to the server to say, but for what has no default here."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for field in reversed(fields):
            function = _option(field, message)(function)
        return function

    return decorate


def _option(field: Field, message: str | None) -> Callable[..., Any]:
    flag = f"--{field.name.replace('_', '-')}"
    names = [flag, field.name if field.name != "as" else "as_"]
    if field.name == "services":
        names.insert(1, "--service")
    if field.name == message:
        names.insert(1, "-m")
    if field.kind == "flag":
        return click.option(f"{flag}/--no-{flag[2:]}", names[-1], default=None, help=field.help)
    if field.kind == "outcome":
        return click.option("--succeeded/--failed", "succeeded", default=None, required=True)
    if field.kind == "list":
        return click.option(*names, multiple=True, required=field.required, help=field.help or "repeat it for each")
    if field.kind == "severity":
        return click.option("--severity", "--sev", "severity", required=field.required, help="SEV1, SEV2, SEV3; 1, 2, 3 do as well")
    if field.kind == "number":
        return click.option(*names, type=float, help=field.help)
    if field.choices:
        if field.name == "audience":
            return _audience
        return click.option(*names, type=click.Choice(field.choices), required=field.required, help=field.help)
    return click.option(*names, required=field.required, help=field.help or ("- reads standard input" if field.kind == "text" else ""))


def _audience(function: Callable[..., Any]) -> Callable[..., Any]:
    function = click.option("--external", "audience", flag_value="external", help="tell the public")(function)
    function = click.option("--internal", "audience", flag_value="internal", help="tell the responders")(function)
    return click.option("--audience", "audience", type=click.Choice(("internal", "external")))(function)


def body_of(context: Context, fields: tuple[Field, ...], given: dict[str, Any]) -> dict[str, Any]:
    """The JSON that the server takes, from what was typed."""
    body: dict[str, Any] = {"by": context.who}
    for field in fields:
        value = given.get("as_" if field.name == "as" else field.name)
        if value is None or value == ():
            continue
        if field.kind == "list":
            body[field.name] = list(value)
        elif field.kind == "severity":
            body[field.name] = f"SEV{value}" if value in ("1", "2", "3") else value.upper()
        else:
            body[field.name] = read_text(value) if field.kind == "text" else value
    return body


class Program(click.Group):
    """Lists the verbs by what they are for, and finds the short ones."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, args)


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(None, "--version", package_name="tocsin", message="%(version)s")
@common
def program() -> None:
    """Durable incident response: what is owed is not forgotten, and the process cannot be talked round.

    Start everything on this machine with `tocsin up`, then practise with `tocsin drill`.
    """


def _command(verb: Verb) -> click.Command:
    @click.argument("incident", required=False)
    @options_of(verb.fields, verb.message)
    @writing
    @common
    @pass_context
    def run(context: Context, incident: str | None, **given: Any) -> None:
        carry_out(context, verb, incident, given)

    return click.command(verb.name.replace("_", "-"), help=verb.help)(run)


def carry_out(context: Context, verb: Verb, incident: str | None, given: dict[str, Any]) -> None:
    """Send one command and print what followed."""
    if verb.name == "post_update" and given.get("audience") is None:
        raise click.UsageError("say whom to tell: --internal or --external")
    id_ = context.incident(incident)
    body = body_of(context, verb.fields, given)
    if not confirmed(verb, body):
        raise Failure(1, "nothing was sent")
    answer = context.server.post(f"/api/v1/incidents/{id_}/{verb.name}", body, context.key)
    printed(context, answer)


def confirmed(verb: Verb, body: dict[str, Any]) -> bool:
    """In a terminal, what goes to the public or ends an incident is shown first. Scripts are not asked."""
    outward = (verb.name == "post_update" and body.get("audience") == "external") or verb.name == "dismiss"
    if not outward or os.environ.get("TOCSIN_YES") or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    if verb.name == "dismiss":
        return click.confirm(f"Dismiss it as {body['as']}? Its clocks stop.", err=True)
    output.talk(f"To: the public status page, as {body.get('status', 'the phase says')}\n  {output.printable(body['text'])}")
    return click.confirm("Post it?", err=True)


def printed(context: Context, answer: dict[str, Any]) -> None:
    """What a command answered: its entries, then what to do next."""
    if context.format == "json":
        output.as_json(answer)
        return
    if context.format == "id":
        output.data(answer["incident"])
        return
    for entry in answer.get("events", []):
        output.data(f"{entry['at']}  {entry['kind']:<22} {output.printable(entry['text'])}")
    if not answer.get("events"):
        output.talk(f"{answer['incident']}: already so, nothing changed")
    if sys.stderr.isatty():
        state = context.server.get(f"/api/v1/incidents/{answer['incident']}")
        step = state.get("next") or {}
        output.talk(output.paint(f"next: {step.get('text', '')} {step.get('command') or ''}", output.DIM, sys.stderr))


for _verb in VERBS:
    if _verb.name != "declare":
        _made = _command(_verb)
        program.add_command(_made)
        if _verb.short is not None and _verb.short not in ("role", "sev"):
            program.add_command(_made, _verb.short)


def _opened(context: Context, body: dict[str, Any]) -> None:
    state = context.server.post("/api/v1/incidents", body, context.key)
    if context.format == "json":
        output.as_json(state)
    elif context.format == "id":
        output.data(state["incident"])
    else:
        output.data(output.headline(state))
        for row in output.clock_rows(state):
            output.data(f"  {row[0]:<18} {row[1]}  {row[2]}")
        step = state.get("next") or {}
        output.talk(f"next: {step.get('text', '')} {step.get('command') or ''}")


@program.command()
@click.argument("title")
@options_of(OPENING)
@options_of(DECLARE)
@options_of(FACTORS)
@click.option("--title", "new_title", help="with an id: the title it gets")
@click.option("--drill", is_flag=True, help="a practice incident")
@writing
@common
@pass_context
def declare(context: Context, title: str, new_title: str | None, drill: bool, **given: Any) -> None:
    """Open an incident, declared at once; with an ID, declare that one.

    Say the severity (--sev), or the factors that decide it.
    """
    factors = {field.name: given[field.name] for field in FACTORS if given[field.name] is not None}
    if ID.search(title):
        body = body_of(context, DECLARE, given) | ({"factors": factors} if factors else {})
        if new_title:
            body["title"] = new_title
        printed(context, context.server.post(f"/api/v1/incidents/{context.incident(title)}/declare", body, context.key))
        return
    if given["severity"] is None and not factors:
        raise click.UsageError("say how bad it is: --sev 1, 2 or 3, or factors such as --complete-outage (to open without: tocsin report)")
    body = body_of(context, DECLARE + OPENING, given) | {"title": title}
    if factors:
        body["factors"] = factors
    if drill:
        body["drill"] = True
    _opened(context, body)


@program.command()
@click.argument("title")
@options_of(OPENING)
@click.option("--summary")
@click.option("--customer-facing/--no-customer-facing", "customer_facing", default=None)
@click.option("--drill", is_flag=True, help="a practice incident")
@writing
@common
@pass_context
def report(context: Context, title: str, drill: bool, **given: Any) -> None:
    """Open an incident in detection: somebody saw something."""
    more = (Field("summary", "text"), Field("customer_facing", "flag"))
    body = body_of(context, OPENING + more, given) | {"title": title}
    if drill:
        body["drill"] = True
    _opened(context, body)


@program.command("sev")
@click.argument("words", nargs=-1)
@click.option("--severity", "--sev", "severity")
@click.option("--reason", "-m", "reason", required=True)
@writing
@common
@pass_context
def sev(context: Context, words: tuple[str, ...], severity: str | None, reason: str) -> None:
    """Raise or lower the severity: tocsin sev INC-2026-0001 2 -m "…"."""
    rest = list(words)
    severity = severity or (rest.pop() if rest else None)
    if severity is None:
        raise click.UsageError("say which severity: 1, 2 or 3")
    carry_out(context, _named("change_severity"), rest[0] if rest else None, {"severity": severity, "reason": reason})


@program.command("role")
@click.argument("words", nargs=-1)
@click.option("--role", "role_", type=click.Choice(("commander", "communications", "scribe", "operations")))
@click.option("--person")
@writing
@common
@pass_context
def role(context: Context, words: tuple[str, ...], role_: str | None, person: str | None) -> None:
    """Give a role to a person: tocsin role INC-2026-0001 commander ana."""
    rest = list(words)
    person = person or (rest.pop() if rest else None)
    role_ = role_ or (rest.pop() if rest else None)
    if person is None or role_ is None:
        raise click.UsageError("say the role and the person: tocsin role INC-2026-0001 commander ana")
    carry_out(context, _named("assign"), rest[0] if rest else None, {"role": role_, "person": person})


def _named(name: str) -> Verb:
    return next(verb for verb in VERBS if verb.name == name)


def run(arguments: list[str] | None = None) -> None:
    """Run the program and leave with the documented exit code."""
    from starter.cli import reading  # noqa: F401  adds the verbs that read, and those that run processes

    context = Context()
    try:
        code = program.main(args=arguments, prog_name="tocsin", standalone_mode=False, obj=context)
        sys.exit(code if isinstance(code, int) else 0)
    except Refused as error:
        if context.format == "json":
            output.talk(json.dumps(error.detail, ensure_ascii=False))
        else:
            output.refusal(error.detail)
        sys.exit(error.code)
    except Failure as error:
        output.talk(
            json.dumps({"exit": error.code, **error.detail}, ensure_ascii=False) if context.format == "json" else f"tocsin: {error}"
        )
        sys.exit(error.code)
    except click.ClickException as error:
        if context.format == "json" or "--json" in (arguments or sys.argv):
            output.talk(json.dumps({"exit": 2, "title": error.format_message()}, ensure_ascii=False))
        else:
            error.show(file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has gone; nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
