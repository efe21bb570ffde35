"""`tocsin deliveries`, and `tocsin channel`: what they ask and how they say it."""

from __future__ import annotations

from typing import Any

from tests.starter.stub_server import ONE, Reply, Stub, problem
from tests.starter.test_cli import Cli, cli, stub

__all__ = ["cli", "stub"]

PARKED = {
    "key": f"{ONE}:7",
    "port": "chat",
    "action": "post",
    "purpose": "update",
    "state": "parked",
    "at": "2026-11-24T03:00:00Z",
    "to": "incident",
    "says": "We roll back.",
    "error": "connection refused",
}
SENT = {
    "key": f"{ONE}:3",
    "port": "paging",
    "action": "page",
    "purpose": "chat_down",
    "state": "delivered",
    "at": "2026-11-24T02:59:00Z",
    "to": "ana",
    "reference": "Q1",
    "note": "by email, since pagerduty: 503",
    "stands_for": f"{ONE}:2",
}
PAUSE = {
    "port": "chat",
    "by": "ana",
    "reason": "the vendor is out",
    "since": "2026-11-24T03:00:00Z",
    "until": "2026-11-24T04:00:00Z",
    "overdue": True,
}


def _told(**more: Any) -> Reply:
    whole = {"incident": ONE, "delivered": 1, "waiting": [PARKED], "refused": [], "settled": [SENT], "down": {}, "paused": {}}
    return Reply(200, {**whole, **more})


def test_every_delivery_is_listed_with_what_became_of_it(cli: Cli, stub: Stub) -> None:
    """Whether it arrived, under which reference, by which way, and what waits and why; the way forward is said beside."""
    stub.says[f"GET /incidents/{ONE}/deliveries"] = _told()
    ran = cli("deliveries", ONE)
    rows = [line.split("\t") for line in ran.out.splitlines()]

    assert rows[0] == [SENT["key"], "paging", "delivered", "chat_down", "ana", SENT["at"], "Q1", f"for {ONE}:2, {SENT['note']}"]
    assert rows[1][2:5] == ["parked", "update", "incident"]
    assert rows[1][7] == "connection refused"
    assert f"tocsin delivery retry|replace|give-up {ONE} NUMBER" in ran.err


def test_whom_a_delivery_waits_for_is_said(cli: Cli, stub: Stub) -> None:
    """A vendor that wants to be left alone is named with its time, at the delivery and below."""
    waits = {**PARKED, "error": "429", "retry_at": "2026-11-24T03:30:00Z", "waits_for": "Slack"}
    health = {"down_since": "2026-11-24T03:00:00Z", "error": "429", "retry_at": "2026-11-24T03:30:00Z", "vendor": "Slack"}
    stub.says[f"GET /incidents/{ONE}/deliveries"] = _told(waiting=[waits], down={"chat": health})
    ran = cli("deliveries", ONE)

    assert ran.out.splitlines()[1].split("\t")[7] == "waits for Slack until 2026-11-24T03:30:00Z: 429"
    assert "chat waits for Slack until 2026-11-24T03:30:00Z: 429" in ran.err


def test_only_what_has_not_arrived_can_be_asked_for(cli: Cli, stub: Stub) -> None:
    """`--open` leaves out what is settled."""
    stub.says[f"GET /incidents/{ONE}/deliveries"] = _told()

    assert cli("deliveries", ONE, "--open", "-o", "id").out.split() == [PARKED["key"]]


def test_a_channel_is_paused_and_resumed(cli: Cli, stub: Stub) -> None:
    """The port, the reason and the minutes are sent; what the server says is what people read."""
    stub.says["POST /channels/chat/pause"] = Reply(200, {"accepted": True, "text": "ana paused chat", "news": True, "channels": [PAUSE]})
    stub.says["POST /channels/chat/resume"] = Reply(200, {"accepted": True, "text": "chat is not paused", "news": False, "channels": []})
    paused = cli("channel", "pause", "chat", "-m", "the vendor is out", "--minutes", "90")
    resumed = cli("channel", "resume", "chat")

    assert (paused.code, paused.out.strip()) == (0, "ana paused chat")
    assert stub.posted()[0].body == {"by": "ana", "reason": "the vendor is out", "minutes": 90.0}
    assert (resumed.code, resumed.out.strip()) == (0, "already so: chat is not paused")


def test_a_pause_that_is_refused_exits_as_every_refusal(cli: Cli, stub: Stub) -> None:
    """Paging is never told to wait: exit 5, and what to do instead."""
    refusal = {"code": "not-pausable", "message": "paging is never told to wait.", "required_action": "Put another way first."}
    more = {"accepted": False, "refusal": refusal, "channels": []}
    stub.says["POST /channels/paging/pause"] = problem(409, "refused", "No.", **more)
    ran = cli("channel", "pause", "paging", "-m", "quiet please")

    assert ran.code == 5
    assert "Put another way first." in ran.err


def test_what_is_paused_is_listed(cli: Cli, stub: Stub) -> None:
    """A pause whose time is over says so."""
    stub.says["GET /channels"] = Reply(200, {"channels": [PAUSE]})

    assert cli("channel", "list").out.split("\t")[:2] == ["chat", "overdue"]
