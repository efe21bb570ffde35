# ruff: noqa: SIM300 - the house writes what is expected first
"""What people read: the process's templates with every field filled, and nothing in them that wakes a whole company."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident import clocks, messages
from incident.effects import Port
from incident.events import Event
from incident.model import ActionItem, Clock, Incident
from incident.vocabulary import Role, Severity
from tests.incident.nights import OPENED, known_night, unknown_night

NOW = OPENED + timedelta(minutes=20)

DECLARED = """\
**INCIDENT DECLARED**

**Severity:** SEV1
**Title:** Checkout returns 5xx
**Incident Commander:** @dana
**Channel:** #incident-2026-11-24-checkout-returns-5xx

**Impact:**
- Services affected: checkout, payments
- Users affected: all of them
- Started: 2026-11-24 03:11 UTC

**Current Status:**
The release is being rolled back.

**Next Update:** 2026-11-24 03:46 UTC"""

MITIGATION = """\
**MITIGATION IN PROGRESS**

**Action:** Roll back api-v248
**Owner:** @ben
**Started:** 2026-11-24 03:46 UTC

**Verification:**
- [ ] Error rate under 1 %
- [ ] Checkout works

**Rollback Plan:**
Deploy v248 again"""

RESOLVED = """\
**INCIDENT RESOLVED**

**Duration:** 1 hour 30 minutes
**Resolution Time:** 2026-11-24 04:41 UTC

**Root Cause:**
The retry budget was exhausted.

**Fix Applied:**
Rolled back to v247.

**Next Steps:**
- [ ] RCA scheduled for 2026-11-26 04:41 UTC
- [ ] Action items tracked in #incident-2026-11-24-checkout-returns-5xx
- [ ] Add a retry budget

**Retrospective:** 2026-11-26 14:00 UTC"""


def clock(name: str = clocks.INTERNAL_UPDATE, **changes: object) -> Clock:
    return Clock(name=name, owner="dana", since=OPENED, due=OPENED + timedelta(minutes=30)).model_copy(update=changes)


def body(text: str) -> str:
    """The text under the first line."""
    return text.split("\n\n", 1)[1]


def test_the_declaration_is_the_process_template() -> None:
    """Whoever joins reads severity, title, commander, channel, impact, status and the next update."""
    incident = known_night(clocks={clocks.INTERNAL_UPDATE: clock()})

    assert DECLARED == body(messages.declared(incident, NOW))


def test_the_mitigation_is_the_process_template() -> None:
    """Whoever follows reads action, owner, start, how it is verified and how it is taken back."""
    assert MITIGATION == body(messages.mitigation_in_progress(known_night()))


def test_the_resolution_is_the_process_template() -> None:
    """Whoever was waiting reads how long it took, the cause, the fix and what comes next."""
    assert RESOLVED == body(messages.resolved(known_night()))


def test_what_is_not_known_is_said_to_be_unknown() -> None:
    """No field of a template is left out or empty: it says that it is unknown."""
    incident = unknown_night(severity=Severity.SEV2)

    declared = messages.declared(incident, NOW)
    assert "**Incident Commander:** unknown" in declared
    assert "- Services affected: unknown" in declared
    assert "- Users affected: unknown" in declared
    assert "- Started: unknown" in declared
    assert "**Current Status:**\nunknown; phase: detection" in declared
    assert "**Next Update:** 2026-11-24 03:51 UTC" in declared

    resolved = messages.resolved(incident)
    assert "**Duration:** unknown" in resolved
    assert "**Resolution Time:** unknown" in resolved
    assert "**Root Cause:**\nunknown" in resolved
    assert "**Fix Applied:**\nunknown" in resolved
    assert "- [ ] RCA scheduled for unknown" in resolved


def test_the_share_of_users_comes_from_the_factors_when_nobody_has_said_more() -> None:
    """A declaration by factors already says how many users are affected."""
    incident = unknown_night(severity=Severity.SEV2, factors={"users_affected_percent": 60.5})

    assert "- Users affected: 60.5 %" in messages.declared(incident, NOW)


def test_the_triage_questions_are_asked_in_the_channel() -> None:
    """Triage begins with the process's five questions."""
    text = messages.triage_questions(known_night())

    assert text.endswith("4. What is the root cause hypothesis?\n5. What is the quickest path to mitigation?")


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(0), "0 hours 0 minutes"),
        (timedelta(seconds=59), "0 hours 0 minutes"),
        (timedelta(minutes=1), "0 hours 1 minute"),
        (timedelta(hours=1, minutes=25, seconds=40), "1 hour 25 minutes"),
        (timedelta(days=2, hours=3), "51 hours 0 minutes"),
    ],
)
def test_a_duration_is_hours_and_minutes(length: timedelta, words: str) -> None:
    """Durations read “X hours Y minutes”, as the templates have it."""
    assert words == messages.duration(length)


