"""What each monitoring system posts, and what it comes to: alerts in one shape, in groups with one key."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.monitoring import alertmanager, deployments, generic, grafana, pagerduty
from integrations.monitoring.posted import Posted, Unreadable

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
SPECS = Path(os.environ.get("TOCSIN_SPECS", "nowhere"))
CAPTURED = sorted((SPECS / "alertmanager").glob("webhook-*.json"))

GRAFANA: dict[str, Any] = {
    "receiver": "tocsin",
    "status": "firing",
    "orgId": 2,
    "version": "1",
    "groupKey": "{}:{}",
    "externalURL": "https://grafana.example/",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "High memory usage", "service": "checkout"},
            "annotations": {"summary": "it is high"},
            "startsAt": "2026-11-24T09:51:03.157076+02:00",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "https://grafana.example/alerting/1/edit",
            "fingerprint": "c6eadffa33fcdf37",
            "dashboardURL": "https://grafana.example/d/1",
            "panelURL": "",
            "values": {"B": 44.2, "C": 1},
        }
    ],
}

PAGERDUTY: dict[str, Any] = {
    "event": {
        "id": "5ac64822",
        "event_type": "incident.triggered",
        "resource_type": "incident",
        "occurred_at": "2026-11-24T03:00:01.169Z",
        "agent": None,
        "data": {
            "id": "PGR0VU2",
            "type": "incident",
            "html_url": "https://acme.pagerduty.example/incidents/PGR0VU2",
            "status": "triggered",
            "created_at": "2026-11-24T02:59:00Z",
            "title": "A little bump in the road",
            "service": {"id": "PF9KMXH", "summary": "API Service"},
            "priority": {"summary": "P1"},
            "urgency": "high",
        },
    }
}


def event(kind: str, at: str = "2026-11-24T03:10:00Z", **data: Any) -> dict[str, Any]:
    body = copy.deepcopy(PAGERDUTY)
    body["event"] |= {"event_type": kind, "occurred_at": at}
    body["event"]["data"] |= data
    return body


# ---------------------------------------------------------------------- Alertmanager


@pytest.mark.skipif(not CAPTURED, reason="the captured Alertmanager payloads are not here; TOCSIN_SPECS names their folder")
def test_what_a_real_alertmanager_posted_is_read_whole() -> None:
    """Every captured post of a real Alertmanager gives all its alerts, under its own group key."""
    for path in CAPTURED:
        body = json.loads(path.read_text())
        if "alerts" not in body:
            continue
        (group,) = alertmanager.read(body).groups

        assert (len(group.alerts), group.invalid, group.key) == (len(body["alerts"]), (), body["groupKey"])
        assert [alert.fingerprint for alert in group.alerts] == [alert["fingerprint"] for alert in body["alerts"]]


# ---------------------------------------------------------------------- Grafana


def test_grafana_is_read_with_its_links_and_values() -> None:
    """What only Grafana says stands among the annotations; organisation and server are part of the group's key."""
    (group,) = grafana.read(GRAFANA).groups
    (alert,) = group.alerts

    assert group.key == "grafana https://grafana.example 2: {}:{}"
    assert (alert.service, alert.ends_at) == ("checkout", None)
    assert alert.starts_at == datetime(2026, 11, 24, 7, 51, 3, 157076, tzinfo=UTC)
    assert alert.annotations == {"summary": "it is high", "dashboardURL": "https://grafana.example/d/1", "values": "B=44.2, C=1"}


@pytest.mark.parametrize("changed", [{"version": "2"}, {"alerts": []}, {"groupKey": ""}, {"alerts": [{"labels": {}}]}])
def test_what_is_not_grafanas_is_refused(changed: dict[str, Any]) -> None:
    """An unknown version, and a post without one usable alert, are mistakes that name the field."""
    with pytest.raises(Unreadable) as refused:
        grafana.read(GRAFANA | changed)

    assert refused.value.problems[0]["field"] == next(iter(changed))


# ---------------------------------------------------------------------- PagerDuty


def test_a_pagerduty_incident_is_one_alert() -> None:
    """Service, title and priority of the incident there are labels here; the fingerprint is its id."""
    (group,) = pagerduty.read(PAGERDUTY).groups
    (alert,) = group.alerts

    assert (group.key, alert.identity) == ("pagerduty: PGR0VU2", "pagerduty-PGR0VU2")
    assert (alert.name, alert.service, alert.labels["severity"]) == ("A little bump in the road", "API Service", "critical")
    assert alert.starts_at == datetime(2026, 11, 24, 2, 59, tzinfo=UTC)


