# ruff: noqa: SIM300 - the house writes what is expected first
"""Chat on Slack as its published description has it: a channel an incident, nothing told twice, nothing read as a mention."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from html import unescape
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from incident.effects import Delivery, OpenChannel, Port, Post, Receipt
from integrations.chat import slack_api
from integrations.chat.layout import Rooms
from integrations.chat.slack import SCOPES, SlackChat
from integrations.chat.slack_layout import blocks
from integrations.errors import IntegrationError, NotFound, RateLimited, Rejected, Unauthorized, Unavailable
from integrations.http import Unanswered
from integrations.ports import ChannelSeen
from tests.integrations.asks import CHANNEL, INCIDENT, delivery
from tests.integrations.contract import ChatContract, Contract, Stage
from tests.integrations.slack_fake import BOT, FakeSlack, no
from tests.integrations.spec_transport import SpecTransport, description, read
from tests.integrations.wire import Cut, Wire

BASE = "https://slack.com/api"
TOKEN = SecretStr("xoxb-s3cr3t")
SPEC = "slack/web-api-2026-08.openapi3.json"

OPEN = OpenChannel(name=CHANNEL, topic="SEV1: checkout returns 5xx")


class SlackStage(Stage):
    port = Port.CHAT

    def __init__(self, fake: FakeSlack | None = None, **options: Any) -> None:
        self.fake = fake or FakeSlack()
        known = bool(os.environ.get("TOCSIN_SPECS"))
        # Without the description, our stand-in's answers prove the order of calls, and only that.
        self.wire = Wire(SpecTransport(description(SPEC), self.fake.transport, base_url=BASE) if known else self.fake.transport)
        rooms = Rooms(general="#incidents", stakeholders="#incident-stakeholders", link="https://tocsin.example.org")
        self.chat = SlackChat(BASE, token=TOKEN, rooms=rooms, transport=self.wire, **options)

    def call(self, action: str) -> Callable[[Delivery], Awaitable[Receipt]]:
        method: Callable[[Delivery], Awaitable[Receipt]] = getattr(self.chat, action)
        return method

    async def shown(self) -> list[str]:
        topics = [channel["topic"]["value"] for channel in self.fake.channels.values() if channel["creator"] == BOT]
        cards = {ts for _, ts in self.fake.pins}
        told = sorted((each for said in self.fake.messages.values() for each in said if each["ts"] not in cards), key=_when)
        return [unescape(text) for text in (*topics, *(each["text"] for each in told))]

    async def again(self) -> Stage:
        return SlackStage(self.fake)

    async def lose_an_answer(self) -> None:
        self.wire.fail(Cut.AFTER, wanted=_decisive, times=1)

    async def go_down(self, *, retry_after: timedelta | None = None) -> None:
        self.wire.fail(Cut.TOO_MANY, retry_after=None if retry_after is None else int(retry_after.total_seconds()))

    async def refuse(self) -> None:
        self.fake.refuses["conversations.create"] = "invalid_name_specials"

    async def mend(self) -> None:
        self.wire.mend()


def _when(message: dict[str, Any]) -> str:
    return str(message["ts"])


def _decisive(request: httpx2.Request) -> bool:
    """What people see of an effect: the channel's topic, or a message that is not a channel's card."""
    if request.url.path.endswith("chat.postMessage"):
        return not json.loads(request.content)["metadata"]["event_payload"]["key"].endswith("/card")
    return request.url.path.endswith("conversations.setTopic")


class TestSlack(Contract, ChatContract):
    @pytest.fixture
    def stage(self) -> Stage:
        return SlackStage()


@pytest.fixture
def stage() -> SlackStage:
    return SlackStage()


async def test_a_channel_has_its_topic_and_a_pinned_card(stage: SlackStage) -> None:
    """Whoever opens the channel at night sees what it is about before they read."""
    await stage.tell(delivery(OPEN))
    (card,) = stage.fake.said(CHANNEL)

    assert "SEV1: checkout returns 5xx" == card["text"]
    assert [(stage.fake.named(CHANNEL)["id"], card["ts"])] == stage.fake.pins


async def test_the_card_says_what_was_said_last(stage: SlackStage) -> None:
    """One card, edited in place: its line is the newest first line; also by a worker that was started anew."""
    await stage.tell(delivery(OPEN))
    await (await stage.again()).tell(delivery(Post(channel=CHANNEL, text="SEV1 INC-1: Shop. Identified.\n\nmore"), 2))
    card, _ = stage.fake.said(CHANNEL)

    assert ("SEV1 INC-1: Shop. Identified.", True) == (card["text"], card["edited"])
    assert "SEV1 INC-1: Shop. Identified." == card["blocks"][0]["elements"][0]["elements"][0]["text"]


async def test_a_card_that_somebody_has_deleted_keeps_nobody_from_reading_on(stage: SlackStage) -> None:
    """The message is there, and the receipt says what became of the card."""
    await stage.tell(delivery(OPEN))
    stage.fake.said(CHANNEL).clear()
    receipt = await stage.tell(delivery(Post(channel=CHANNEL, text="hello"), 2))

    assert ["hello"] == [message["text"] for message in stage.fake.said(CHANNEL)]
    assert "message_not_found" in receipt.detail["card"]


async def test_those_who_are_always_asked_in_are_but_not_into_a_private_channel() -> None:
    """Whoever is on the list has the channel before them; a private incident is nobody's but its own people's."""
    stage = SlackStage(invite=("U0ANA", "U0BEN"))
    await stage.tell(delivery(OPEN, 1))
    private = await stage.tell(delivery(OPEN.model_copy(update={"private": True}), 2))

    assert [(stage.fake.named(CHANNEL)["id"], "U0ANA,U0BEN")] == stage.fake.invited
    assert stage.fake.channels[private.reference]["is_private"]


async def test_whoever_is_in_the_incident_is_asked_in_once() -> None:
    """Those who are in it when the channel opens, also a private one; those who come later with the next message."""
    stage = SlackStage(people={"ana": "U0ANA", "ben": "U0BEN"})
    opened = await stage.tell(delivery(OPEN.model_copy(update={"private": True, "people": ("ana", "nobody we know")}), 1))
    for number in (2, 3):
        await stage.tell(delivery(Post(channel=CHANNEL, text="hello", people=("ana", "ben")), number))

    assert [(opened.reference, "U0ANA"), (opened.reference, "U0BEN")] == stage.fake.invited


async def test_an_invitation_that_got_no_answer_is_made_again() -> None:
    """A private channel that nobody was asked into is a room without a door: the next try asks, also where all else is done."""
    stage = SlackStage(people={"ana": "U0ANA", "ben": "U0BEN"})
    opening = delivery(OPEN.model_copy(update={"private": True, "people": ("ana",)}), 1)
    post = delivery(Post(channel=CHANNEL, text="hello", people=("ana", "ben")), 2)
    for asking in (opening, post):
        stage.wire.fail(Cut.BEFORE, wanted=lambda request: request.url.path.endswith("conversations.invite"), times=1)
        with pytest.raises(Unavailable):
            await stage.tell(asking)
        await stage.tell(asking)

    assert ["U0ANA", "U0BEN"] == [users for _, users in stage.fake.invited]
    assert ["hello"] == [message["text"] for message in stage.fake.said(CHANNEL)][1:]


async def test_somebody_who_has_left_does_not_keep_the_others_out() -> None:
    """An invitation that Slack refuses is told on the receipt; the channel is open all the same."""
    stage = SlackStage(invite=("U0GONE",))
    stage.fake.refuses["conversations.invite"] = "user_not_found"
    receipt = await stage.tell(delivery(OPEN))

    assert CHANNEL == receipt.channel
    assert "user_not_found" in receipt.detail["invite"]


@pytest.mark.parametrize("creator", ["U0ANA", BOT])
@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
async def test_a_name_that_is_taken_is_left_to_whoever_has_it(stage: SlackStage, creator: str, private: bool) -> None:
    """People's channel, one that we are not shown, or another incident's of ours: each stays as it is."""
    purpose = "Made by Tocsin (tocsin INC-2025-0001:3)" if creator == BOT else ""
    theirs = dict(stage.fake.channel(CHANNEL.removeprefix("#"), creator=creator, private=private, purpose=purpose))
    receipt = await stage.tell(delivery(OPEN))

    assert f"{CHANNEL}-2" == receipt.channel
    assert theirs == stage.fake.channels[theirs["id"]]


async def test_a_channel_that_was_made_a_moment_ago_may_be_another_workers(stage: SlackStage) -> None:
    """Before it is marked, nobody else takes it; if it never is, it is taken over, so that no name is lost to a crash."""
    channel = stage.fake.channel(CHANNEL.removeprefix("#"), creator=BOT)
    with pytest.raises(Unavailable, match="not marked yet"):
        await stage.tell(delivery(OPEN))
    channel["created"] -= 60
    receipt = await stage.tell(delivery(OPEN))

    assert (CHANNEL, channel["id"]) == (receipt.channel, receipt.reference)


STEPS = ("conversations.create", "conversations.setPurpose", "conversations.setTopic", "chat.postMessage", "pins.add")


@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER], ids=["not taken", "answer lost"])
@pytest.mark.parametrize("step", STEPS)
async def test_an_opening_that_broke_off_is_finished(stage: SlackStage, step: str, cut: Cut) -> None:
    """Wherever it stopped, the next try gives one channel with topic, card and pin."""
    stage.wire.fail(cut, wanted=lambda request: request.url.path.endswith(step), times=1)
    with pytest.raises(Unanswered):
        await stage.tell(delivery(OPEN))
    receipt = await stage.tell(delivery(OPEN))

    assert CHANNEL == receipt.channel
    assert ["SEV1: checkout returns 5xx"] == [message["text"] for message in stage.fake.said(CHANNEL)]
    assert 1 == len(stage.fake.pins)
    assert "SEV1: checkout returns 5xx" == stage.fake.named(CHANNEL)["topic"]["value"]


async def test_what_fills_more_than_a_screen_goes_on_in_the_thread(stage: SlackStage) -> None:
    """The channel stays readable; all of it is there, once, also where the line was cut between the pieces."""
    text = "SEV1 INC-1: Shop. Read this.\n" + "\n".join(f"line {number} of the story" for number in range(300))
    stage.wire.fail(Cut.AFTER, wanted=lambda request: b"thread_ts" in request.content, times=1)
    with pytest.raises(Unanswered):
        await stage.tell(delivery(Post(text=text)))
    receipt = await stage.tell(delivery(Post(text=text)))
    first, *rest = stage.fake.said("#incidents")

    assert receipt.repeated
    assert first["text"].endswith("(goes on in the thread)")
    assert {first["ts"]} == {message["thread_ts"] for message in rest}
    assert text == "\n".join([first["text"].removesuffix("\n(goes on in the thread)"), *(message["text"] for message in rest)])


@pytest.mark.parametrize("letter", ["x", "é\n", "\U0001f525", "&"], ids=["plain", "lines", "emoji", "escaped"])
async def test_a_40_kb_message_is_shortened_and_leads_to_the_whole(stage: SlackStage, letter: str) -> None:
    """Four screens of it, the last of which says that it is shortened and where all of it stands."""
    await stage.tell(delivery(Post(text=letter * (40_000 // len(letter)))))
    said = stage.fake.said("#incidents")

    assert 4 == len(said)
    assert 3_000 >= max(len(unescape(message["text"])) for message in said)
    assert said[-1]["text"].endswith("characters in all)\nAll of it: https://tocsin.example.org/incidents/INC-2026-0007")


async def test_nothing_in_foreign_text_is_markup_or_a_mention(stage: SlackStage) -> None:
    """`<!channel>` in an alert is text, in the message as in what a lock screen shows."""
    await stage.tell(delivery(Post(text="SEV1: <!channel> *now* <@U0ANA> & @here\n- [ ] <https://evil.example|ok>")))
    (message,) = stage.fake.said("#incidents")
    head, listed = message["blocks"][0]["elements"]

    assert (
        "SEV1: &lt;\u200b!channel&gt; *now* &lt;\u200b@\u200bU0ANA&gt; &amp; @\u200bhere\n- [ ] &lt;https://evil.example|ok&gt;"
        == message["text"]
    )
    assert [{"type": "text", "text": "SEV1: <\u200b!channel> *now* <\u200b@\u200bU0ANA> & @\u200bhere", "style": {"bold": True}}] == head[
        "elements"
    ]
    assert [{"type": "text", "text": "☐ <https://evil.example|ok>"}] == listed["elements"][0]["elements"]


async def test_the_card_offers_what_is_done_most() -> None:
    """Acknowledging, an update, a tick and a note are a press away, each for the incident of the channel."""
    stage = SlackStage(pressed=True)
    await stage.tell(delivery(OPEN))
    (card,) = stage.fake.said(CHANNEL)

    assert [("acknowledge", INCIDENT), ("post_update", INCIDENT), ("check", INCIDENT), ("note", INCIDENT)] == [
        (button["action_id"].removeprefix("tocsin:"), button["value"]) for button in card["blocks"][-1]["elements"]
    ]


async def test_a_message_that_asks_to_acknowledge_can_be_answered_by_a_press() -> None:
    """Where buttons are wanted, the one that is asked for is under the message, with the incident it is for."""
    stage = SlackStage(pressed=True)
    await stage.tell(delivery(Post(text="SEV1 INC-2026-0007: Shop. acknowledge it: tocsin ack INC-2026-0007.")))
    (message,) = stage.fake.said("#incidents")
    (button,) = message["blocks"][-1]["elements"]

    assert ("tocsin:acknowledge", "INC-2026-0007") == (button["action_id"], button["value"])


def test_a_message_of_one_line_is_that_line() -> None:
    """Nothing is added to a short message."""
    bold = {"type": "text", "text": "degraded", "style": {"bold": True}}

    assert [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [bold]}]}] == blocks("degraded")


async def test_an_archived_channel_is_named(stage: SlackStage) -> None:
    """Final, and said by name, whether it was archived before this process looked or after."""
    await stage.tell(delivery(OPEN))
    stage.fake.named(CHANNEL)["is_archived"] = True
    for number in (2, 3):
        with pytest.raises(NotFound, match=f"archived.*{CHANNEL}|{CHANNEL} is archived"):
            await stage.tell(delivery(Post(channel=CHANNEL, text="hello"), number))


async def test_a_channel_that_was_renamed_is_found(stage: SlackStage) -> None:
    """Somebody gives the channel a better name; the incident goes on in it."""
    await stage.tell(delivery(OPEN))
    channel = stage.fake.named(CHANNEL)
    channel |= {"name": "shop-is-burning", "previous_names": [CHANNEL.removeprefix("#")]}
    await (await stage.again()).tell(delivery(Post(channel=CHANNEL, text="hello"), 2))

    assert "hello" == stage.fake.said("#shop-is-burning")[-1]["text"]


async def test_what_people_did_to_a_channel_is_seen(stage: SlackStage) -> None:
    """Its name, its topic, whether its card is there, and whether it is archived or gone: by its id, whatever it is called."""
    receipt = await stage.tell(delivery(OPEN))
    made = await stage.chat.read_channel(receipt.reference, CHANNEL)

    assert ChannelSeen(state="open", name=CHANNEL, topic="SEV1: checkout returns 5xx", card="there") == made

    channel = stage.fake.named(CHANNEL)
    channel |= {"name": "shop", "topic": {"value": "R&amp;D"}}
    stage.fake.said("#shop").clear()

    assert ChannelSeen(state="open", name="#shop", topic="R&D", card="gone") == await stage.chat.read_channel(receipt.reference, CHANNEL)

    channel["is_archived"] = True

    assert "archived" == (await stage.chat.read_channel(receipt.reference, CHANNEL)).state
    assert "gone" == (await stage.chat.read_channel("C00000404", CHANNEL)).state


async def test_a_revoked_token_is_named_without_it(stage: SlackStage) -> None:
    """Whoever mends it at night reads what is wrong; the token itself is read by nobody."""
    stage.fake.token_revoked = True
    with pytest.raises(Unauthorized) as told:
        await stage.tell(delivery(OPEN))
    found = await stage.chat.check()

    assert not found.ok
    assert "token_revoked" in str(told.value)
    assert TOKEN.get_secret_value() not in f"{told.value} {found}"


async def test_the_doctor_knows_the_app_its_scopes_and_the_channels(stage: SlackStage) -> None:
    """A scope that is missing is named before an incident needs it."""
    stage.fake.scopes = ",".join(SCOPES)
    well = await stage.chat.check()
    stage.fake.scopes = "chat:write"
    narrow = await stage.chat.check()
    stage.fake.scopes = None
    stage.fake.named("#incidents")["is_archived"] = True
    missing = await stage.chat.check()

    assert (True, "tocsin can post in Acme") == (well.ok, well.detail)
    assert "channels:manage" in (narrow.fix or "")
    assert (False, "there is no channel #incidents") == (missing.ok, missing.detail)


async def test_a_missing_scope_is_named(stage: SlackStage) -> None:
    """Slack says which scope it wanted, and so do we."""
    stage.fake.says[("POST", "/conversations.create")] = no("missing_scope", needed="channels:manage", provided="chat:write")
    with pytest.raises(Unauthorized, match="add the scope channels:manage"):
        await stage.tell(delivery(OPEN))


@pytest.mark.parametrize("cut", list(Cut))
@pytest.mark.parametrize("where", ["reading", "writing"])
async def test_no_bad_line_tells_a_channel_twice(stage: SlackStage, cut: Cut, where: str) -> None:
    """However and wherever the line fails, it is one of our errors, and people read it once."""
    stage.wire.fail(cut, wanted=lambda request: (request.method == "GET") == (where == "reading"), times=2)
    for _ in range(2):
        try:
            await stage.tell(delivery(Post(text="SEV1: checkout returns 5xx")))
        except IntegrationError:
            continue
    stage.wire.mend()
    await stage.tell(delivery(Post(text="SEV1: checkout returns 5xx")))

    assert ["SEV1: checkout returns 5xx"] == await stage.shown()


ASKED: dict[str, OpenChannel | Post] = {
    "conversations.create": OPEN,
    "conversations.setPurpose": OPEN,
    "conversations.setTopic": OPEN,
    "pins.add": OPEN,
    "chat.postMessage": Post(text="hello"),
    "conversations.list": Post(text="hello"),
    "conversations.join": Post(text="hello"),
    "conversations.history": Post(text="hello"),
}
PASSED_OVER = {"conversations.create": {"name_taken"}, "pins.add": {"already_pinned", "too_many_pins"}}


@pytest.mark.parametrize("method", ASKED)
async def test_every_documented_error_is_one_of_ours(method: str) -> None:
    """Each word with which Slack may refuse each method comes out as the right kind of error, and names itself."""
    operation = next(iter(read(description(SPEC)).document["paths"][f"/{method}"].values()))
    words = operation["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"][1]["properties"]["error"]["enum"]
    for word in set(words) - PASSED_OVER.get(method, set()):
        stage = SlackStage()
        stage.fake.refuses[method] = word
        with pytest.raises(IntegrationError, match=word) as told:
            await stage.tell(delivery(ASKED[method]))

        assert _kind(word) is type(told.value)


def _kind(word: str) -> type[IntegrationError]:
    for words, kind in (
        (slack_api.UNSURE, Unanswered),
        (slack_api.LATER, Unavailable),
        (slack_api.TOO_MUCH, RateLimited),
        (slack_api.CREDENTIALS, Unauthorized),
        (slack_api.GONE, NotFound),
    ):
        if word in words:
            return kind
    return Rejected


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("token_revoked", Unauthorized),
        ("missing_scope", Unauthorized),
        ("ratelimited", RateLimited),
        ("service_unavailable", Unavailable),
        ("internal_error", Unanswered),
        ("channel_not_found", NotFound),
        ("is_archived", NotFound),
        ("invalid_blocks", Rejected),
        ("a_word_of_next_year", Rejected),
    ],
)
async def test_what_a_word_means(word: str, kind: type[IntegrationError]) -> None:
    """Whether to try again follows from Slack's word, without the published description at hand."""
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json={"ok": False, "error": word}))
    rooms = Rooms(general="#incidents", stakeholders="#incident-stakeholders")
    with pytest.raises(kind) as told:
        await SlackChat(BASE, token=TOKEN, rooms=rooms, transport=transport).post(delivery(Post(text="hello")))

    assert kind is type(told.value)


@pytest.mark.parametrize("body", ["[]", '{"ok": "yes"}', "{}", '"maintenance"'])
async def test_an_answer_that_is_not_slacks_is_no_answer(body: str) -> None:
    """JSON from whatever stands between us and Slack is not taken for its word."""
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, text=body))
    rooms = Rooms(general="#incidents", stakeholders="#incident-stakeholders")
    with pytest.raises(Unanswered, match="not as Slack does"):
        await SlackChat(BASE, token=TOKEN, rooms=rooms, transport=transport).post(delivery(Post(text="hello")))
