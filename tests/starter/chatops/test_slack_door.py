# ruff: noqa: SIM300 - the house writes what is expected first
"""Slack's door: signed requests only, the same verbs and refusals, an answer in time and for the one who asked."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest
from pydantic import SecretStr

from incident.vocabulary import Access
from starter.api import Door, create_app
from starter.chatops.people import Known
from starter.chatops.signatures import signature
from starter.chatops.slack import ACTIONS_PATH, COMMANDS_PATH, SlackDoor
from starter.identity.arrangement import Arrangement
from starter.live import Rooms
from tests.integrations.spec_transport import SpecTransport, description
from tests.starter.desks import FakeDesk
from tests.starter.test_api import Delivered, no_history

HERE = "http://127.0.0.1:8700"
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
HOOK = "https://hooks.slack.com/commands/T1/2/abc"
PEOPLE = {"U0ANA": Known("ana", ("sre",)), "ben@example.org": Known("ben"), "U0EVE": Known("eve", ("guests",))}
ROLES = {"sre": frozenset({Access.RESPONDER}), "guests": frozenset[Access](), "*": frozenset({Access.VIEWER})}


class Slack:
    """What the door says to Slack: forms that it opens, addresses that it asks for, answers that follow."""

    def __init__(self) -> None:
        self.views: list[dict[str, Any]] = []
        self.followed: list[tuple[str, dict[str, Any]]] = []
        api: httpx2.AsyncBaseTransport = httpx2.MockTransport(self._api)
        if os.environ.get("TOCSIN_SPECS"):
            api = SpecTransport(description("slack/web-api-2026-08.openapi3.json"), api, base_url="https://slack.com/api")
        self.transport = _ByHost({"slack.com": api, "hooks.slack.com": httpx2.MockTransport(self._hook)})

    def _api(self, request: httpx2.Request) -> httpx2.Response:
        match request.url.path.rpartition("/")[2]:
            case "views.open":
                self.views.append(json.loads(request.content))
                return httpx2.Response(200, json={"ok": True, "view": {"id": "V1"}})
            case "users.info":
                address = {"U0BEN": "Ben@example.org"}.get(request.url.params["user"], "nobody@example.org")
                return httpx2.Response(200, json={"ok": True, "user": {"profile": {"email": address}}})
            case "chat.postEphemeral":
                self.followed.append(("postEphemeral", json.loads(request.content)))
                return httpx2.Response(200, json={"ok": True, "message_ts": "1.2"})
        raise AssertionError(request.url)

    def _hook(self, request: httpx2.Request) -> httpx2.Response:
        self.followed.append((request.url.path, json.loads(request.content)))
        return httpx2.Response(200, text="ok")


class _ByHost(httpx2.AsyncBaseTransport):
    def __init__(self, hosts: Mapping[str, httpx2.AsyncBaseTransport]) -> None:
        self._hosts = hosts

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await self._hosts[request.url.host].handle_async_request(request)


class Place:
    """A door with Slack in front of it; `mode` is how people sign in."""

    def __init__(self, desk: FakeDesk, *, mode: str = "proxy", within: float = 2.0, token: bool = True) -> None:
        self.desk = desk
        self.slack = Slack()
        door = SlackDoor(
            signing_secret=SecretStr(SECRET),
            people=PEOPLE,
            token=SecretStr("xoxb") if token else None,
            within=timedelta(seconds=within),
            transport=self.slack.transport,
            now=lambda: NOW,
        )
        arrangement = Arrangement(mode="proxy", roles=ROLES) if mode == "proxy" else Arrangement()
        made = Door(user="tocsin", version="0", arrangement=arrangement, identity=None, slack=door)
        self.app = create_app(desk, made, Delivered(), rooms=Rooms(desk, no_history))
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app, raise_app_exceptions=False), base_url=HERE)

    async def post(self, path: str, form: dict[str, str], *, at: datetime = NOW, secret: str = SECRET, **headers: str) -> httpx2.Response:
        body = urlencode(form).encode()
        stamp = str(int(at.timestamp()))
        signed = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature(secret, stamp, body), **headers}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        # As bytes: who forges a request need not keep to ASCII.
        return await self.http.post(
            path, content=body, headers=[(name.encode(), said.encode("latin-1")) for name, said in (kind | signed).items()]
        )

    async def typed(self, text: str, *, user: str = "U0ANA", **more: str) -> str:
        form = {"user_id": user, "text": text, "trigger_id": "13.7", "response_url": HOOK, "channel_name": "general", **more}
        answer = await self.post(COMMANDS_PATH, form)
        found = answer.json()
        assert answer.status_code == 200
        assert found["response_type"] == "ephemeral"
        return str(found["text"])

    async def acted(self, payload: dict[str, Any], *, user: str = "U0ANA") -> httpx2.Response:
        return await self.post(ACTIONS_PATH, {"payload": json.dumps({"user": {"id": user}, **payload})})

    async def pressed(self, verb: str, incident: str, *, user: str = "U0ANA") -> None:
        action = {"action_id": f"tocsin:{verb}", "value": incident}
        payload = {"type": "block_actions", "actions": [action], "trigger_id": "13.7", "response_url": HOOK, "channel": {"id": "C1"}}
        answer = await self.acted(payload, user=user)
        assert answer.status_code == 200
        await self.settled()

    async def filled(self, verb: str, incident: str, **values: dict[str, Any]) -> dict[str, Any]:
        state = {"values": {name: {"said": value} for name, value in values.items()}}
        view = {"id": "V1", "hash": "h", "callback_id": f"tocsin:{verb}", "private_metadata": f"{incident} C1", "state": state}
        answer = await self.acted({"type": "view_submission", "view": view})
        found: dict[str, Any] = answer.json()
        return found

    async def settled(self) -> None:
        async with self.app.router.lifespan_context(self.app):
            """Its end waits for what goes on."""


@pytest.fixture
async def desk() -> FakeDesk:
    return await FakeDesk.made()


@pytest.fixture
async def place(desk: FakeDesk) -> AsyncIterator[Place]:
    place = Place(desk)
    yield place
    await place.settled()
    await place.http.aclose()


@pytest.fixture
async def incident(desk: FakeDesk) -> str:
    return str((await desk.open({"by": "dana", "title": "Checkout fails", "severity": "SEV2"}))["incident"])


async def test_a_verb_that_is_typed_is_carried_out_in_that_persons_name(place: Place, incident: str) -> None:
    """Whoever types it is who did it, through the chat, with the roles that their groups have here."""
    said = await place.typed(f"ack {incident}")

    fields = {"by": "ana", "roles": ["responder", "viewer"], "via": "chat", "key": "slack:13.7"}
    assert [(incident, "acknowledge", fields)] == place.desk.asked
    assert f"{incident}: done; it is in declaration.\n- ana: acknowledge" == said


async def test_a_request_that_comes_again_is_the_same_request(place: Place, incident: str) -> None:
    """Whoever has caught a request and sends it again, in time, gets its answer and does nothing new: the key is the same."""
    for _ in range(2):
        await place.typed(f"ack {incident}")

    assert 1 == len({asked["key"] for _, _, asked in place.desk.asked})


async def test_in_its_own_channel_an_incident_need_not_be_named(place: Place, incident: str) -> None:
    """In the incident's channel, the incident is meant; elsewhere one is asked which."""
    place.desk.states[incident]["channel"] = "#incident-2026-11-24-checkout"
    await place.typed("note we roll back", channel_name="incident-2026-11-24-checkout")
    asked = await place.typed("note we roll back")

    assert ["we roll back"] == [fields["text"] for _, _, fields in place.desk.asked]
    assert "which one? #general is no open incident's own channel" in asked


