"""The entrance: who comes in, who is asked in, who is turned away, and how each is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from incident.vocabulary import Access
from starter.identity import places
from starter.identity.actor import acting
from tests.starter.identity.doors import PAGE, Place, behind_a_proxy, place
from tests.starter.test_serve import ONE_ALERT


@pytest.mark.parametrize("path", ["/healthz", "/login", "/status", "/status/api/v2/summary.json", "/static/x/tocsin.css"])
async def test_what_is_for_everybody_needs_no_sign_in(proxied: Place, path: str) -> None:
    """Signs of life, the sign-in, the public page and what it is made of are not behind the entrance."""
    async with proxied.client() as anybody:
        answer = await anybody.get(path)

    assert answer.status_code not in (303, 401, 403)


@pytest.mark.parametrize(
    "path", ["/api/v1/incidents", "/api/v1/embedded/chat", "/openapi.json", "/api/v1/incidents/INC-2026-0001/events", "/metrics"]
)
async def test_a_program_that_nobody_is_signed_in_for_is_told_what_to_bring(proxied: Place, path: str) -> None:
    """401 as a problem, with the scheme that is taken and the page where a token comes from."""
    async with proxied.client() as program:
        answer = await program.get(path)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == 'Bearer realm="tocsin"'
    assert answer.json()["sign_in"].startswith("/login?next=")


async def test_a_page_leads_to_the_sign_in_and_back(proxied: Place) -> None:
    """A person is sent to the sign-in, which knows where they wanted to go."""
    async with proxied.client() as browser:
        answer = await browser.get("/incidents/INC-2026-0001?tab=mine", headers=PAGE)

    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/incidents/INC-2026-0001%3Ftab%3Dmine")


async def test_a_part_of_a_page_is_told_and_not_replaced(proxied: Place) -> None:
    """A script that posts a form gets 401, so that the page keeps what was typed."""
    async with proxied.client() as browser:
        answer = await browser.post("/preferences", data={"theme": "dark"}, headers={**PAGE, "HX-Request": "true"})

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_form_that_comes_too_late_gives_back_what_was_typed(proxied: Place) -> None:
    """Without scripts too, an ended sign-in loses nothing: the same form can be sent again after signing in."""
    typed = {"text": 'we are <on> it & "soon" done', "status": "monitoring"}
    async with proxied.client() as browser:
        answer = await browser.post("/incidents/INC-2026-0001/post_update", data=typed, headers=PAGE)

    assert answer.status_code == 401
    assert '<form method="post" action="/incidents/INC-2026-0001/post_update"' in answer.text
    assert 'name="text" value="we are &lt;on&gt; it &amp; &#34;soon&#34; done"' in answer.text
    assert 'name="status" value="monitoring"' in answer.text


async def test_the_record_is_for_those_who_examine_it(proxied: Place) -> None:
    """Everybody with a role reads; the whole record with its proof is for auditors, commanders and administrators."""
    incident = await proxied.opened()
    asked = {group: {"X-Forwarded-User": "kim", "X-Forwarded-Groups": group} for group in ("sre", "leads", "auditors", "admins")}
    async with proxied.client("10.0.0.5") as proxy:
        state = [(await proxy.get(f"/api/v1/incidents/{incident}", headers=headers)).status_code for headers in asked.values()]
        refused = await proxy.get(f"/api/v1/incidents/{incident}/audit", headers=asked["sre"])
        page = await proxy.get(f"/incidents/{incident}/audit", headers={**asked["sre"], **PAGE})

    assert state == [200, 200, 200, 200]
    assert (refused.status_code, refused.json()["code"], page.status_code) == (403, "not-permitted", 403)


async def test_a_webhook_brings_its_own_token(proxied: Place) -> None:
    """Monitoring is not a person: it has a token of its own, which opens nothing else."""
    async with proxied.client() as monitoring:
        without = await monitoring.post("/webhooks/alertmanager", json=ONE_ALERT)
        wrong = await monitoring.post("/webhooks/alertmanager", json=ONE_ALERT, headers={"Authorization": "Bearer guessed"})
        right = await monitoring.post("/webhooks/alertmanager", json={}, headers={"Authorization": "Bearer for the alerts"})
        elsewhere = await monitoring.get("/api/v1/incidents", headers={"Authorization": "Bearer for the alerts"})

    assert (without.status_code, wrong.status_code, elsewhere.status_code) == (401, 401, 401)
    assert (right.status_code, right.json()["code"]) == (422, "invalid-input")


async def test_metrics_are_read_from_this_machine_and_from_listed_peers(proxied: Place) -> None:
    """Prometheus beside the server needs no sign-in; somebody from elsewhere does, also through a proxy on this machine."""
    asked = [("127.0.0.1", {}), ("10.0.0.5", {}), ("192.0.2.7", {}), ("127.0.0.1", {"X-Forwarded-For": "192.0.2.7"})]
    answers = []
    for peer, headers in asked:
        async with proxied.client(peer) as prometheus:
            answers.append((await prometheus.get("/metrics", headers=headers)).status_code)

    assert answers == [200, 200, 401, 401]


HOSTS = [("tocsin.example.org", 303), ("also.example.org", 303), ("rebound.example", 403), ("localhost", 303)]


@pytest.mark.parametrize(("host", "status"), HOSTS)
async def test_a_door_answers_to_its_own_names(tmp_path: Path, host: str, status: int) -> None:
    """The public address and the listed names, beside those of this machine; no other name that leads here."""
    arrangement = behind_a_proxy(public_url="https://tocsin.example.org", hosts="also.example.org")
    async with place(tmp_path, arrangement) as where, where.client() as browser:
        answer = await browser.get("/docs", headers={**PAGE, "Host": host})

    assert answer.status_code == status


async def test_a_viewer_reads_and_hands_over_no_alerts(proxied: Place) -> None:
    """An alert has no incident that could refuse it, so the door does."""
    incident = await proxied.opened()
    async with proxied.client("10.0.0.5", X_Forwarded_User="kim", X_Forwarded_Groups="auditors") as proxy:
        answer = await proxy.post(f"/api/v1/incidents/{incident}/alert", json={})

    assert (answer.status_code, answer.json()["code"]) == (403, "not-permitted")


async def test_the_doctors_test_alert_is_sent_by_whoever_may_send_one(tmp_path: Path) -> None:
    """It opens an incident: a reader may not, and whoever may dismisses it in their own name."""
    sent: list[dict[str, Any]] = []

    async def post(alerts: list[dict[str, Any]]) -> None:
        """Alertmanager, whose webhook opens the incident."""
        sent.extend(alerts)
        if len(sent) == 1:
            with acting(None):
                opened = await where.desk.open({"by": "monitoring", "title": alerts[0]["labels"]["alertname"], "drill": True})
            where.desk.states[opened["incident"]]["deliveries"]["delivered"] = 1

    async with place(tmp_path, behind_a_proxy(), alertmanager=post) as where:
        async with where.client("10.0.0.5", X_Forwarded_User="kim", X_Forwarded_Groups="auditors") as reader:
            refused = await reader.post("/api/v1/doctor", json={})
        async with where.client("10.0.0.5", X_Forwarded_User="eve", X_Forwarded_Groups="sre") as responder:
            tried = await responder.post("/api/v1/doctor", json={})

    assert (refused.status_code, refused.json()["code"]) == (403, "not-permitted")
    assert [check["name"] for check in tried.json()["checks"] if check["ok"]] == [
        "test alert",
        "test incident",
        "test delivery",
        "test dismissed",
    ]
    assert [(verb, asked["by"]) for _, verb, asked in where.desk.asked] == [("dismiss", "eve")]
    assert len(sent) == 2, "the alert, and its end"


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/login/tokens", "/statuses", "/static", "/api/v1/whoami", "/loginx", "/healthz/x", "/logout/x", "/status\n"]
)
def test_nothing_is_public_by_accident(path: str) -> None:
    """What only looks like a public address is not one."""
    assert not places.is_public(path)


def test_the_roles_of_a_group_are_those_of_the_table(proxied: Place) -> None:
    """`*` in the table is everybody; a group that calls itself `*` gets nothing by it."""
    arrangement = proxied.arrangement

    assert arrangement.roles_of(["sre", "leads", "unknown"]) == {Access.RESPONDER, Access.COMMANDER}
    assert arrangement.roles_of(["*"]) == frozenset()


async def test_a_page_that_may_not_open_an_incident_keeps_what_was_typed(tmp_path: Path) -> None:
    """The refusal stands on the form, and says who may."""
    async with (
        place(tmp_path, behind_a_proxy()) as where,
        where.client("10.0.0.5", X_Forwarded_User="kim", X_Forwarded_Groups="auditors") as proxy,
    ):
        where.desk.turns_away = "kim has auditor; opening an incident needs responder."
        answer = await proxy.post("/declare", data={"title": "Checkout <fails>", "severity": "SEV2"}, headers=PAGE)

    assert answer.status_code == 403
    assert "kim has auditor; opening an incident needs responder." in answer.text
    assert "Checkout &lt;fails&gt;" in answer.text


async def test_a_form_of_the_room_is_signed_by_who_is_signed_in(proxied: Place) -> None:
    """A page says no name of its own: the entrance does."""
    incident = await proxied.opened()
    async with proxied.client("10.0.0.5", X_Forwarded_User="ana", X_Forwarded_Groups="sre") as proxy:
        answer = await proxy.post(f"/incidents/{incident}/do/acknowledge", data={"by": "ben", "roles": "admin", "key": "k"}, headers=PAGE)

    assert answer.status_code == 303
    assert proxied.desk.asked[-1][2] == {"by": "ana", "roles": ["responder"], "via": "web", "key": "k"}
