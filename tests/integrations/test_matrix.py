# ruff: noqa: SIM300 - the house writes what is expected first
"""Chat on Matrix, against a real homeserver; what a homeserver only says on a bad day comes from a bad line before it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from pydantic import SecretStr

from incident.effects import Delivery, OpenChannel, Port, Post, Receipt
from integrations.chat.layout import Rooms
from integrations.chat.matrix import MatrixChat, message
from integrations.errors import IntegrationError, NotFound, Unauthorized, Unavailable
from integrations.ports import ChannelSeen
from tests.integrations.asks import CHANNEL, delivery
from tests.integrations.contract import ChatContract, Contract, Stage
from tests.integrations.synapse_server import Account, Homeserver
from tests.integrations.wire import Cut, Wire

_numbers = itertools.count(1)

OPEN = OpenChannel(name=CHANNEL, topic="SEV1: checkout returns 5xx")


class MatrixStage(Stage):
    """An account of its own a test; the aliases of its rooms are given back at the end, so that the next one finds them free."""

    port = Port.CHAT

    def __init__(self, homeserver: Homeserver, bot: Account, owner: Account, general: str) -> None:
        self.homeserver, self.bot, self.owner, self.general = homeserver, bot, owner, general
        self.wire = Wire(httpx2.AsyncHTTPTransport())
        self.chat = self.adapter()

    def adapter(self, **options: Any) -> MatrixChat:
        rooms = Rooms(general=self.general, stakeholders=self.general, link="https://tocsin.example.org")
        token = SecretStr(options.pop("token", self.bot.token))
        return MatrixChat(self.homeserver.url, token=token, rooms=rooms, transport=self.wire, **options)

    def call(self, action: str) -> Callable[[Delivery], Awaitable[Receipt]]:
        method: Callable[[Delivery], Awaitable[Receipt]] = getattr(self.chat, action)
        return method

    async def rooms(self) -> list[str]:
        found: list[str] = (await self.homeserver.call(self.bot, "GET", "/joined_rooms"))["joined_rooms"]
        return found

    async def state(self, room: str) -> dict[str, Any]:
        events = await self.homeserver.call(self.bot, "GET", f"/rooms/{quote(room)}/state")
        return {event["type"]: event["content"] for event in events}

    async def messages(self, room: str) -> list[dict[str, Any]]:
        found = await self.homeserver.call(self.bot, "GET", f"/rooms/{quote(room)}/messages", dir="f", limit=100)
        return [event for event in found["chunk"] if event["type"] == "m.room.message"]

    async def shown(self) -> list[str]:
        found: list[tuple[int, str]] = []
        for room in await self.rooms():
            state = await self.state(room)
            if "io.tocsin.incident" in state:
                found.append((0, state["m.room.topic"]["topic"]))
            found += [(event["origin_server_ts"], event["content"]["body"]) for event in await self.messages(room)]
        return [text for _, text in sorted(found)]

    async def again(self) -> Stage:
        return MatrixStage(self.homeserver, self.bot, self.owner, self.general)

    async def lose_an_answer(self) -> None:
        self.wire.fail(Cut.AFTER, wanted=_writes, times=1)

    async def go_down(self, *, retry_after: timedelta | None = None) -> None:
        self.wire.fail(Cut.TOO_MANY, retry_after=None if retry_after is None else int(retry_after.total_seconds()))

    async def refuse(self) -> None:
        self.wire.fail(Cut.REFUSES)

    async def mend(self) -> None:
        self.wire.mend()

    async def tidy(self) -> None:
        for room in await self.rooms():
            for alias in (await self.homeserver.call(self.bot, "GET", f"/rooms/{quote(room)}/aliases"))["aliases"]:
                if alias.startswith(("#incident-2026", "#aaa")):
                    await self.homeserver.call(self.bot, "DELETE", f"/directory/room/{quote(alias)}")


def _writes(request: httpx2.Request) -> bool:
    return request.url.path.endswith("/createRoom") or "/send/" in request.url.path


@pytest.fixture(scope="session")
async def owner(homeserver: Homeserver) -> Account:
    """Whoever has made the rooms that incidents do not."""
    return await homeserver.account("ana")


async def _made(homeserver: Homeserver, owner: Account, alias: str) -> str:
    room = {"room_alias_name": alias.removeprefix("#"), "preset": "public_chat"}
    found: str = (await homeserver.call(owner, "POST", "/createRoom", room))["room_id"]
    return found


@pytest.fixture
async def stage(homeserver: Homeserver, owner: Account) -> AsyncIterator[MatrixStage]:
    number = next(_numbers)
    await _made(homeserver, owner, f"#general-{number}")
    stage = MatrixStage(homeserver, await homeserver.account(f"tocsin-{number}"), owner, f"#general-{number}")
    yield stage
    await stage.tidy()


class TestMatrix(Contract, ChatContract):
    """A real one."""

    @pytest.fixture
    def stage(self, stage: MatrixStage) -> Stage:
        return stage


async def test_a_room_is_named_by_the_contract_and_says_what_it_is_about(stage: MatrixStage) -> None:
    """People find the room by the incident's channel name, and read its topic; it is not among the rooms that strangers are shown."""
    receipt = await stage.tell(delivery(OPEN))
    found = await stage.homeserver.call(stage.owner, "GET", f"/directory/room/{quote(f'{CHANNEL}:tocsin.test')}")
    state = await stage.state(receipt.reference)

    assert receipt.reference == found["room_id"]
    assert {"topic": "SEV1: checkout returns 5xx"} == {"topic": state["m.room.topic"]["topic"]}
    assert {"incident": "INC-2026-0007", "key": "INC-2026-0007:1"} == state["io.tocsin.incident"]