async def test_a_refusal_is_told_to_the_person_alone_and_whole(place: Place, incident: str) -> None:
    """The same refusal as at every door: its code, why, and the way forward."""
    place.desk.refuses["resolve"] = "verification-incomplete"
    said = await place.typed(f"resolve {incident} --root-cause leak --fix-applied reverted")

    assert said.startswith(f"{incident}: refused (verification-incomplete). ")
    assert len(said.splitlines()[0]) > 80


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("frobnicate", "verb: 'frobnicate' is none that I know"),
        ("ack INC-2026-0999", "No such incident."),
        ("help", "ack: Say that you are on it: stops the paging."),
        ("list", "SEV2 declaration: Checkout fails"),
        ("status INC-2026-0001", "SEV2 INC-2026-0001: Checkout fails. It is in declaration."),
        ("declare Search is slow --sev 2", "Opened INC-2026-0002: Search is slow (SEV2)."),
    ],
)
async def test_whatever_is_typed_is_answered(place: Place, incident: str, text: str, said: str) -> None:
    """Nobody at night reads that something went wrong somewhere."""

    assert said in await place.typed(text)


async def test_nobody_who_is_unknown_does_anything(place: Place, incident: str) -> None:
    """Being in the workspace is no permission; what to do about it is said."""
    said = await place.typed(f"ack {incident}", user="U0WHO")

    assert "your id is U0WHO. Ask an administrator to add it to TOCSIN_SLACK_PEOPLE" in said
    assert [] == place.desk.asked


async def test_somebody_is_known_by_their_address(place: Place, incident: str) -> None:
    """An id need not be written down where the address is; what they may do is what everybody may."""
    await place.typed(f"ack {incident}", user="U0BEN")

    assert [("ben", ["viewer"])] == [(fields["by"], fields["roles"]) for _, _, fields in place.desk.asked]


