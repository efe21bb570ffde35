"""Slack's door: its slash command, and what is pressed or filled in there.

Every request is signed and young, or is turned away before anything in it is read. Slack waits three seconds: what takes longer is
acknowledged, goes on, and is told afterwards. The answer is for the one who asked alone. A command is asked once under Slack's own
id of the occasion, so that a request that is sent again does nothing new.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx2
import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import SecretStr

from incident.commands import COMMANDS
from integrations.chat.slack_api import SlackApi
from integrations.chat.slack_layout import escaped
from integrations.errors import IntegrationError
from integrations.http import Http
from starter.bodies import whole
from starter.chatops.modals import errors, filled, modal, told
from starter.chatops.people import Known, People
from starter.chatops.signatures import verify
from starter.chatops.talk import Talk, answered, as_somebody, worded
from starter.desk import Desk
from starter.identity.actor import Actor
from starter.identity.arrangement import Arrangement
from starter.identity.store import Store
from starter.problems import Invalid, Problem
from starter.reading import checked
from starter.web.command_forms import form_of_verb, forms_for
from starter.web.forms import Form

log = structlog.get_logger("tocsin.chat")

COMMANDS_PATH, ACTIONS_PATH = "/webhooks/slack/commands", "/webhooks/slack/actions"

ANSWER_WITHIN = timedelta(seconds=2)
"""Slack gives up after three."""

BODY_LIMIT = 200_000
"""Bytes. A form of Slack's has 3,000 characters a field."""

TOLD_LIMIT = 3_500
HOOKS = "https://hooks.slack.com"

OURS = "Something went wrong at Tocsin's end. See in the incident whether this was done, and do it again if not."
"""Whoever asked must not take silence for done."""

_RESPONSE = re.compile(re.escape(HOOKS) + r"(/[\w./-]+)")
"""Where Slack lets us answer later. Nowhere else do we send anything because a request says so."""


@dataclass(frozen=True)
class SlackDoor:
    """How Slack comes in. `token` opens forms and looks addresses up; without it, neither is there."""

    signing_secret: SecretStr
    people: dict[str, Known]
    token: SecretStr | None = None
    url: str = "https://slack.com/api"
    within: timedelta = ANSWER_WITHIN
    transport: httpx2.AsyncBaseTransport | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