async def test_those_who_are_always_asked_in_are_but_not_into_a_private_room(stage: MatrixStage) -> None:
    """Whoever is on the list has the room before them; a private incident is nobody's but its own people's."""
    chat = stage.adapter(invite=[stage.owner.id])
    open_to_all = await chat.open_channel(delivery(OPEN, 1))
    private = await chat.open_channel(delivery(OPEN.model_copy(update={"private": True}), 2))
    seen = await stage.homeserver.call(stage.owner, "GET", "/sync", timeout=0)

    assert [open_to_all.reference] == [room for room in seen["rooms"]["invite"] if room in (open_to_all.reference, private.reference)]
    assert "invite" == (await stage.state(private.reference))["m.room.join_rules"]["join_rule"]


async def test_whoever_is_in_the_incident_is_asked_in(stage: MatrixStage) -> None:
    """Those who are in it when the room opens, also a private one; those who come later with the next message.

    Again is no error, and who can't be asked in is told on the receipt.
    """
    late, banned = [await stage.homeserver.account(f"{name}-{next(_numbers)}") for name in ("late", "banned")]
    people = {"ana": stage.owner.id, "late": late.id, "banned": banned.id}
    opened = await stage.adapter(people=people).open_channel(delivery(OPEN.model_copy(update={"private": True, "people": ("ana",)}), 1))
    room = f"/rooms/{quote(opened.reference)}"
    await stage.homeserver.call(stage.bot, "POST", f"{room}/ban", {"user_id": banned.id})
    receipts = []
    for number in (2, 3):
        post = Post(channel=CHANNEL, text="hello", people=("ana", "late", "nobody we know", "banned"))
        receipts.append(await stage.adapter(people=people).post(delivery(post, number)))
        await stage.homeserver.call(late, "POST", f"/join/{quote(opened.reference)}", {})
    members = await stage.homeserver.call(stage.bot, "GET", f"{room}/members")
    membership = {event["state_key"]: event["content"]["membership"] for event in members["chunk"]}

    assert ["invite", "join", "ban"] == [membership[account.id] for account in (stage.owner, late, banned)]
    assert [banned.id] * 2 == [receipt.detail["invite"].partition(": ")[0] for receipt in receipts]


