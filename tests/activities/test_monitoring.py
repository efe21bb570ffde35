# ruff: noqa: SIM300 - the house writes what is expected first
"""What the checklist asks is looked up: each question has its answer, or says that it could not be answered."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.monitoring import POINTS_AT_MOST, MonitoringActivities
from incident.deployments import Deployment
from incident.effects import Delivery, LookUp
from incident.evidence import POINTS_KEPT, QUESTIONS, SampleReport, SampleRequest
from incident.queries import Query
from integrations.ports import KnownIssue
from tests.fakes import BEGAN, FakeDeployments, FakeIssues, FakeMonitoring
from tests.integrations.asks import AT

QUERY = Query(name="error_ratio", expression="error_ratio", threshold=0.05)
RELEASE = Deployment(service="checkout", version="v248", at=BEGAN - timedelta(hours=2), by="ben", summary="retry twice")


async def looked_up(activities: MonitoringActivities, **asked: Any) -> dict[str, dict[str, Any]]:
    ask = LookUp.model_validate(
        {
            "questions": tuple(QUESTIONS),
            "services": ("checkout",),
            "queries": (QUERY,),
            "since": BEGAN - timedelta(minutes=30),
            "until": BEGAN + timedelta(minutes=5),
            **asked,
        }
    )
    delivery = Delivery(incident="INC-2026-0001", key="INC-2026-0001:1", at=AT, ask=ask)
    receipt = await ActivityEnvironment().run(activities.look_up, delivery)
    return {finding["id"]: finding for finding in receipt.detail["findings"]}


async def test_every_question_has_its_answer() -> None:
    """Alerts, deployments, known issues and measurements, each with what was found."""
    monitoring = FakeMonitoring()
    monitoring.fires("PaymentsSlow")
    monitoring.fires("HighErrorRate")
    monitoring.fires("Elsewhere", service="search")
    issues = FakeIssues(KnownIssue(reference="T-7", title="checkout: retries pile up"))
    found = await looked_up(MonitoringActivities(monitoring, FakeDeployments(RELEASE), issues), known_alerts=("HighErrorRate",))

    assert ["PaymentsSlow since 00:00 UTC"] == found["related_alerts"]["lines"]
    assert ["2025-12-31 22:00 UTC checkout v248 by ben: retry twice"] == found["deployments"]["lines"]
    assert ["T-7 checkout: retries pile up"] == found["known_issues"]["lines"]
    assert "error_ratio is 0.01" == found["signals"]["text"]
    assert 0 < len(found["signals"]["pictures"][0]["points"]) <= POINTS_KEPT
    assert all(finding["looked_up"] for finding in found.values())


async def test_nothing_found_is_an_answer_too() -> None:
    """That no other alert fires is what the responder wanted to know."""
    found = await looked_up(MonitoringActivities(FakeMonitoring(), FakeDeployments(), FakeIssues()))

    assert "no other alert of checkout fires: it looks isolated" == found["related_alerts"]["text"]
    assert found["deployments"]["text"].startswith("none since 2025-12-31")
    assert "no open ticket names checkout" == found["known_issues"]["text"]


async def test_what_one_source_cannot_say_does_not_keep_the_others_back() -> None:
    """Monitoring is down and there is no source of deployments: the tickets are looked up all the same."""
    monitoring = FakeMonitoring()
    monitoring.down = True
    found = await looked_up(MonitoringActivities(monitoring, None, FakeIssues()))

    assert {"related_alerts": False, "deployments": False, "known_issues": True, "signals": False} == {
        question: finding["looked_up"] for question, finding in found.items()
    }
    assert found["related_alerts"]["text"].startswith("could not be looked up: ")
    assert "TOCSIN_DEPLOYMENTS_QUERY" in found["deployments"]["text"]


async def test_without_a_service_there_is_nothing_to_look_for() -> None:
    """An incident that names no service is told what is missing."""
    found = await looked_up(MonitoringActivities(FakeMonitoring(), FakeDeployments(), FakeIssues()), services=())

    assert [False, False, False, True] == [finding["looked_up"] for finding in found.values()]
    assert "no service is named yet" in found["known_issues"]["text"]


async def test_a_flood_is_cut_to_what_people_read() -> None:
    """A thousand firing alerts are ten lines and a number."""
    monitoring = FakeMonitoring()
    for number in range(1_000):
        monitoring.fires(f"Alert{number}")
    found = (await looked_up(MonitoringActivities(monitoring)))["related_alerts"]

    assert (11, "and 990 more") == (len(found["lines"]), found["lines"][-1])


def asked(since: datetime, until: datetime, **more: Any) -> SampleRequest:
    every = timedelta(seconds=15)
    return SampleRequest.model_validate(
        {
            "incident": "INC-2026-0001",
            "services": ("checkout",),
            "queries": (QUERY,),
            "since": since,
            "until": until,
            "every": every,
            **more,
        }
    )


async def sampled(monitoring: FakeMonitoring, request: SampleRequest) -> SampleReport:
    report: SampleReport = await ActivityEnvironment().run(MonitoringActivities(monitoring).sample, request)
    return report


async def test_a_look_brings_samples_baseline_and_what_fires() -> None:
    """All that verification needs in one go, each sample where it was asked for."""
    monitoring = FakeMonitoring()
    monitoring.fires("PaymentsSlow", silenced=True)
    window = {"baseline_of": ("error_ratio",), "baseline_since": BEGAN - timedelta(hours=1), "baseline_until": BEGAN}
    report = await sampled(monitoring, asked(BEGAN, BEGAN + timedelta(minutes=1), **window))

    assert [15, 30, 45, 60] == [(at - BEGAN).total_seconds() for at, _ in report.measured[0].points]
    assert report.measured[0].baseline is not None
    assert 0.01 == report.measured[0].baseline.median
    assert [("PaymentsSlow", "checkout", True)] == [(alert.name, alert.service, alert.silenced) for alert in report.firing]


async def test_a_look_after_a_long_time_stays_small() -> None:
    """A day's absence is asked for in some hundred samples, however close they are asked to be."""
    report = await sampled(FakeMonitoring(), asked(BEGAN, BEGAN + timedelta(days=1)))

    assert len(report.measured[0].points) <= POINTS_AT_MOST


async def test_a_look_that_nobody_answers_fails_and_may_be_tried_again() -> None:
    """Half a look is none: where one part can't be had, the next look fetches all."""
    monitoring = FakeMonitoring()
    monitoring.down = True
    with pytest.raises(ApplicationError) as failure:
        await sampled(monitoring, asked(BEGAN, BEGAN + timedelta(minutes=1)))

    assert not failure.value.non_retryable
