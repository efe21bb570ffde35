# ruff: noqa: SIM300 - the house writes what is expected first
"""Matrix's door, against a real homeserver: heard at least once, carried out once, answered to the one who asked alone."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from pydantic import SecretStr

from incident.effects import OpenChannel, Post, Receipt
from incident.vocabulary import Access
from integrations.chat.layout import Rooms
from integrations.chat.matrix import MatrixChat
from integrations.chat.positions import Positions
from integrations.errors import Unavailable
from integrations.ledger import Ledger
from starter.chatops.matrix import MatrixDesk, MatrixDoor
from starter.chatops.people import Known
from starter.identity.arrangement import Arrangement
from tests.integrations.asks import delivery
from tests.integrations.synapse_server import Account, Homeserver
from tests.integrations.wire import Cut, Wire
from tests.starter.desks import FakeDesk

_numbers = itertools.count(1)

ROLES = {"sre": frozenset({Access.RESPONDER}), "guests": frozenset[Access](), "*": frozenset({Access.VIEWER})}


class Place:
    """A homeserver, an incident with its room, four people, and doors that listen for Tocsin's account."""

    def __init__(self, homeserver: Homeserver, desk: FakeDesk, folder: Path) -> None:
        self.homeserver, self.desk = homeserver, desk
        self.wire = Wire(httpx2.AsyncHTTPTransport())
        self.positions = Positions(Ledger(folder / "embedded.db"))
        self.later = timedelta(0)
        self.people: dict[str, Account] = {}

    async def settle_in(self) -> None:
        number = next(_numbers)
        for name in ("tocsin", "ana", "ben", "eve", "mallory"):
            self.people[name] = await self.homeserver.account(f"{name}-door-{number}")
        self.chat = MatrixChat(
            self.homeserver.url,
            token=SecretStr(self.people["tocsin"].token),
            rooms=Rooms(general=f"#door-{number}", stakeholders=f"#door-{number}"),
            people={name: account.id for name, account in self.people.items()},
        )
        self.incident = str((await self.desk.open({"by": "dana", "title": "Checkout fails", "severity": "SEV2"}))["incident"])
        opened = await self.posted(OpenChannel(name=f"#incident-2026-11-24-door-{number}", topic="checkout"), 1)
        self.desk.states[self.incident]["channel"] = opened.channel
        self.room = opened.reference
        self.channel = str(opened.channel)
        for name in ("ana", "ben", "eve", "mallory"):
            await self.join(name, self.room)
        self.door = self.made()
        await self.door.turn()

    async def posted(self, ask: OpenChannel | Post, number: int) -> Receipt:
        told = delivery(ask, number, incident=self.incident)
        return await (self.chat.open_channel(told) if isinstance(ask, OpenChannel) else self.chat.post(told))

    async def page(self, text: str, number: int) -> str:
        return (await self.posted(Post(room="incident", channel=self.channel, text=text), number)).reference

    def made(self) -> MatrixDesk:
        """A door; another one is what a restart leaves, since all that is kept is in the database."""
        known = {
            self.people["ana"].id: Known("ana", ("sre",)),
            self.people["ben"].id: Known("ben", ("sre",)),
            self.people["eve"].id: Known("eve", ("guests",)),
        }
        token = SecretStr(self.people["tocsin"].token)
        door = MatrixDoor(self.homeserver.url, token, known, transport=self.wire, now=lambda: datetime.now(UTC) + self.later)
        return MatrixDesk(self.desk, door, Arrangement(mode="proxy", roles=ROLES), None, self.positions)

    async def join(self, name: str, room: str) -> None:
        await self.homeserver.call(self.people[name], "POST", f"/join/{quote(room)}", {})

    async def say(self, name: str, body: str, content: dict[str, Any] | None = None, *, room: str = "") -> str:
        path = f"/rooms/{quote(room or self.room)}/send/m.room.message/{next(_numbers)}"
        sent = await self.homeserver.call(self.people[name], "PUT", path, {"msgtype": "m.text", "body": body} | (content or {}))
        return str(sent["event_id"])

    async def react(self, name: str, event: str, emoji: str) -> None:
        path = f"/rooms/{quote(self.room)}/send/m.reaction/{next(_numbers)}"
        content = {"m.relates_to": {"rel_type": "m.annotation", "event_id": event, "key": emoji}}
        await self.homeserver.call(self.people[name], "PUT", path, content)

    async def told(self, name: str) -> list[dict[str, Any]]:
        """What this person alone has been told: the messages of the rooms into which only they were asked."""
        account = self.people[name]
        found = []
        seen = await self.homeserver.call(account, "GET", "/sync", timeout=0)
        for room in seen["rooms"].get("invite", {}):
            await self.homeserver.call(account, "POST", f"/join/{quote(room)}", {})
        for room in (await self.homeserver.call(account, "GET", "/joined_rooms"))["joined_rooms"]:
            members = await self.homeserver.call(account, "GET", f"/rooms/{quote(room)}/joined_members")
            if set(members["joined"]) == {account.id, self.people["tocsin"].id}:
                found += await self.messages(room, account)
        return found

    async def messages(self, room: str, account: Account) -> list[dict[str, Any]]:
        found = await self.homeserver.call(account, "GET", f"/rooms/{quote(room)}/messages", dir="f", limit=100)
        return [e["content"] for e in found["chunk"] if e["type"] == "m.room.message" and e["sender"] == self.people["tocsin"].id]

    async def marks(self) -> list[tuple[str, str]]:
        """The reactions of ours in the incident's room, each with the event that it is on."""
        found = await self.homeserver.call(self.people["ana"], "GET", f"/rooms/{quote(self.room)}/messages", dir="f", limit=100)
        ours = [
            e["content"]["m.relates_to"] for e in found["chunk"] if e["type"] == "m.reaction" and e["sender"] == self.people["tocsin"].id
        ]
        return [(each["event_id"], each["key"]) for each in ours]

    @property
    def carried_out(self) -> list[tuple[str, str, str]]:
        """Each command once, however often it was asked under its key: who, what, and where."""
        found = {asked["key"]: (asked["by"], verb, incident) for incident, verb, asked in self.desk.asked}
        return list(found.values())