def test_pagerdutys_ends_come_after_its_beginnings() -> None:
    """Triggered, resolved, reopened, resolved: each is newer than the one before, in whatever order they arrive."""
    told = [
        event("incident.triggered", "2026-11-24T03:00:00Z"),
        event("incident.resolved", "2026-11-24T03:10:00Z"),
        event("incident.reopened", "2026-11-24T03:20:00Z"),
        event("incident.resolved", "2026-11-24T03:30:00Z"),
    ]
    alerts = [pagerduty.read(body).groups[0].alerts[0] for body in told]

    assert [alert.status for alert in alerts] == ["firing", "resolved", "firing", "resolved"]
    assert [alert.starts_at for alert in alerts] == sorted({alert.starts_at for alert in alerts})


@pytest.mark.parametrize(
    ("more", "severity"),
    [({"priority": None}, "error"), ({"priority": {"summary": "P3"}}, "warning"), ({"priority": {"name": "P1"}}, "critical")],
)
def test_pagerdutys_priority_or_urgency_is_the_severity(more: dict[str, Any], severity: str) -> None:
    """Without a priority the urgency says how bad it may be."""
    assert pagerduty.read(event("incident.triggered", **more)).groups[0].alerts[0].labels["severity"] == severity


@pytest.mark.parametrize("kind", ["incident.acknowledged", "incident.annotated", "pagey.ping", "service.updated", "something.new"])
def test_what_changes_nothing_is_taken_and_ignored(kind: str) -> None:
    """PagerDuty drops a subscription that is refused; events that open or end nothing are fine."""
    assert pagerduty.read(event(kind)) == Posted(ignored=f"{kind} changes nothing here")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "event"),
        ({"messages": []}, "event"),
        ({"event": {"event_type": "incident.triggered"}}, "event.occurred_at"),
        (event("incident.triggered", id=""), "id"),
    ],
)
def test_what_is_no_event_of_version_3_is_refused(body: dict[str, Any], field: str) -> None:
    """Older versions' bodies, and incidents without an id, are mistakes that name the field."""
    with pytest.raises(Unreadable) as refused:
        pagerduty.read(body)

    assert refused.value.problems[0]["field"] == field


@pytest.mark.skipif(not (SPECS / "pagerduty").is_dir(), reason="PagerDuty's description is not here; TOCSIN_SPECS names its folder")
def test_the_events_that_open_and_end_are_ones_that_pagerduty_knows() -> None:
    """Every event type that matters here is one that a subscription can ask for, by PagerDuty's own description."""
    described = (SPECS / "pagerduty" / "rest-v2.openapi3.json").read_text()

    assert [kind for kind in pagerduty.FIRES | pagerduty.ENDS if f'"{kind}"' not in described] == []


@pytest.mark.skipif(not (SPECS / "pagerduty").is_dir(), reason="PagerDuty's description is not here; TOCSIN_SPECS names its folder")
def test_what_is_read_of_an_incident_is_what_pagerduty_describes() -> None:
    """Of the webhook's body there is no published schema; the incident in it is described for the REST API, field by field."""
    whole = json.loads((SPECS / "pagerduty" / "rest-v2.openapi3.json").read_text())
    described = _described(whole, whole["components"]["schemas"]["Incident"])
    plain = {name: described[name]["type"] for name in ("id", "html_url", "title", "created_at", "urgency", "status")}

    assert plain == dict.fromkeys(plain, "string")
    assert described["created_at"]["format"] == "date-time"
    assert set(described["urgency"]["enum"]) == set(pagerduty.URGENCIES)
    assert {"summary", "name"} <= set(_described(whole, described["priority"]))
    assert all("summary" in _described(whole, either) for either in described["service"]["oneOf"])