class SlackDesk:
    """What Slack's requests become."""

    def __init__(self, desk: Desk, door: SlackDoor, arrangement: Arrangement, store: Store | None) -> None:
        self._desk = desk
        self._door = door
        self._talk = Talk(desk)
        self._sees_all = arrangement.mode == "dev"
        self._api = SlackApi(door.url, token=door.token, transport=door.transport) if door.token is not None else None
        self._people = People(door.people, arrangement, store, "TOCSIN_SLACK_PEOPLE", self._address_of if self._api is not None else None)
        self._hooks = Http("Slack", HOOKS, transport=door.transport)
        self._later: set[asyncio.Task[None]] = set()

    async def form(self, request: Request) -> dict[str, str]:
        """The fields of a request that is Slack's.

        Raises:
            SignInNeeded: it is not.
            Invalid: it is, and can't be read.
        """
        body = await whole(request, BODY_LIMIT)
        verify(self._door.signing_secret.get_secret_value(), request.headers, body, self._door.now())
        try:
            found = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=50)
        except (UnicodeDecodeError, ValueError):
            raise Invalid([{"field": "body", "message": "is no form as Slack sends them"}]) from None
        return {name: values[-1] for name, values in found.items()}

    async def command(self, form: dict[str, str]) -> Response:
        """A slash command: what was typed, carried out, told to the one who typed it."""

        async def carry_out() -> str:
            actor = await self._people.actor(form.get("user_id", ""))
            key = f"slack:{form.get('trigger_id', '')}"[:200]
            with as_somebody(actor, sees_all=self._sees_all):
                return (await self._talk.typed(form.get("text", ""), (f"#{form.get('channel_name', '')}",), actor, key)).text

        return JSONResponse(
            await self._in_time(_owned_up(carry_out()), form.get("response_url", "")) or _said("On it; the answer follows.")
        )

    async def action(self, form: dict[str, str]) -> Response:
        """Something that was pressed, or a form that was sent."""
        try:
            payload = json.loads(form.get("payload", ""))
            kind, user = payload["type"], str(payload["user"]["id"])
            match kind:
                case "block_actions":
                    first = payload["actions"][0]
                    verb, incident = _verb(first["action_id"]), checked(str(first["value"]))
                    work = self._pressed(payload, user, verb, incident, str(payload["trigger_id"]))
                case "view_submission":
                    view = payload["view"]
                    incident, _, channel = str(view["private_metadata"]).partition(" ")
                    fields, key = filled(view["state"]["values"]), f"slack:{view['id']}:{view.get('hash', '')}"[:200]
                    work = self._sent(fields, user, _verb(view["callback_id"]), checked(incident), channel, key)
                case _:
                    return Response()
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            raise Invalid([{"field": "payload", "message": "is nothing that a message or form of ours can have sent"}]) from None
        return await work

    async def _pressed(self, payload: dict[str, Any], user: str, verb: str, incident: str, trigger: str) -> Response:
        hook = str(payload.get("response_url") or "")
        channel = str((payload.get("channel") or {}).get("id") or "")

        async def carry_out() -> str:
            actor = await self._people.actor(user)
            with as_somebody(actor, sees_all=self._sees_all):
                if form_of_verb(verb).fields:
                    return await self._opened(actor, verb, incident, channel, trigger)
                return answered(await self._talk.pressed(incident, verb, {}, f"slack:{trigger}"[:200]))

        # Slack does not look at an answer to a press: it is told at the address that came along.
        self._go_on(self._afterwards(_owned_up(carry_out()), hook))
        return Response()

    async def _opened(self, actor: Actor, verb: str, incident: str, channel: str, trigger: str) -> str:
        """Open a verb's form; what is told then is the form itself."""
        actor.need("read")
        instead = f"Type it instead: {verb.replace('_', '-')} {incident} …"
        if self._api is None:
            return f"Forms need TOCSIN_SLACK_TOKEN at this door. {instead}"
        try:
            # Slack opens no form later than three seconds after the press.
            async with asyncio.timeout(self._door.within.total_seconds()):
                form = forms_for(await self._desk.state(incident))[verb]
        except TimeoutError:
            return f"The incident did not answer in time for a form. {instead}"
        async with self._api.http.one_ask():
            await self._api.write("views.open", trigger_id=trigger, view=modal(form, incident, channel))
        return ""

    async def _sent(self, said: Form, user: str, verb: str, incident: str, channel: str, key: str) -> Response:
        form = form_of_verb(verb)
        fields = form.read(said)

        async def carry_out() -> dict[str, Any]:
            try:
                actor = await self._people.actor(user)
                with as_somebody(actor, sees_all=self._sees_all):
                    answer = await self._talk.pressed(incident, verb, fields, key)
            except Invalid as invalid:
                return {"response_action": "errors", "errors": errors(form, invalid.errors)}
            except Problem as problem:
                return {"response_action": "update", "view": told(form.title, worded(problem))}
            except IntegrationError as error:
                return {"response_action": "update", "view": told(form.title, f"Not now: {error}")}
            except Exception:
                log.exception("a form of Slack's could not be dealt with")
                return {"response_action": "update", "view": told(form.title, OURS)}
            return {"response_action": "update", "view": told(form.title, answered(answer))}

        task = asyncio.create_task(carry_out())
        done, _ = await asyncio.wait({task}, timeout=self._door.within.total_seconds())
        if done:
            return JSONResponse(task.result())

        async def later() -> None:
            found = await task
            text = found["view"]["blocks"][0]["text"]["text"] if "view" in found else "; ".join(found["errors"].values())
            if self._api is not None and channel:
                async with self._api.http.one_ask():
                    await self._api.write("chat.postEphemeral", channel=channel, user=user, text=escaped(text[:TOLD_LIMIT]))

        self._go_on(later())
        return JSONResponse({"response_action": "update", "view": told(form.title, "On it; the answer follows in the channel.")})

    async def _in_time(self, work: Coroutine[Any, Any, str], hook: str) -> dict[str, Any] | None:
        """The answer, or None where it is told later."""
        task = asyncio.create_task(work)
        done, _ = await asyncio.wait({task}, timeout=self._door.within.total_seconds())
        if done:
            return _said(task.result())
        self._go_on(self._afterwards(task, hook))
        return None

    async def _afterwards(self, work: Coroutine[Any, Any, str] | asyncio.Task[str], hook: str) -> None:
        text = await work
        address = _RESPONSE.fullmatch(hook)
        if not text:
            return
        if address is None:
            log.warning("an answer has nowhere to go: the request named no address of Slack's")
            return
        async with self._hooks.one_ask():
            await self._hooks.call("POST", address[1], json=_said(text), raw=True)

    def _go_on(self, work: Coroutine[Any, Any, None]) -> None:
        async def kept() -> None:
            try:
                await work
            except IntegrationError as error:
                # The command itself is on record; only the answer is lost.
                log.warning("an answer could not be told in Slack", error=str(error))

        task = asyncio.create_task(kept())
        self._later.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._later.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("an answer for Slack failed", exc_info=error)

    async def settle(self) -> None:
        """Wait for what goes on."""
        while self._later:
            await asyncio.gather(*self._later, return_exceptions=True)

    async def _address_of(self, user: str) -> str | None:
        if self._api is None or not re.fullmatch(r"[UW][A-Z0-9]+", user):
            return None
        async with self._api.http.one_ask():
            found = await self._api.read("users.info", also={"user_not_found"}, user=user)
        address = ((found.get("user") or {}).get("profile") or {}).get("email")
        return str(address) if address else None


def router(slack: SlackDesk) -> APIRouter:
    """The two addresses that Slack knows."""
    router = APIRouter(tags=["webhooks"], include_in_schema=False)

    @router.post(COMMANDS_PATH)
    async def commands(request: Request) -> Response:
        """Slack's slash command."""
        return await slack.command(await slack.form(request))

    @router.post(ACTIONS_PATH)
    async def actions(request: Request) -> Response:
        """Slack's buttons and forms."""
        return await slack.action(await slack.form(request))

    return router


async def _owned_up(work: Coroutine[Any, Any, str]) -> str:
    """What came of it, in words, whatever went wrong."""
    try:
        return await work
    except Problem as problem:
        return worded(problem)
    except IntegrationError as error:
        return f"Not now: {error}"
    except Exception:
        log.exception("something that was asked in Slack could not be dealt with")
        return OURS


def _verb(action: str) -> str:
    verb = action.removeprefix("tocsin:")
    if verb == action or verb not in COMMANDS:
        raise ValueError(action)
    return verb


def _said(text: str) -> dict[str, Any]:
    """For the one who asked alone, and as text: nothing in it is a mention."""
    short = text if len(text) <= TOLD_LIMIT else f"{text[:TOLD_LIMIT]}…"
    return {"response_type": "ephemeral", "replace_original": False, "text": escaped(short)}
