"""The drill where people sign in: it plays as the owner of a token, says exactly what is missing, and touches no machine but its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from starter import drill
from starter.drill_script import STEPS, Drill, NotLetIn

HERE = "https://tocsin.example.org"
LEA = {"name": "lea", "roles": ["commander"], "signed_in": True}
YOU = {"name": "tocsin", "roles": ["viewer", "commander"], "signed_in": False}


class Server:
    """A door that answers as it is told, and keeps what it was asked."""

    def __init__(self, me: dict[str, Any], status: int = 200, embedded: int = 200) -> None:
        self.me, self.status, self.embedded = me, status, embedded
        self.asked: list[tuple[str, dict[str, str], Any]] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content) if request.content else None
        self.asked.append((request.url.path, dict(request.headers), body))
        if request.url.path.endswith("/whoami"):
            return httpx2.Response(self.status, json=self.me)
        if "/embedded/" in request.url.path:
            return httpx2.Response(self.embedded, json=[])
        if request.url.path.endswith("/incidents"):
            return httpx2.Response(201, json={"incident": "INC-2026-0001"})
        return httpx2.Response(200, json={"accepted": True, "alerts": [{"firing": True}]})

    def played(self, **more: Any) -> Drill:
        self.said: list[str] = []
        asked = {"url": HERE, "data": None, "say": self.said.append, "pause": lambda: None, "token": "tocsin_x", **more}
        return Drill(**asked, transport=httpx2.MockTransport(self))


def test_nobody_signed_in_is_told_where_to_make_a_token() -> None:
    """The way in stands in the answer: the page, the role, the variable; and scripts see it by the exit code."""
    with pytest.raises(NotLetIn) as caught:
        Server({"detail": "Nobody is signed in."}, 401).played().introduce()

    assert caught.value.exit_code == 4
    assert all(part in str(caught.value) for part in (f"{HERE}/login/tokens", "role commander", "export TOCSIN_TOKEN="))


def test_a_token_that_may_too_little_is_told_before_anything_begins() -> None:
    """Half a drill would leave an incident that its player can't close."""
    server = Server({**LEA, "roles": ["responder"]})
    with pytest.raises(NotLetIn) as caught:
        server.played().introduce()

    assert caught.value.exit_code == 5
    assert "role admin or commander, and lea's token has responder" in str(caught.value)
    assert [path for path, _, _ in server.asked] == ["/api/v1/whoami"]


def test_with_a_token_nothing_says_who_acts() -> None:
    """The server knows; a body that said it would be refused."""
    server = Server(LEA)
    played = server.played()
    played.introduce()
    played.id = "INC-2026-0001"
    played.does("approve", "approve …", by="reviewer", note="reviewed")
    path, headers, body = server.asked[-1]

    assert (played.player, played.colleague) == ("lea", "a colleague")
    assert (path, body) == ("/api/v1/incidents/INC-2026-0001/approve", {"note": "reviewed"})
    assert headers["authorization"] == "Bearer tocsin_x"


def test_without_a_sign_in_the_body_says_who_acts() -> None:
    """On one machine a drill has a second person approve."""
    server = Server(YOU)
    played = server.played(token=None)
    played.introduce()
    played.id = "INC-2026-0001"
    played.does("approve", "approve …", by="reviewer", note="reviewed")
    _, headers, body = server.asked[-1]

    assert body == {"by": "reviewer", "note": "reviewed"}
    assert "authorization" not in headers


def test_who_can_not_speak_as_monitoring_reports_and_hands_over_the_alert() -> None:
    """A personal token opens no webhook; the incident is a drill all the same, and its alert is in it."""
    server = Server(LEA)
    played = server.played()
    played.introduce()
    STEPS[0][1](played)
    opened = next(body for path, _, body in server.asked if path == "/api/v1/incidents")
    handed = [body for path, _, body in server.asked if path.endswith("/alert")]

    assert (opened["drill"], "by" in opened) == (True, False)
    assert [alerts[0]["status"] for alerts in handed] == ["firing", "firing"]
    assert not [path for path, _, _ in server.asked if path.startswith("/webhooks")]


def test_with_monitoring_s_own_token_the_webhook_takes_the_alert() -> None:
    """It is sent to the webhook alone."""
    server = Server(LEA)
    played = server.played(webhook_token="for the alerts")
    played.introduce()
    played.posts_alert("firing")
    path, headers, _ = server.asked[-1]

    assert (path, headers["authorization"]) == ("/webhooks/alertmanager", "Bearer for the alerts")


def test_a_worker_on_another_machine_is_left_alone() -> None:
    """The step says what to do there, and the drill goes on."""
    server = Server(LEA)
    played = server.played()
    dict(STEPS)["kill the worker"](played)

    assert "on another machine" in server.said[0]
    assert server.asked == []


def test_what_is_embedded_nowhere_is_not_looked_for() -> None:
    """An installation that tells other systems has no read-back; the drill plays there, too."""
    server = Server(LEA, embedded=404)
    played = server.played()
    played.introduce()

    assert played.embedded("pages") == []


def test_a_secret_crosses_no_network_in_the_clear(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither token is sent over plain HTTP to another machine."""
    monkeypatch.setenv("TOCSIN_TOKEN", "tocsin_secret")
    monkeypatch.setattr(drill, "_ready", lambda _: True)
    code = drill.main(["--auto", "--url", "http://tocsin.example.org", "--data", str(tmp_path)])

    assert code == 2
    assert "in the clear" in capsys.readouterr().err