async def test_a_name_that_people_have_taken_is_left_to_them(stage: MatrixStage) -> None:
    """A room of the same name that is none of ours stays as it is, whether or not we are let in."""
    theirs = await _made(stage.homeserver, stage.owner, "#incident-2026-03-04-theirs")
    receipt = await stage.tell(delivery(OpenChannel(name="#incident-2026-03-04-theirs", topic="ours")))
    await stage.homeserver.call(stage.owner, "DELETE", f"/directory/room/{quote('#incident-2026-03-04-theirs:tocsin.test')}")

    assert "#incident-2026-03-04-theirs-2" == receipt.channel
    assert theirs != receipt.reference


async def test_a_message_begins_with_what_counts_and_rings_for_nobody() -> None:
    """The first line is the bold one; markup in foreign text is text, and no name in it is a mention."""
    content = message("SEV1 INC-1: <b>Shop</b>. Acknowledge it.\n\n**Owner:** ana & co\n- [ ] rates\n- rows")

    assert (
        "<strong>SEV1 INC-1: &lt;b&gt;Shop&lt;/b&gt;. Acknowledge it.</strong>"
        "<p><strong>Owner:</strong> ana &amp; co</p><ul><li>☐ rates</li><li>rows</li></ul>"
    ) == content["formatted_body"]
    assert {} == content["m.mentions"]


async def test_mentions_in_foreign_text_are_broken(stage: MatrixStage) -> None:
    """Text from an alert calls neither the room nor a person."""
    await stage.tell(delivery(Post(text="alert says @room and @ana:tocsin.test")))
    (content,) = [event["content"] for room in await stage.rooms() for event in await stage.messages(room)]

    assert "alert says @\u200broom and @\u200bana:tocsin.test" == content["body"]
    assert {} == content["m.mentions"]


@pytest.mark.parametrize("letter", ["x", "é", "\U0001f525", '"', "\x01"], ids=["plain", "accent", "emoji", "quote", "control"])
async def test_a_40_kb_message_is_shortened_and_leads_to_the_whole(stage: MatrixStage, letter: str) -> None:
    """Whatever it is made of, it fits an event, says that it is shortened, and where all of it stands."""
    await stage.tell(delivery(Post(text=letter * 40_000)))
    (body,) = await stage.shown()

    assert 4_000 == len(body)
    assert body.endswith("… (shortened; 40,000 characters in all)\nAll of it: https://tocsin.example.org/incidents/INC-2026-0007")


async def test_a_room_that_is_gone_is_named(stage: MatrixStage) -> None:
    """A channel that was deleted, or never was: final, and said by name, so that the incident pages somebody instead."""
    with pytest.raises(NotFound, match="#incident-2026-03-04-gone"):
        await stage.tell(delivery(Post(channel="#incident-2026-03-04-gone", text="hello")))


async def test_a_room_that_we_were_put_out_of_is_named(stage: MatrixStage) -> None:
    """Somebody has banned the account: the error says so, and a worker that was let in again finds its way."""
    room = await _made(stage.homeserver, stage.owner, "#incident-2026-03-04-banned")
    one = delivery(Post(channel="#incident-2026-03-04-banned", text="hello"))
    await stage.tell(one)
    await stage.homeserver.call(stage.owner, "POST", f"/rooms/{quote(room)}/ban", {"user_id": stage.bot.id})
    with pytest.raises(Unauthorized):
        await stage.tell(delivery(Post(channel="#incident-2026-03-04-banned", text="again"), 2))
    await stage.homeserver.call(stage.owner, "POST", f"/rooms/{quote(room)}/unban", {"user_id": stage.bot.id})
    receipt = await stage.tell(delivery(Post(channel="#incident-2026-03-04-banned", text="again"), 2))
    await stage.homeserver.call(stage.owner, "DELETE", f"/directory/room/{quote('#incident-2026-03-04-banned:tocsin.test')}")

    assert not receipt.repeated