async def test_a_private_incident_is_not_there_for_others(place: Place) -> None:
    """In the chat as everywhere: who is not in it is answered as for one that was never opened."""
    private = str((await place.desk.open({"by": "dana", "title": "A leak", "private": True}))["incident"])

    assert "No such incident" in await place.typed(f"status {private}")
    assert "A leak" not in await place.typed("list")


FORGED: dict[str, dict[str, Any]] = {
    "another secret": {"secret": "guessed"},
    "caught ten minutes ago": {"at": NOW - timedelta(minutes=10)},
    "from the future": {"at": NOW + timedelta(minutes=10)},
    "no signature": {"X-Slack-Signature": ""},
    "an older kind": {"X-Slack-Signature": "v1=" + "0" * 64},
    "no characters of a signature": {"X-Slack-Signature": "v0=\xe9"},
    "no time": {"X-Slack-Request-Timestamp": ""},
    "another time than was signed": {"X-Slack-Request-Timestamp": str(int(NOW.timestamp()) + 1)},
    "no number": {"X-Slack-Request-Timestamp": "²"},
}


@pytest.mark.parametrize("path", [COMMANDS_PATH, ACTIONS_PATH])
@pytest.mark.parametrize("how", FORGED)
async def test_what_is_not_slacks_is_turned_away(place: Place, incident: str, how: str, path: str) -> None:
    """A forged or old request does nothing, whoever it says it is from, and learns nothing of the secret."""
    form = {"user_id": "U0ANA", "text": f"ack {incident}", "trigger_id": "1", "payload": "{}"}
    answer = await place.post(path, form, **FORGED[how])

    assert 401 == answer.status_code
    assert [] == place.desk.asked
    assert SECRET not in answer.text


async def test_a_body_that_was_changed_on_the_way_is_turned_away(place: Place, incident: str) -> None:
    """The signature is over every byte."""
    stamp = str(int(NOW.timestamp()))
    headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signature(SECRET, stamp, b"text=help&user_id=U0ANA")}
    answer = await place.http.post(COMMANDS_PATH, content=f"text=ack {incident}&user_id=U0ANA".encode(), headers=headers)

    assert 401 == answer.status_code


def test_a_signature_is_as_slack_documents_it() -> None:
    """The example of Slack's own documentation."""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
        b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )

    assert "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503" == signature(SECRET, "1531420618", body)


