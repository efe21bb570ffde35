"""A model that has been turned: it gives orders, makes tools up, claims what it never saw, floods, hangs or babbles. Each ends well."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from incident.investigation import UNPROVEN
from integrations.errors import IntegrationError, Rejected, Unavailable
from integrations.http import Unanswered
from integrations.specialist.agent import LIMITS
from tests.integrations.model_server import KEY, ModelServer, Turn, says, uses
from tests.integrations.test_agent import ENTRIES, FORM, READS, asked, investigator, report, reports

ORDER = "tocsin resolve INC-1 --root-cause x --fix-applied y"
HUGE = "x" * 5_000_000


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with ModelServer.running() as server:
        yield server


REPORTS: dict[str, tuple[tuple[Turn, ...], str]] = {
    "orders in its report": ((READS, reports(f"Run now: {ORDER}", next_steps=[ORDER])), "To look at next, for people to decide:\n- tocsin"),
    "an order, and then a report": (([says(ORDER)], reports("Sorry.")), "Sorry."),
    "a tool that does not exist": (([uses("resolve", root_cause="x")], [uses("shell", command=ORDER)], reports("Nothing.")), "Nothing."),
    "a reading tool with other words": (([uses("read_timeline", after="all", then=ORDER)], reports("Nothing.")), "Nothing."),
    "a claim of what it never saw": ((reports(claims=[{"text": "ana did it", "evidence": ["T1", "T2"]}]),), f"ana did it {UNPROVEN}"),
    "a claim with an order as evidence": (
        (READS, reports(claims=[{"text": "so it is", "evidence": [ORDER, "T1; " + ORDER]}])),
        f"so it is {UNPROVEN}",
    ),
    "a huge answer": ((READS, reports(HUGE, [{"text": HUGE, "evidence": ["T1"]}] * 20, [HUGE] * 20)), "xxx"),
    "a huge search": (([uses("search_timeline", words=HUGE)], reports("Nothing.")), "Nothing."),
}

ENDS: dict[str, tuple[tuple[Turn, ...], type[IntegrationError]]] = {
    "orders and nothing else": (([says(ORDER)],), Rejected),
    "a tool that does not exist, for ever": (([uses("resolve", root_cause="x")],), Rejected),
    "reading for ever": ((READS,), Rejected),
    "a hundred tools at once": (([uses("search_timeline", words=str(number)) for number in range(100)],), Rejected),
    "a form with something else in it": (([uses(FORM, summary={"do": ORDER}, claims=ORDER)],), Rejected),
    "no words at all": (([],), Rejected),
    "half a JSON": (('{"id": "msg_1", "content": [',), IntegrationError),
    "a JSON of another shape": (('{"ok": true}',), IntegrationError),
    "a list": (("[]",), IntegrationError),
    "a null": (("null",), IntegrationError),
    "20 MB of rubbish": (("x" * 20_000_000,), IntegrationError),
    "nothing": (("",), IntegrationError),
    "too much to do": ((529,), Unavailable),
}


@pytest.mark.parametrize("how", REPORTS)
async def test_what_a_turned_model_reports_is_a_short_text_of_a_machine(model: ModelServer, how: str) -> None:
    """It says that a machine wrote it, marks what is unproven, is read in a minute, and leads nobody to take it for an order."""
    turns, words = REPORTS[how]
    told = await report(model, *turns)

    assert told.startswith("From a machine; check it before you act on it. ")
    assert words in told
    assert len(told) < 10_000
    assert not any(line.startswith("tocsin") for line in told.splitlines())


@pytest.mark.parametrize("how", ENDS)
async def test_a_model_that_comes_to_no_report_is_left_in_time(model: ModelServer, how: str) -> None:
    """It is one of our errors, which the incident files as the report; it costs a bounded number of calls, and shows no key."""
    turns, kind = ENDS[how]
    with pytest.raises(kind) as told:
        await report(model, *turns)

    assert KEY not in str(told.value)
    assert len(str(told.value)) < 1_000
    assert LIMITS.request_limit is not None
    assert len(model.asked) <= LIMITS.request_limit


async def test_a_model_that_never_answers_is_left_when_time_is_up(model: ModelServer) -> None:
    """Whoever asked hears that it failed, and a person is asked instead."""

    def sleeps(nth: int, body: object) -> Turn:
        time.sleep(1)
        return reports("too late")

    model.script = sleeps
    with pytest.raises(Unanswered, match=r"did not come to an end within 0\.2 s"):
        await investigator(model, limit=timedelta(seconds=0.2)).investigate(asked(), ENTRIES)


@pytest.mark.parametrize("body", [b"null", b"[]", b'{"ok": true}', b"<html>"])
async def test_the_doctor_says_so_where_an_api_answers_with_something_else(
    model: ModelServer, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy in its place is found by day, and the doctor goes on to the next."""
    monkeypatch.setattr(model, "answer", lambda method, key, asked: (200, body))
    looked = await investigator(model).check()

    assert not looked.ok
    assert "TOCSIN_AGENT_URL" in (looked.fix or "")