@pytest.fixture
async def place(homeserver: Homeserver, tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(homeserver, await FakeDesk.made(), tmp_path)
    await place.settle_in()
    yield place
    await place.chat.close()
    for name in ("ana", "tocsin"):
        alias = quote(f"{place.channel}:tocsin.test", safe="")
        await httpx2.AsyncClient(base_url=homeserver.url).delete(
            f"/_matrix/client/v3/directory/room/{alias}", headers={"Authorization": f"Bearer {place.people[name].token}"}
        )


async def test_what_is_typed_in_an_incidents_room_is_carried_out_in_that_persons_name(place: Place) -> None:
    """In the incident's own room its id may be left out; the record says who it was, and that it came through the chat."""
    event = await place.say("ana", "!tocsin ack")
    await place.door.turn()

    fields = {"by": "ana", "roles": ["responder", "viewer"], "via": "chat", "key": f"matrix:{event}"}
    assert [(place.incident, "acknowledge", fields)] == place.desk.asked
    assert [(event, "✅")] == await place.marks()


async def test_a_refusal_is_told_to_the_one_who_asked_alone(place: Place) -> None:
    """The process's no, with the way forward, stands in a room where only that person is; the incident's room shows no word of it."""
    place.desk.refuses["resolve"] = "symptom-not-resolved"
    event = await place.say("ana", f'!tocsin resolve {place.incident} --root-cause "a bad deploy" --fix-applied "rolled back"')
    await place.door.turn()
    told = await place.told("ana")

    assert [True] == [f"{place.incident}: refused (symptom-not-resolved)" in each["body"] for each in told]
    assert [] == await place.messages(place.room, place.people["ben"])
    assert [] == await place.told("ben")
    assert [(event, "✉️")] == await place.marks()
    assert ["m.text"] == [each["msgtype"] for each in told]


async def test_an_incident_is_declared_from_any_room(place: Place) -> None:
    """Whoever sees it first types it in the room where they are, and is told the new incident's id without a sound."""
    lobby = (await place.homeserver.call(place.people["ana"], "POST", "/createRoom", {"invite": [place.people["tocsin"].id]}))["room_id"]
    await place.door.turn()
    await place.say("ana", "!tocsin declare Search is slow --sev 2", room=lobby)
    await place.door.turn()
    told = await place.told("ana")

    assert ["INC-2026-0001", "INC-2026-0002"] == list(place.desk.states)
    assert [("m.notice", "Opened INC-2026-0002: Search is slow (SEV2).")] == [(each["msgtype"], each["body"]) for each in told]


async def test_nobody_acts_whom_tocsin_does_not_know(place: Place) -> None:
    """Whoever is in the room and in no setting is told so, alone; what they typed and what they press does nothing."""
    page = await place.page(f"Acknowledge now: tocsin ack {place.incident}", 2)
    await place.say("mallory", "!tocsin ack")
    await place.react("mallory", page, "👀")
    await place.door.turn()

    assert [] == place.desk.asked
    assert {
        f"Not permitted. Tocsin does not know who you are here: your id is {place.people['mallory'].id}. "
        "Ask an administrator to add it to TOCSIN_MATRIX_PEOPLE."
    } == {each["body"] for each in await place.told("mallory")}


async def test_the_roles_are_those_that_the_directory_gives(place: Place) -> None:
    """What somebody may do follows from their groups here, as at every other door, and the core holds them to it."""
    await place.say("eve", "!tocsin ack")
    await place.door.turn()

    assert [("eve", ["viewer"])] == [(asked["by"], asked["roles"]) for _, _, asked in place.desk.asked]


@pytest.mark.parametrize("emoji", ["👀", "✅", "👀\ufe0f"])
async def test_an_eye_on_a_message_that_asks_for_it_acknowledges(place: Place, emoji: str) -> None:
    """At 3 a.m. a thumb is enough, on what asks for an acknowledgement; on anything else, an eye is an eye."""
    asks = await place.page(f"Acknowledge now: tocsin ack {place.incident}", 2)
    tells = await place.page("SEV2: an update", 3)
    misled = await place.page("SEV2: tocsin ack INC-2026-0999. An update", 4)
    forged = await place.say("mallory", f"tocsin ack {place.incident}")
    for event in (tells, forged, misled, asks):
        await place.react("ana", event, emoji)
    await place.react("ben", asks, "🎉")
    await place.door.turn()

    assert [("ana", "acknowledge", place.incident)] == place.carried_out


async def test_a_restart_in_the_middle_neither_loses_nor_doubles(place: Place) -> None:
    """A door that dies once the command is carried out and before it is answered: the next one hears it again, asks under
    the same key, and the answer stands there once."""
    await place.say("ana", "!tocsin ack")
    place.wire.fail(Cut.BEFORE, wanted=lambda request: request.method in ("POST", "PUT"))
    with pytest.raises(Unavailable):
        await place.door.turn()
    place.wire.mend()
    for door in (place.made(), place.made()):
        await door.turn()

    assert 2 == len(place.desk.asked)
    assert [("ana", "acknowledge", place.incident)] == place.carried_out
    assert 1 == len(await place.told("ana"))
    assert 1 == len(await place.marks())


async def test_an_answer_that_was_lost_is_not_told_twice(place: Place) -> None:
    """The homeserver takes the answer and its own word on that is lost: it is said again under the same id, which shows it once."""
    await place.say("ana", "!tocsin note checked the database")
    place.wire.fail(Cut.AFTER, wanted=lambda request: "/send/m.room.message/" in str(request.url), times=1)
    with pytest.raises(Unavailable):
        await place.door.turn()
    await place.made().turn()

    assert 1 == len(await place.told("ana"))
    assert [("ana", "note", place.incident)] == place.carried_out


async def test_a_mistake_of_ours_is_owned_up_to_and_the_next_word_is_heard(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asked does not take silence for done, and nobody after them waits."""

    async def mistaken(*_: object, **__: object) -> None:
        raise OverflowError("date value out of range")

    with monkeypatch.context() as broken:
        broken.setattr(place.desk, "command", mistaken)
        await place.say("ana", "!tocsin note checked the database")
        await place.door.turn()
    told = [each["body"] for each in await place.told("ana")]
    await place.say("ana", "!tocsin note checked it again")
    await place.door.turn()

    assert ["See in the incident whether this was done" in text for text in told] == [True]
    assert [("ana", "note", place.incident)] == place.carried_out


async def test_more_than_one_answer_holds_is_heard_all_the_same(place: Place) -> None:
    """After a while of not listening, the homeserver cuts its answer short; what it leaves out is fetched, and heard in order."""
    await place.say("ana", "!tocsin note the first")
    for number in range(60):
        await place.say("ben", f"talk {number}")
    await place.say("ana", "!tocsin note the last")
    await place.door.turn()

    assert ["the first", "the last"] == [asked["text"] for _, _, asked in place.desk.asked]


async def test_what_is_read_much_too_late_is_not_carried_out(place: Place) -> None:
    """A command that waited for a quarter of an hour may be the wrong thing by now: its author is asked again."""
    place.later = timedelta(minutes=16)
    await place.say("ana", "!tocsin ack")
    await place.door.turn()

    assert [] == place.desk.asked
    assert ["Tocsin reads this 16 minutes late and carries nothing out so late. Type it again if it holds: !tocsin ack"] == [
        each["body"] for each in await place.told("ana")
    ]


async def test_an_edit_a_notice_and_a_quotation_are_no_commands(place: Place) -> None:
    """Only what somebody types themselves is one: not a message that is edited into one, not a machine's, not one that is quoted."""
    first = await place.say("ana", "tocsin is down?")
    replaces = {"rel_type": "m.replace", "event_id": first}
    await place.say("ana", "!tocsin ack", {"m.relates_to": replaces, "m.new_content": {"msgtype": "m.text", "body": "!tocsin ack"}})
    await place.say("ana", "!tocsin ack", {"msgtype": "m.notice"})
    await place.say("ana", "> <@ben> !tocsin ack\n\nwhat did that do?", {"m.relates_to": {"m.in_reply_to": {"event_id": first}}})
    await place.say("ana", "!tocsinate ack")
    await place.door.turn()

    assert [] == place.desk.asked


async def test_what_is_told_rings_for_nobody_else(place: Place) -> None:
    """A title that names a room or a person is text in an answer, too."""
    place.desk.states[place.incident]["title"] = "@room @ana:tocsin.test <b>now</b>"
    await place.say("ana", "!tocsin status")
    await place.door.turn()
    told = (await place.told("ana"))[0]

    assert {} == told["m.mentions"]
    assert "@room" not in told["body"]
    assert "<b>" not in told["formatted_body"]


async def test_an_encrypted_room_is_declined_with_a_word(place: Place) -> None:
    """Tocsin can't read what is encrypted; whoever asks it in is told where they can write instead."""
    encrypted = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
    room = {"invite": [place.people["tocsin"].id], "is_direct": True, "initial_state": [encrypted]}
    made = (await place.homeserver.call(place.people["ana"], "POST", "/createRoom", room))["room_id"]
    await place.door.turn()
    joined = (await place.homeserver.call(place.people["tocsin"], "GET", "/joined_rooms"))["joined_rooms"]

    assert made not in joined
    assert ["Tocsin can't read encrypted rooms. Write here instead, like: !tocsin help"] == [e["body"] for e in await place.told("ana")]


async def test_a_place_that_the_homeserver_has_forgotten_is_taken_anew(place: Place) -> None:
    """A homeserver that was set up anew knows no old token: the door listens from now on, and does not give up."""
    await place.positions.keep(f"matrix {place.people['tocsin'].id}", "rubbish")
    for _ in range(2):
        await place.door.turn()
    await place.say("ana", "!tocsin ack")
    await place.door.turn()

    assert [("ana", "acknowledge", place.incident)] == place.carried_out


async def test_the_doctor_says_how_listening_goes(place: Place) -> None:
    """A token that was taken back is a sentence in the doctor's report, without the token, and what to do about it."""
    place.wire.fail(Cut.BEFORE)
    with suppress(TimeoutError):
        async with asyncio.timeout(1):
            await place.door.listen()
    found = await place.door.look()

    assert not found.ok
    assert place.people["tocsin"].token not in str(found)
    assert "TOCSIN_MATRIX_TOKEN" in str(found.fix)
