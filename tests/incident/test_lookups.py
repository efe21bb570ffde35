# ruff: noqa: SIM300 - the house writes what is expected first
"""What the detection checklist asks is looked up by itself; its answers tick items, and people have the last word."""

from __future__ import annotations

from typing import Any

from incident import lifecycle, lookups
from incident.effects import LookUp, Port, Post, Receipt
from incident.events import Event
from incident.model import CheckState
from incident.policy import Policy
from incident.queries import Watching
from incident.vocabulary import Phase
from tests.incident.measurements import kinds, measured_walk
from tests.incident.walk import OPENED, Walk, opening_of


def asked(walk: Walk) -> list[LookUp]:
    return [effect.ask for effect in walk.incident.outbox if isinstance(effect.ask, LookUp)]


def answer(walk: Walk, *findings: dict[str, Any]) -> list[Event]:
    """Monitoring's port delivers."""
    effect = next(effect for effect in walk.incident.outbox if effect.port is Port.MONITORING)
    receipt = Receipt(reference="looked up", detail={"findings": list(findings)})
    return walk.record(lifecycle.delivered(walk.incident, effect, receipt, walk.now))


def finding(id: str, text: str = "found", *, looked_up: bool = True, **more: Any) -> dict[str, Any]:
    return {"id": id, "text": text, "looked_up": looked_up, **more}


def detection() -> Walk:
    return measured_walk(severity=None, phase=Phase.DETECTION)


def test_opening_asks_the_checklists_questions() -> None:
    """The four questions go out with the opening, and nothing waits for their answers."""
    walk = detection()

    assert [("related_alerts", "deployments", "known_issues", "signals")] == [ask.questions for ask in asked(walk)]
    walk.does("declare", severity="SEV2")

    assert 1 == len(asked(walk)), "what is under way is not asked twice"


def test_a_private_incident_is_looked_up_as_well() -> None:
    """Monitoring is asked of services and told nothing; what it answers stays in the incident's own channel."""
    start = opening_of(None, services=["checkout"], private=True).model_copy(update={"policy": Policy(monitoring=Watching())})
    walk = Walk(start)

    assert ["look_up"] == [effect.purpose for effect in walk.incident.outbox if effect.port is Port.MONITORING]
    answer(walk, finding("deployments", "v248 by eve"))
    (effect,) = (effect for effect in walk.incident.outbox if effect.purpose == "findings")
    told = lifecycle.addressed(walk.incident, effect, 1).ask

    assert isinstance(told, Post)
    assert "v248" not in told.text, "its channel is not there yet"


def test_what_was_found_is_on_record_once() -> None:
    """The delivery's entry does not repeat what the findings' own entries say."""
    walk = detection()
    told = answer(walk, finding("deployments", "v248 by eve"))

    assert 1 == sum("v248 by eve" in event.model_dump_json() for event in told)


def test_without_monitoring_nothing_is_asked() -> None:
    """Who has configured none has the checklist as ever."""
    assert [] == asked(Walk.open("SEV1"))


def test_a_finding_ticks_its_item_with_the_evidence() -> None:
    """The item is done by monitoring, its note is what was found, and the channel reads it all in one message."""
    walk = detection()
    points = [[OPENED.isoformat(), 0.01], [OPENED.isoformat(), 0.31]]
    told = answer(
        walk,
        finding("related_alerts", "2 more fire", lines=["PaymentsSlow since 03:00 UTC"]),
        finding("deployments", "none since yesterday"),
        finding("known_issues"),
        finding("signals", "error_ratio is 0.31", pictures=[{"query": "error_ratio", "points": points}]),
    )
    done = {item.item: (item.by, item.note) for item in walk.incident.checklist.values() if item.state is CheckState.DONE}
    posts = [effect.ask.text for effect in walk.incident.outbox if effect.purpose == "findings" and isinstance(effect.ask, Post)]

    assert ["delivered", *["finding"] * 4] == kinds(told)
    assert ("monitoring", "Related alerts: 2 more fire") == done["related_alerts_checked"]
    assert {
        "related_alerts_checked",
        "recent_deployments_checked",
        "recent_changes_identified",
        "known_issues_checked",
        "error_patterns_analyzed",
    } == set(done)
    assert 1 == len(posts)
    assert "PaymentsSlow since 03:00 UTC" in posts[0]
    assert "▁█ error_ratio" in posts[0]


