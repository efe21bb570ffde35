"""What people say to get round the process is recognised, and an honest reason is not mistaken for it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident import rationalizations
from incident.rationalizations import RATIONALIZATIONS, Rationalization, downgrade_problem, rationalization
from incident.vocabulary import Severity

ANTI_RATIONALIZATION = """
| "Document later, fix first" | Memory fades in hours | **Document AS you fix** |
| "Small incident, skip RCA" | Small incidents reveal systemic issues | **RCA for SEV1/SEV2 minimum** |
| "Root cause is obvious" | Obvious != correct | **Investigate with data** |
| "Skip verification period" | Premature resolution = reopen | **Wait full verification period** |
"""

PRESSURE = """
| "Mark resolved now, verify later" | "Cannot mark resolved until verification complete. This prevents reopened incidents." |
| "Skip the RCA, we know what happened" | "RCA is mandatory for this severity. Schedule within required timeline." |
| "No time for documentation" | "Real-time documentation takes 30 seconds per event. Memory loss causes worse rework." |
"""

SEVERITY_REFUSALS = """
| "only a few users" | assess the business impact, not only the count |
| "nobody has complained" | check the monitoring data |
| "it works for me" | check more than one perspective |
| "a similar one was SEV3" | assess each incident on its own |
"""

PEOPLE_SAY = {
    "DOCUMENT_LATER": [
        "Document later, fix first",
        "we'll document later",
        "We’ll write it up tomorrow.",
        "docs can come afterwards",
        "will document everything once it's over",
        "fix it first",
        "Fix first, paperwork later",
        "notes after the incident",
        "I'll write this down when things calm down",
        "documentation later, please",
        "let's write it up in the morning",
        "we will fill this in later",
        "documenting after the fix",
        "later we can document it",
        "fix it first then write the notes",
        "No docs now, I'll document it all later",
    ],
    "SMALL_INCIDENT": [
        "Small incident, skip RCA",
        "skip the RCA, small incident",
        "no RCA needed",
        "RCA not needed for this one",
        "It was just a small incident",
        "minor issue",
        "the post-mortem is overkill",
        "we don't need a postmortem",
        "not worth a post-mortem",
        "too small for an RCA",
        "post-mortem isn't necessary here",
        "Skip the retro",
        "waive the RCA",
        "no point in doing a root cause analysis",
        "don't bother with the RCA",
        "let's skip the post mortem this time",
        "why not skip the RCA",
    ],
    "OBVIOUS_CAUSE": [
        "Root cause is obvious",
        "root cause obvious",
        "The cause is clear.",
        "it's obvious",
        "obviously the deploy",
        "no need to investigate",
        "we know the root cause",
        "we all know why",
        "cause's obvious, moving on",
        "the cause was pretty obvious",
        "obvious root cause",
    ],
    "SKIP_VERIFICATION": [
        "Skip verification period",
        "just skip the verification",
        "no need to wait 15 minutes",
        "verification isn't necessary",
        "we don't need to verify",
        "can't wait another 15 minutes",
        "resolve without waiting",
        "skip the 15 min wait",
        "verification period not needed",
        "Why bother with verification?",
        "shorten the verification period",
        "skip waiting",
        "don't want to wait 15 min",
        "bypass the stability period",
        "the verification is a waste of time",
        "why not just skip verification?",
    ],
    "VERIFY_LATER": [
        "Mark resolved now, verify later",
        "verify later",
        "close it now and check later",
        "we'll verify it tomorrow",
        "just close it",
        "please mark it resolved",
        "resolve now, test afterwards",
        "Mark as resolved now",
        "just resolve it already",
        "verification can happen later",
        "close this now",
        "Mark it resolved now, we can verify in the morning",
    ],
    "CAUSE_KNOWN": [
        "Skip the RCA, we know what happened",
        "we know what happened",
        "everyone knows what happened, skip the post-mortem",
        "We already know exactly what it was",
    ],
    "NO_TIME": [
        "No time for documentation",
        "no time to document",
        "not enough time to write things down",
        "too busy to take notes",
        "we have no time",
        "No time!",
        "documentation slows us down",
        "paperwork can wait",
        "we don't have time for notes",
        "no time",
        "busy fixing, can't write docs",
        "Sorry, no time right now",
        "too busy",
        "we don't have time to document",
    ],
    "FEW_USERS": [
        "only a few users",
        "just a handful of customers",
        "only 3 users affected",
        "hardly anyone uses it",
        "few users",
        "very few customers affected",
        "not many users are affected",
        "only some internal users",
        "a small number of users",
        "only a couple of our customers",
        "It's only a few users.",
    ],
    "NO_COMPLAINTS": [
        "nobody has complained",
        "nobody complained",
        "no complaints",
        "no one noticed",
        "no customers have reported anything",
        "nobody cares",
        "users haven't complained",
        "no support tickets",
        "zero complaints so far",
        "we haven't had any complaints",
        "no customer complaints",
        "noone complained yet",
        "customers didn't notice",
        "Nobody has complained.",
    ],
    "WORKS_FOR_ME": [
        "it works for me",
        "works for me",
        "works on my machine",
        "looks fine to me",
        "fine here",
        "works fine here",
        "I can't see any problem",
        "loads fine from my laptop",
        "It's working OK for me",
        "It works for me!",
    ],
    "SIMILAR_ONE": [
        "a similar one was SEV3",
        "similar one was SEV3",
        "the last one was a SEV-3",
        "last time it was SEV3",
        "same issue was sev 3 last month",
        "INC-2026-0004 was SEV3 too",
        "such things are usually SEV3",
        "previous outage got SEV2",
        "a similar incident was rated SEV3",
    ],
}

HONEST = [
    "rollback done, root cause obvious from the diff",
    "root cause is clear from the logs: pool exhausted",
    "The cause is clear, see https://grafana/x",
    "root cause not obvious yet",
    "no obvious cause so far",
    "cause unclear",
    "not clear what the cause is",
    "SEV3, RCA is optional",
    "RCA scheduled for Thursday",
    "post-mortem is covered by INC-2026-0003",
    "no RCA yet, meeting is Monday at 10",
    "Duplicate of INC-2026-0002, whose RCA covers this",
    "do not skip the RCA",
    "RCA document is filed in the wiki",
    "SEV3 has no verification period",
    "do not skip verification",
    "we must not skip the verification period",
    "verification failed, trying failover",
    "waiting for approval",
    "verification criteria are in the ticket",
    "verified with synthetic checks in three regions",
    "documented in the channel",
    "documented in OPS-12",
    "Change approved: SEV1, formal approval skipped, will document later",
    "no documentation exists for this legacy service",
    "notes are in the incident channel",
    "runbook update tracked as AI-3",
    "wiki is down, cannot open the known issue list",
    "no deployments in the last 24 hours",
    "service has no dependencies",
    "not customer-facing, internal tool only",
    "no status page component for this service",
    "no customers affected",
    "nobody on call for this role",
    "monitoring shows nothing unusual, nobody complained and error rate is 0.1 %",
    "nobody has reported this before",
    "no errors in monitoring",
    "error rate back to baseline",
    "primary service restored, no data loss, breach contained",
    "under 10 % of users affected, workaround in place, no risk of growth",
    "only 4 % of users remain affected",
    "workaround in place and only a few users affected, business impact assessed as low",
    "rolled back to v241",
    "traffic is served from the standby region",
    "works for all regions, synthetic checks green",
    "does not work for me either",
    "similar to INC-2026-0004, but assessed on its own",
    "no time zone data in the logs",
    "no time to roll back, failing over instead",
    "alerts cleared at 03:10",
    "already done during triage by Ana",
    "the same alert fires in staging",
    "raise: half of the users cannot pay",
    "we closed the connection pool leak",
    "marked the node as unschedulable",
    "checked with the payments team",
    "cannot reproduce on any node",
    "last deploy was at 02:10, before SEV2 was declared",
    "the small cluster was drained",
    "drop in traffic is caused by the DNS change",
    "ignoring the flapping disk alert, ticket OPS-9",
    "nothing to verify: the host was removed",
    "restart fixed it, watching the graphs",
    "the status page was updated by Dana at 03:12",
    "users were told at 03:20",
    "few pods restarted",
    "capacity dashboards are unavailable while the monitoring cluster is down",
    "no capacity problem: CPU at 20 %",
    "channel not needed for SEV3",
    "no channel: SEV3",
    "single-node service, no failover",
    "waiting for the vendor",
    "the fix is rolled out",
    "known issue list has no entry for this",
    "customer communication was not needed, nobody outside was affected",
    "gap was found and monitoring ticket OPS-77 filed",
    "no gaps found in monitoring",
    "knowledge base article KB-12 written",
    "retrospective held on 2026-11-25",
    "no action items came out of the retrospective",
    "root cause is a bad config push, confirmed by bisect",
    "Rationale in ticket",
    "N/A",
    "not applicable",
    "",
    "x",
    "日本語の理由",
    "the alert is a duplicate",
    "we rotated the keys; the verification job passed",
    "no runbook exists for this service",
    "Deploy frozen since Friday",
    "Only one user-facing service depends on it",
    "only two customers are on this shard, revenue impact assessed at 40 EUR per hour",
    "Rolled back; only a few users still see cached errors",
    "this is not a case of 'works for me'",
    "we are not going to skip the RCA",
    "verification period completed at 03:25",
    "refused to skip verification when asked",
    "Postmortem owner is Dana, due Thursday",
    "the docs team was told",
    "Scheduled with the vendor, RCA follows their report; meeting booked",
]

SAID = [(row, text) for row, texts in PEOPLE_SAY.items() for text in texts]


def row_named(name: str) -> Rationalization:
    found = getattr(rationalizations, name)
    assert isinstance(found, Rationalization)
    return found


def test_the_table_is_the_process_word_for_word() -> None:
    """The four rationalizations, the three pressures and the four refusals of severity, with what is required instead."""
    anti, pressure, severity = RATIONALIZATIONS[:4], RATIONALIZATIONS[4:7], RATIONALIZATIONS[7:]

    assert ANTI_RATIONALIZATION.strip().splitlines() == [f'| "{row.said}" | {row.wrong} | **{row.required_action}** |' for row in anti]
    assert PRESSURE.strip().splitlines() == [f'| "{row.said}" | "{row.answer}" |' for row in pressure]
    assert SEVERITY_REFUSALS.strip().splitlines() == [f'| "{row.said}" | {row.required_action} |' for row in severity]


def test_every_row_has_its_phrases() -> None:
    """Nothing in the table goes unrecognised."""
    assert {row.said for row in RATIONALIZATIONS} == {row_named(name).said for name in PEOPLE_SAY}


@pytest.mark.parametrize(("name", "text"), SAID, ids=[text for _, text in SAID])
def test_what_people_really_type_is_recognised(name: str, text: str) -> None:
    """However it is put, a rationalization is answered with its own row."""
    assert row_named(name) == rationalization(text)


@pytest.mark.parametrize("text", HONEST)
def test_an_honest_reason_is_not_mistaken(text: str) -> None:
    """A reason that cites what was measured, done or agreed passes, even with the same words in it."""
    found = rationalization(text)

    assert None is (found and found.said)


@pytest.mark.parametrize(
    "reason",
    [
        "primary service restored, no data loss, breach contained",
        "Rolled back to v247",
        "the rollback brought checkout back",
        "failed over to eu-west-2",
        "workaround in place",
        "a work-around is in place for the affected users",
        "under 10 % of users remain affected",
        "down to 4% of users",
        "<10 % affected",
        "less than 5 percent affected",
        "error rate back to normal",
        "error rate is at 0",
        "errors dropped after the restart",
        "Service is stable since 03:10",
        "mitigated by scaling out",
        "scaled up, latency near baseline",
        "the breach is contained",
        "no data is being lost",
        "No further risk",
        "partial outage only: EU is unaffected",
        "it was not a complete outage",
        "Checkout works again",
        "payments recovered",
        "replica took over",
        "the feature is switched off",
        "users are no longer affected",
        "fixed by the vendor",
        "healthy again since ten minutes",
    ],
)
def test_a_severity_is_lowered_for_an_improvement(reason: str) -> None:
    """One thing that got better is reason enough to lower a severity."""
    assert downgrade_problem(Severity.SEV1, Severity.SEV2, reason) is None
    assert downgrade_problem(Severity.SEV2, Severity.SEV3, reason) is None


@pytest.mark.parametrize(
    "reason",
    [
        "too many pages",
        "it is not that bad",
        "management wants it lower",
        "only a few users",
        "nobody has complained",
        "not restored yet",
        "will be restored soon",
        "should recover in a moment",
        "no workaround",
        "no rollback possible",
        "unstable",
        "cannot be fixed today",
        "hopefully fixed tonight",
        "everything is quiet in the chat",
        "SEV1 is too loud",
        "x",
    ],
)
def test_a_severity_is_not_lowered_for_anything_else(reason: str) -> None:
    """Wishes, promises and noise do not lower a severity."""
    assert downgrade_problem(Severity.SEV1, Severity.SEV2, reason) is not None


def test_a_refused_lowering_names_the_conditions_of_its_step() -> None:
    """Whoever lowers without a reason is told what has to hold, step by step."""
    first = "SEV1→2 when the primary service is restored, no data is being lost and any breach is contained"
    second = "SEV2→3 when under 10 % of users remain affected, a workaround is in place and there is no risk of it growing"
    said = "The reason does not say what has improved. A severity is lowered"

    assert f"{said} {first}." == downgrade_problem(Severity.SEV1, Severity.SEV2, "quiet")
    assert f"{said} {second}." == downgrade_problem(Severity.SEV2, Severity.SEV3, "quiet")
    assert f"{said} {first}; {second}." == downgrade_problem(Severity.SEV1, Severity.SEV3, "quiet")


@pytest.mark.parametrize(("before", "after"), [("SEV3", "SEV1"), ("SEV2", "SEV1"), ("SEV2", "SEV2")])
def test_raising_never_needs_more_than_a_reason(before: str, after: str) -> None:
    """Raising a severity is never a problem of its reason."""
    assert downgrade_problem(Severity(before), Severity(after), "a hunch") is None


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    """No reason, however strange, stops the process."""
    found = rationalization(text)

    assert found is None or found in RATIONALIZATIONS
    assert isinstance(downgrade_problem(Severity.SEV1, Severity.SEV3, text), str | None)


@pytest.mark.parametrize(
    "word", ["skip ", "only a few ", "document it ", "we know ", "a", "nobody is has have ", "verify, ", ", ", "last similar ", "\n"]
)
def test_the_longest_text_is_read_at_once(word: str) -> None:
    """A reason of ten thousand characters, made to be slow to read, takes no noticeable time."""
    text = word * (10_000 // len(word))
    began = time.perf_counter()
    rationalization(text)
    downgrade_problem(Severity.SEV1, Severity.SEV3, text)

    assert time.perf_counter() - began < 1