@pytest.mark.parametrize(
    "mention",
    ["@here", "@channel", "@everyone", "@all", "@room", "@HERE", "<!here>", "<!channel>", "<!subteam^S123>", "a@here", "@here@channel"],
)
def test_mass_mentions_in_outside_text_wake_nobody(mention: str) -> None:
    """An alert's text or a person's name cannot call everybody together."""
    incident = known_night(title=mention, symptom=mention, summary=mention, roles={Role.COMMANDER: mention}, services=(mention,))
    for text in (messages.declared(incident, NOW), messages.page(incident), messages.executives(incident, NOW), messages.topic(incident)):
        assert mention not in text
        assert messages.plain(mention) in text


def test_a_person_called_here_is_no_mass_mention() -> None:
    """The @ that we put before a person's name does not make it a mention of everybody."""
    assert "@here" not in messages.declared(known_night(roles={Role.COMMANDER: "here"}), NOW)
    assert "@dana" in messages.declared(known_night(roles={Role.COMMANDER: "@dana"}), NOW)


def test_plain_text_stays_as_it_is() -> None:
    """Defusing mentions changes nothing else: addresses, other names and markup are kept."""
    text = "ana@example.org asked @ben about <b>5 < 6</b> | `x`"

    assert text == messages.plain(text)


def test_a_reminder_says_who_owes_what_until_when_and_how() -> None:
    """The reminder's first line is enough to act on."""
    said = messages.reminder(known_night(), clock(due=NOW + timedelta(minutes=2)), NOW)

    assert (
        "SEV1 INC-2026-0001: Checkout returns 5xx. @dana: internal update is due in 2 min (2026-11-24 03:38 UTC). "
        'tocsin update INC-2026-0001 --internal -m "…"'
    ) == said


def test_an_overdue_clock_says_how_late_and_how_often() -> None:
    """Whoever is told of a missed update hears who owes it, how late it is and how often it was missed."""
    said = messages.overdue(known_night(), clock(due=NOW - timedelta(minutes=7), times_missed=3), NOW)

    assert "OVERDUE: internal update, 7 min, missed 3 times; owed by dana." in said


def test_a_deadline_that_passed_while_nothing_ran_says_so() -> None:
    """A clock that fires late is marked with how late it was noticed."""
    said = messages.clock_spoke(clock(due=NOW - timedelta(hours=3)), NOW, overdue=True, late=timedelta(hours=3))

    assert "Internal update is overdue: it was due 3 h 00 min ago; dana owes it (noticed late by 3 h 00 min: nothing was running)" == said


def test_executives_are_asked_nothing() -> None:
    """The note to the executives says impact and commander, and that nothing is asked of them."""
    said = messages.executives(known_night(), NOW).splitlines()

    assert "SEV1 INC-2026-0001: Checkout returns 5xx. For your information; nothing is asked of you now." == said[0]
    assert "Customers are affected. Services: checkout, payments. Users affected: all of them." == said[1]


def test_a_page_says_how_to_acknowledge_it() -> None:
    """The pager's first line names severity, incident and the command; before declaring, the severity is a presumption."""
    first = messages.page(unknown_night()).splitlines()[0]

    assert "presumed SEV2 INC-2026-0001: Checkout returns 5xx. Acknowledge now: tocsin ack INC-2026-0001" == first


def test_a_long_title_leaves_room_for_what_is_asked() -> None:
    """Mail cuts a subject at 200 characters: whoever is woken by an alert of 300 reads what to do all the same, and below it the whole."""
    title = "p99 of checkout " * 18
    incident = unknown_night().model_copy(update={"title": title})
    first, whole, *_ = messages.page(incident).splitlines()

    assert first.endswith(f"…. Acknowledge now: tocsin ack {incident.id}")
    assert len(first) < 200
    assert title == whole
    assert "Nobody commands it" in messages.no_commander_page(incident)[:200]