def _described(whole: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The fields of a schema, with those of what it is made of and points at."""
    found: dict[str, Any] = dict(schema.get("properties", {}))
    for part in schema.get("allOf", ()):
        found |= _described(whole, part)
    if "$ref" in schema:
        at: Any = whole
        for step in schema["$ref"].removeprefix("#/").split("/"):
            at = at[int(step)] if isinstance(at, list) else at[step]
        found |= _described(whole, at)
    return found


# ---------------------------------------------------------------------- anybody's JSON


def test_one_alert_needs_a_name_and_no_more() -> None:
    """The least that somebody can post is a name; it begins when it arrives."""
    (group,) = generic.read({"name": "disk full"}, NOW).groups

    assert (group.alerts[0].name, group.alerts[0].starts_at, group.alerts[0].status) == ("disk full", NOW, "firing")


def test_the_same_id_is_the_same_alert_in_the_same_group() -> None:
    """A beginning and its end, told with the same id, meet; words of other systems for both are understood."""
    said = [{"name": "disk full", "id": "db1", "status": word} for word in ("open", "firing", "ok", "resolved")]
    groups = [generic.read(body, NOW).groups[0] for body in said]

    assert len({group.key for group in groups}) == len({group.alerts[0].identity for group in groups}) == 1
    assert [group.alerts[0].status for group in groups] == ["firing", "firing", "resolved", "resolved"]


def test_a_list_goes_on_without_its_bad_alerts() -> None:
    """One bad alert does not cost the others; with the first group goes what was wrong."""
    body = {"alerts": [{"name": "a", "group": "x"}, {"name": "b"}, {"id": "c"}, {"name": "d", "service": "s"}]}
    posted = generic.read(body, NOW)

    assert [alert.name for group in posted.groups for alert in group.alerts] == ["b", "d"]
    assert [problem.split(":")[1].strip() for problem in posted.groups[0].invalid] == ["group", "name"]


def test_what_is_too_long_costs_no_alert() -> None:
    """A hasty script's line breaks, and a document for a name, are made lines; long ids that differ at their end stay two."""
    long = "x" * 10_000
    bodies = [{"name": f"disk\nfull {long}", "service": f"db\t1 {long}", "id": f"{long}{number}", "summary": 3 * long} for number in (1, 2)]
    (one,), (other,) = (generic.read(body, NOW).groups for body in bodies)

    assert one.alerts[0].name.startswith("disk full xxx")
    assert (one.alerts[0].name[-1], len(one.alerts[0].name), one.alerts[0].service[:5]) == ("…", 300, "db 1 ")
    assert (one.key != other.key, one.alerts[0].identity != other.alerts[0].identity, len(one.key) < 500) == (True, True, True)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": " \u200b\n"}, "name"),
        ({"name": "a", "sevrity": "high"}, "sevrity"),
        ({"name": "a", "status": "smouldering"}, "status"),
        ({"name": "a", "starts_at": "yesterday"}, "starts_at"),
        ({"alerts": []}, "alerts"),
        ([], "body"),
    ],
)
def test_a_post_of_the_wrong_shape_names_the_field(body: Any, field: str) -> None:
    """Whoever writes their own sender hears what is wrong."""
    with pytest.raises(Unreadable) as refused:
        generic.read(body, NOW)

    assert refused.value.problems[0]["field"] in (field, "alerts", "body")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"name": "a", "sevrity": "high"}, "sevrity: is not a field of this alert"),
        ({"alerts": [{"name": "a", "sevrity": "high"}]}, "alerts: alert 0: sevrity: is not a field of this alert"),
        ([{"name": "a"}], "body: must be a JSON object: one alert, or a list of them under alerts"),
        ({"alerts": ["a"]}, "alerts: alert 0: body: must be an object"),
    ],
)
def test_a_mistake_in_an_alert_is_told_as_one(body: Any, said: str) -> None:
    """Whoever posts alerts has never heard of our commands, nor of the names of our classes."""
    with pytest.raises(Unreadable) as refused:
        generic.read(body, NOW)

    assert str(refused.value) == said


@pytest.mark.parametrize(("reader", "version"), [(alertmanager.read, "4"), (grafana.read, "1")])
def test_a_null_that_nobody_needs_costs_no_alert(reader: Callable[[Any], Posted], version: str) -> None:
    """Senders in Go say null for a map without anything in it; what says what fires must be there all the same."""
    alert = {**GRAFANA["alerts"][0], "annotations": None, "generatorURL": None, "fingerprint": None}
    common = {"groupLabels": None, "commonLabels": None, "commonAnnotations": None}
    (group,) = reader({**GRAFANA, **common, "version": version, "alerts": [alert, {**alert, "labels": None}, None]}).groups

    assert [one.name for one in group.alerts] == ["High memory usage"]
    assert [problem.partition(" in ")[0] for problem in group.invalid] == [
        "alert 1: labels: must be an object",
        "alert 2: must be a JSON object",
    ]
    assert group.about["common_labels"] == {}


# ---------------------------------------------------------------------- deployments