async def test_what_people_did_to_a_room_is_seen(stage: MatrixStage) -> None:
    """Its name and topic, an alias that was taken away, a room that was given up, and one that we were put out of."""
    receipt = await stage.tell(delivery(OPEN))
    room = receipt.reference

    assert ChannelSeen(state="open", name=CHANNEL, topic="SEV1: checkout returns 5xx") == await stage.chat.read_channel(room, CHANNEL)

    path = f"/rooms/{quote(room)}/state"
    await stage.homeserver.call(stage.bot, "PUT", f"{path}/m.room.topic/", {"topic": "lunch at noon"})
    await stage.homeserver.call(stage.bot, "DELETE", f"/directory/room/{quote(f'{CHANNEL}:tocsin.test')}")
    seen = await stage.chat.read_channel(room, CHANNEL)

    assert ("open", "lunch at noon") == (seen.state, seen.topic)
    assert f"{CHANNEL}, to which {CHANNEL} does not lead" == seen.name

    await stage.homeserver.call(
        stage.bot, "PUT", f"{path}/m.room.tombstone/", {"body": "moved", "replacement_room": "!elsewhere:tocsin.test"}
    )

    assert "archived" == (await stage.chat.read_channel(room, CHANNEL)).state

    await stage.homeserver.call(stage.bot, "POST", f"/rooms/{quote(room)}/leave", {})
    await stage.homeserver.call(stage.bot, "POST", f"/rooms/{quote(room)}/forget", {})

    assert "gone" == (await stage.chat.read_channel(room, CHANNEL)).state


async def test_a_revoked_token_is_named_without_it(stage: MatrixStage) -> None:
    """Whoever mends it at night reads what is wrong; the token itself is read by nobody."""
    chat = stage.adapter(token="revoked-t0ken")
    with pytest.raises(Unauthorized) as told:
        await chat.post(delivery(Post(text="hello")))
    found = await chat.check()

    assert not found.ok
    assert "M_UNKNOWN_TOKEN" in str(told.value)
    assert "TOCSIN_MATRIX_TOKEN" in (found.fix or "")
    assert "revoked-t0ken" not in f"{told.value} {found}"


async def test_the_doctor_knows_the_account_and_the_rooms(stage: MatrixStage) -> None:
    """One harmless call each: who we are, and whether the rooms that messages go to are there."""
    well = await stage.chat.check()
    stage.general = "#nowhere"
    ill = await stage.adapter().check()

    assert (True, f"{stage.bot.id} can post") == (well.ok, well.detail)
    assert (False, "there is no room #nowhere") == (ill.ok, ill.detail.partition(",")[0])


async def test_a_limit_is_waited_for_as_the_homeserver_says() -> None:
    """M_LIMIT_EXCEEDED says in milliseconds when to come back, as homeservers without the header do."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(429, json={"errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests", "retry_after_ms": 2500})

    rooms = Rooms(general="#incidents", stakeholders="#stakeholders")
    chat = MatrixChat("http://127.0.0.1:1", token=SecretStr("syt_secret"), rooms=rooms, transport=httpx2.MockTransport(answer))
    with pytest.raises(Unavailable) as told:
        await chat.post(delivery(Post(text="hello")))

    assert timedelta(milliseconds=2500) == told.value.retry_after


@pytest.mark.parametrize("cut", list(Cut))
async def test_no_bad_line_tells_a_room_twice(stage: MatrixStage, cut: Cut) -> None:
    """However the line fails, it is one of our errors, and people read it once."""
    one = delivery(Post(text="SEV1: checkout returns 5xx"))
    stage.wire.fail(cut, wanted=_writes, times=2)
    for _ in range(2):
        try:
            await stage.tell(one)
        except IntegrationError:
            continue
    stage.wire.mend()
    await stage.tell(one)

    assert ["SEV1: checkout returns 5xx"] == await stage.shown()