def test_a_change_of_severity_says_which_way_and_why() -> None:
    """Raised or lowered, from what, and the reason."""
    raised = messages.severity_changed(known_night(), Severity.SEV3, "it spreads")
    lowered = messages.severity_changed(known_night(severity=Severity.SEV3), Severity.SEV2, "workaround in place")

    assert "Raised from SEV3" in raised
    assert raised.endswith("Reason: it spreads")
    assert "Lowered from SEV2" in lowered


MESSAGES: dict[str, Callable[[Incident, str], str]] = {
    "chat_down_page": lambda incident, text: messages.chat_down_page(incident, text or "-"),
    "action_item_handed_over": lambda incident, text: messages.action_item_handed_over(
        incident, ActionItem(id="AI-1", item=f"x{text}", owner="eva", due=NOW.date(), added_at=NOW), text
    ),
    "commander_page": lambda incident, text: messages.commander_page(incident, text),
    "current_status": lambda incident, _: messages.current_status(incident),
    "declared": lambda incident, _: messages.declared(incident, NOW),
    "dismissed": lambda incident, text: messages.dismissed(incident, text),
    "executives": lambda incident, _: messages.executives(incident, NOW),
    "fires_again_page": lambda incident, text: messages.fires_again_page(incident, text),
    "internal_update": lambda incident, _: messages.internal_update(incident),
    "mitigation_in_progress": lambda incident, _: messages.mitigation_in_progress(incident),
    "no_commander_page": lambda incident, _: messages.no_commander_page(incident),
    "opened": lambda incident, _: messages.opened(incident),
    "overdue": lambda incident, _: messages.overdue(incident, clock(), NOW),
    "page": lambda incident, _: messages.page(incident),
    "port_down": lambda incident, text: messages.port_down(incident, Port.CHAT, text),
    "reminder": lambda incident, _: messages.reminder(incident, clock(), NOW),
    "reopened": lambda incident, text: messages.reopened(incident, text),
    "resolved": lambda incident, _: messages.resolved(incident),
    "role_assigned": lambda incident, text: messages.role_assigned(incident, "commander", text),
    "severity_changed": lambda incident, text: messages.severity_changed(incident, Severity.SEV2, text),
    "status_page_down": lambda incident, text: messages.status_page_down(incident, text),
    "ticket_body": lambda incident, text: messages.ticket_body(incident, text),
    "told": lambda incident, text: messages.told(incident, Event(at=NOW, kind="note", by="ana", text=text)),
    "topic": lambda incident, _: messages.topic(incident),
    "triage_questions": lambda incident, _: messages.triage_questions(incident),
    "undeliverable": lambda incident, text: messages.undeliverable(incident, text, 7),
    "verification_passed": lambda incident, _: messages.verification_passed(incident),
    "verification_restarts": lambda incident, text: messages.verification_restarts(incident, text),
}
LEADS = sorted(set(MESSAGES) - {"current_status", "role_assigned", "told", "ticket_body"})
"""The messages whose first line says how bad and which incident."""

outside = st.one_of(st.text(max_size=300), st.sampled_from(["@here", "<!channel>", "{}", "%s", "\\", "**x**", "\u202e", "\n\n"]))


@pytest.mark.parametrize("name", list(MESSAGES))
@given(text=outside, title=outside, known=st.booleans())
def test_every_message_can_be_written_whatever_people_typed(name: str, text: str, title: str, known: bool) -> None:
    """No title, name or reason keeps a message from being told, and none of them calls everybody."""
    night = known_night if known else unknown_night
    said = MESSAGES[name](night(title=title, summary=text, symptom=text, services=(text,), opened_by=text), text)

    assert said
    assert "@here" not in said
    assert "<!channel>" not in said


@pytest.mark.parametrize("name", LEADS)
@pytest.mark.parametrize("known", [True, False])
def test_the_first_line_says_how_bad_and_which(name: str, known: bool) -> None:
    """A lock screen shows one line: it has the severity, or that there is none yet, and the incident."""
    first = MESSAGES[name](known_night() if known else unknown_night(), "x").splitlines()[0]

    assert "INC-2026-0001" in first
    assert first.startswith("SEV1 " if known else ("not declared ", "presumed SEV2 "))


def test_a_moment_is_utc_to_the_minute() -> None:
    """Times are written alike everywhere."""
    assert "2026-11-24 03:16 UTC" == messages.moment(datetime(2026, 11, 24, 3, 16, 59, tzinfo=UTC))
    assert "unknown" == messages.moment(None)