def test_a_deployment_is_known_by_its_id_or_by_what_it_is() -> None:
    """The same deployment told twice has the same key; another version, or another time, has another."""
    one = {"service": "checkout", "version": "v248", "at": "2026-11-24T02:55:00Z"}
    keys = [deployments.read(body, NOW)[0].key for body in (one, one, one | {"version": "v249"}, one | {"at": "2026-11-24T02:56:00Z"})]
    named = [deployments.read(one | {"id": "17", "version": version}, NOW)[0].key for version in ("v248", "v249")]

    assert (keys[0], len(set(keys))) == (keys[1], 3)
    assert len(set(named)) == 1


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"service": "checkout"}, ["version"]),
        ({"deployments": [{"service": "a", "version": "1"}, {"version": "2"}]}, ["deployments.1.service"]),
        ({"deployments": []}, ["deployments"]),
        ({"service": "a", "version": "1", "at": "noon"}, ["at"]),
        ({"service": "a", "version": "1", "at": "2099-01-01T00:00:00Z"}, ["at"]),
        (
            {"deployments": [{"service": "a", "version": "1"}, {"service": "a", "version": "2", "at": "9999-12-31T23:59:59Z"}]},
            ["deployments.1.at"],
        ),
        ({"deployments": [5]}, ["deployments.0"]),
    ],
)
def test_a_bad_deployment_keeps_the_whole_post_out(body: dict[str, Any], fields: list[str]) -> None:
    """Whoever posts deployments repeats the post when it is refused, so half of it must not be kept."""
    with pytest.raises(Unreadable) as refused:
        deployments.read(body, NOW)

    assert [problem["field"] for problem in refused.value.problems] == fields
    assert not any(word in str(refused.value) for word in ("command", "dictionary")), "in the words of whoever deploys"


def test_a_deployment_of_a_clock_ahead_went_out_as_it_was_told_once() -> None:
    """A clock a few minutes ahead does not hide the newest change from the incident that it made; a repeat is known all the same."""
    one = {"service": "checkout", "version": "v248", "at": (NOW + timedelta(minutes=5)).isoformat()}
    (first,) = deployments.read(one, NOW)
    (repeat,) = deployments.read(one, NOW + timedelta(minutes=1))
    (other,) = deployments.read(one | {"at": (NOW + timedelta(minutes=4)).isoformat()}, NOW)

    assert (first.at, repeat.at, other.at) == (NOW, NOW + timedelta(minutes=1), NOW)
    assert first.key == repeat.key != other.key


def test_a_deployment_yet_to_come_is_refused_by_its_rule() -> None:
    """What is dated after any clock's mistake would stand before every incident's change until then."""
    with pytest.raises(Unreadable) as refused:
        deployments.read({"service": "checkout", "version": "v248", "at": "2099-01-01T00:00:00Z"}, NOW)

    rule = "2099-01-01 00:00 UTC is more than 5 minutes in the future: tell of a deployment once it is out"
    assert [{"field": "at", "message": rule}] == refused.value.problems


# ---------------------------------------------------------------------- whatever comes

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)


@given(JSON, st.sampled_from(["whole", "alerts", "labels", "event", "data"]))
def test_nothing_that_is_posted_breaks_a_reader(value: Any, where: str) -> None:
    """Whatever JSON stands in a post, it is read, or refused with its mistakes; nothing else."""
    bodies: list[Any] = [value]
    if where == "alerts":
        bodies = [GRAFANA | {"alerts": value}, {"alerts": value}]
    elif where == "labels":
        bodies = [GRAFANA | {"alerts": [{**GRAFANA["alerts"][0], "labels": value, "values": value}]}, {"name": "a", "labels": value}]
    elif where == "event":
        bodies = [{"event": value}]
    elif where == "data":
        bodies = [{"event": {**PAGERDUTY["event"], "data": {**PAGERDUTY["event"]["data"], "title": value, "service": value}}}]
    for body in bodies:
        for read in (alertmanager.read, grafana.read, pagerduty.read, lambda post: generic.read(post, NOW)):
            found = _read(read, body)

            assert found == [] or all(found)


def _read(read: Callable[[Any], Posted], body: Any) -> list[Any]:
    """What must be there of a post that was read, and of one that was refused."""
    try:
        posted = read(body)
    except Unreadable as error:
        return [error.problems]
    return [posted.ignored] if posted.ignored else [group.key and group.alerts for group in posted.groups]


def test_an_end_before_its_beginning_is_moved_to_it() -> None:
    """A clock that ran backwards makes no alert end before it began."""
    body = {"name": "a", "status": "resolved", "starts_at": "2026-11-24T03:00:00Z", "ends_at": "2026-11-24T02:00:00Z"}
    alert = generic.read(body, NOW).groups[0].alerts[0].alert()

    assert (alert.ends_at, alert.firing) == (NOW, False)
    assert alert.ends_at is not None
    assert alert.ends_at - alert.starts_at == timedelta(0)