class SlowDesk(FakeDesk):
    """Answers when it is told to."""

    go: asyncio.Event

    async def command(self, incident: str, verb: str, fields: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        await self.go.wait()
        return await super().command(incident, verb, fields, key)


@pytest.mark.parametrize(("hook", "told"), [(HOOK, 1), ("https://evil.example/hook", 0), ("https://hooks.slack.com.evil.example/x", 0)])
async def test_a_desk_that_is_slow_is_acknowledged_and_the_answer_follows(hook: str, told: int) -> None:
    """Slack gives up after three seconds: it hears at once, and the answer follows where Slack says, and nowhere else."""
    desk = await SlowDesk.made()
    assert isinstance(desk, SlowDesk)
    desk.go = asyncio.Event()
    place = Place(desk, within=0.01)
    incident = str((await desk.open({"by": "dana", "title": "Checkout fails", "severity": "SEV2"}))["incident"])
    first = await place.typed(f"ack {incident}", response_url=hook)
    desk.go.set()
    await place.settled()

    assert "On it; the answer follows." == first
    assert [("/commands/T1/2/abc", f"{incident}: done; it is in declaration.\n- ana: acknowledge")] * told == [
        (path, body["text"]) for path, body in place.slack.followed
    ]
    assert 1 == len(desk.asked)


async def test_a_button_does_what_it_says(place: Place, incident: str) -> None:
    """One press acknowledges; what came of it is told to whoever pressed."""
    await place.pressed("acknowledge", incident)

    assert [(incident, "acknowledge", "ana")] == [(id, verb, fields["by"]) for id, verb, fields in place.desk.asked]
    assert [("ephemeral", False)] == [(body["response_type"], body["replace_original"]) for _, body in place.slack.followed]


async def test_a_button_of_a_verb_with_fields_opens_its_form(desk: FakeDesk, incident: str) -> None:
    """The form is the one of the web page; it goes to whoever pressed, by the occasion that Slack gave."""
    desk.states[incident] |= {"checklist": [], "action_items": [], "clocks": [], "dispatches": [], "findings": []}
    place = Place(desk)
    await place.pressed("post_update", incident)
    (opened,) = place.slack.views
    blocks = {block.get("block_id"): block for block in opened["view"]["blocks"]}

    assert ("13.7", "tocsin:post_update", f"{incident} C1") == (
        opened["trigger_id"],
        opened["view"]["callback_id"],
        opened["view"]["private_metadata"],
    )
    assert ["internal", "external"] == [option["value"] for option in blocks["audience"]["element"]["options"]]
    assert (False, True) == (blocks["text"]["optional"], blocks["status"]["optional"])
    assert [] == place.slack.followed


async def test_an_item_is_ticked_from_the_list_of_those_that_are_open(desk: FakeDesk, incident: str) -> None:
    """The form offers what is left to tick; sent, it is the tick."""
    items = [{"item": "page_ic", "text": "Page the commander", "state": "open"}, {"item": "ack", "text": "Acknowledge", "state": "done"}]
    desk.states[incident] |= {"checklist": items, "action_items": [], "clocks": [], "dispatches": [], "findings": []}
    place = Place(desk)
    await place.pressed("check", incident)
    (opened,) = place.slack.views
    blocks = {block.get("block_id"): block for block in opened["view"]["blocks"]}
    await place.filled("check", incident, item={"selected_option": {"value": "page_ic"}}, note={"value": None})

    assert ["page_ic"] == [option["value"] for option in blocks["item"]["element"]["options"]]
    assert [("check", "page_ic")] == [(verb, fields["item"]) for _, verb, fields in desk.asked]


async def test_without_a_token_a_form_is_not_promised(desk: FakeDesk, incident: str) -> None:
    """The door may not speak to Slack: it says what to type instead."""
    place = Place(desk, token=False)
    await place.pressed("note", incident)

    assert [f"Forms need TOCSIN_SLACK_TOKEN at this door. Type it instead: note {incident} …"] == [
        body["text"] for _, body in place.slack.followed
    ]


async def test_a_form_that_is_sent_is_carried_out(place: Place, incident: str) -> None:
    """Under a key of its own, so that a form that is sent twice is one update."""
    answer = await place.filled(
        "post_update", incident, audience={"selected_option": {"value": "internal"}}, text={"value": "Found it."}, status={"value": None}
    )

    ((_, verb, fields),) = place.desk.asked
    assert ("post_update", "internal", "Found it.", "slack:V1:h") == (verb, fields["audience"], fields["text"], fields["key"])
    assert ("update", "done") == (answer["response_action"], answer["view"]["blocks"][0]["text"]["text"].split()[1].rstrip(";"))


async def test_a_form_with_a_mistake_says_so_at_the_field(place: Place, incident: str) -> None:
    """What is wrong stands under what was filled in, and nothing is lost."""
    answer = await place.filled("post_update", incident, audience={"selected_option": {"value": "internal"}}, text={"value": "\u200b"})

    assert "errors" == answer["response_action"]
    assert "text" in answer["errors"]
    assert [] == place.desk.asked


async def test_a_form_that_the_process_refuses_shows_the_refusal(place: Place, incident: str) -> None:
    """The same words as everywhere."""
    place.desk.refuses["note"] = "already-closed"
    answer = await place.filled("note", incident, text={"value": "late"})

    assert f"{incident}: refused (already-closed)." in answer["view"]["blocks"][0]["text"]["text"]


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"type": "block_actions", "user": {"id": "U0ANA"}, "actions": []}',
        '{"type": "block_actions", "user": {"id": "U0ANA"}, "actions": [{"action_id": "other:thing", "value": "x"}]}',
        '{"type": "view_submission", "user": {"id": "U0ANA"}, "view": {"private_metadata": "INC-2026-0001 C1"}}',
        '{"type": "view_submission", "user": null}',
    ],
)
async def test_rubbish_that_is_signed_is_refused(place: Place, payload: str) -> None:
    """Another app's button, or half a form: nothing happens, and nothing breaks."""
    answer = await place.post(ACTIONS_PATH, {"payload": payload})

    assert 422 == answer.status_code
    assert [] == place.desk.asked


async def test_other_events_are_taken_without_a_word(place: Place) -> None:
    """A form that is closed is none of our business."""
    answer = await place.acted({"type": "view_closed"})

    assert (200, b"") == (answer.status_code, answer.content)


async def test_where_slack_is_not_arranged_there_is_no_such_address(desk: FakeDesk) -> None:
    """Without a signing secret nothing could be told from a forgery, so nothing is taken."""
    app = create_app(desk, Door(user="ana", version="0"), Delivered(), rooms=Rooms(desk, no_history))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=HERE) as http:
        answer = await http.post(COMMANDS_PATH, content=b"text=help")

    assert 404 == answer.status_code


async def test_on_one_machine_who_is_at_the_chat_is_known_all_the_same(desk: FakeDesk, incident: str) -> None:
    """Where nobody signs in, the chat's name counts, and not that of who started the server."""
    place = Place(desk, mode="dev")
    await place.typed(f"ack {incident}")

    assert [("ana", "chat")] == [(fields["by"], fields["via"]) for _, _, fields in desk.asked]