def test_what_could_not_be_looked_up_stays_open_and_is_asked_again() -> None:
    """The item is still somebody's to do; when the incident goes on, monitoring gets another chance."""
    walk = detection()
    answer(walk, finding("related_alerts", "could not be looked up: down", looked_up=False), finding("known_issues"))

    assert CheckState.OPEN is walk.incident.checklist["related_alerts_checked"].state
    walk.does("declare", severity="SEV2")

    assert [("related_alerts", "deployments", "signals")] == [ask.questions for ask in asked(walk)]


def test_a_service_that_is_named_later_is_looked_for() -> None:
    """A report that names no service is asked again once somebody knows which it is, with the services of that moment."""
    walk = measured_walk(severity=None, phase=Phase.DETECTION)
    walk.does("describe", affected=["payments"])
    effect = next(effect for effect in walk.incident.outbox if effect.port is Port.MONITORING)
    sent = lifecycle.addressed(walk.incident, effect, 1).ask

    assert isinstance(sent, LookUp)
    assert ("payments",) == sent.services
    answer(walk, *(finding(question, looked_up=False) for question in sent.questions))
    walk.does("describe", affected=["payments", "search"])

    assert [("payments", "search")] == [ask.services for ask in asked(walk)]


def test_people_confirm_and_correct() -> None:
    """A person's word stands in the finding and on the item, under their name."""
    walk = detection()
    answer(walk, finding("deployments", "none"), finding("known_issues", "could not be looked up", looked_up=False))
    walk.does("correct", by="eva", finding="deployments", text="v248, by hand")
    item = walk.incident.checklist["recent_deployments_checked"]

    assert ("eva", "v248, by hand") == (item.by, item.note)
    assert ("eva", "v248, by hand") == (
        walk.incident.findings["deployments"].confirmed_by,
        walk.incident.findings["deployments"].corrected_to,
    )
    assert "undocumented" == walk.refused("correct", finding="known-issues").code
    walk.does("correct", finding="known issues", text="T-7 is the same")

    assert CheckState.DONE is walk.incident.checklist["known_issues_checked"].state
    assert "known_issues" not in lookups.unanswered(walk.incident)
    assert "unknown-item" == walk.refused("correct", finding="weather").code


def test_a_confirmed_finding_keeps_its_evidence() -> None:
    """Confirming changes who vouches for it, and not what was found; doing it twice adds nothing."""
    walk = detection()
    answer(walk, finding("deployments", "none"))
    walk.does("correct", by="eva", finding="deployments")
    item = walk.incident.checklist["recent_deployments_checked"]

    assert ("eva", "Recent deployments: none") == (item.by, item.note)
    assert [] == walk.asks("correct", finding="deployments")


def test_an_item_that_a_person_has_done_is_left_alone() -> None:
    """Monitoring comes later and does not sign over somebody's name."""
    walk = detection()
    walk.does("check", by="eva", item="known_issues_checked", note="none known")
    answer(walk, finding("known_issues", "2 open tickets"))

    assert ("eva", "none known") == (
        walk.incident.checklist["known_issues_checked"].by,
        walk.incident.checklist["known_issues_checked"].note,
    )


def test_a_closed_incident_waits_for_no_answer() -> None:
    """Monitoring that is down must not keep an incident from ending; what is not asked any more is on record."""
    walk = detection()
    walk.does("dismiss", reason="a test", **{"as": "false_alarm"})

    assert [] == asked(walk)
    assert ["monitoring: look up 2 is not asked any more, the incident is closed"] == [
        event.text for event in walk.timeline if event.kind == "replaced"
    ]


def test_what_still_cannot_be_looked_up_is_not_told_again() -> None:
    """The channel is told once that there is no source of deployments, not at every step; a person's word is not overwritten."""
    walk = detection()
    unknown = finding("deployments", "could not be looked up: no source", looked_up=False)
    known = finding("known_issues", "could not be looked up: down", looked_up=False)
    answer(walk, unknown, known)
    walk.does("declare", severity="SEV2")
    walk.does("correct", finding="known_issues", text="T-7 is the same")

    assert ["delivered"] == kinds(answer(walk, unknown, finding("known_issues", "none")))
    assert "T-7 is the same" == walk.incident.findings["known_issues"].corrected_to


def test_what_monitoring_says_wakes_nobody_by_a_mention() -> None:
    """Text from outside is data: an alert that holds a mass mention is read, and mentions nobody."""
    walk = detection()
    answer(walk, finding("related_alerts", "1 more fire", lines=["@channel is down"]))
    posts = [effect.ask.text for effect in walk.incident.outbox if effect.purpose == "findings" and isinstance(effect.ask, Post)]

    assert "@channel" not in posts[0]
    assert "channel is down" in posts[0]
