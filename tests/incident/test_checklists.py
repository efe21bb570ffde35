# ruff: noqa: SIM300 - the house writes what is expected first
"""The checklists are the process's own, and people find an item by whatever they type."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident import checklists
from incident.checklists import CHECKLISTS, PHASE_OF, fresh
from incident.model import CheckState
from incident.vocabulary import Criterion, Phase

PROCESS = {
    Phase.DETECTION: """
- [ ] Alert acknowledged in monitoring system
- [ ] Initial symptom documented
- [ ] Related alerts checked
- [ ] Recent deployments checked
- [ ] Known issue list checked
""",
    Phase.TRIAGE: """
- [ ] Service dependencies mapped
- [ ] Recent changes identified
- [ ] Error patterns analyzed
- [ ] Resource utilization checked
- [ ] Initial hypothesis formed
""",
    Phase.MITIGATION: """
- [ ] Mitigation option selected with rationale
- [ ] Change approved (SEV1: skip formal, document later)
- [ ] Implementation tracked in incident channel
- [ ] Verification criteria defined
- [ ] Rollback plan ready
""",
    Phase.RESOLUTION: """
- [ ] Primary symptom verified resolved
- [ ] Metrics returned to normal
- [ ] All related alerts resolved
- [ ] Verification period completed
- [ ] Customer communication sent (if applicable)
- [ ] Status page updated to resolved
""",
    Phase.POST_INCIDENT: """
- [ ] RCA document created
- [ ] Blameless retrospective held
- [ ] Action items assigned and tracked
- [ ] Runbook updated (if applicable)
- [ ] Monitoring improved (if gaps found)
- [ ] Incident documented in knowledge base
""",
}

DECLARATION_ACTIONS = """
1. **Create incident channel** (if SEV1/SEV2):
   - Format: `#incident-YYYY-MM-DD-brief-description`
   - Post initial summary

2. **Assign Incident Commander (IC)**:
   - SEV1: Senior on-call or escalate to manager
   - SEV2/SEV3: Primary on-call

3. **Update status page** (if customer-facing):
   - Acknowledge incident
   - Set appropriate severity
   - Estimated update time
"""

PHASES = """
| **1. Detection** | Identify and confirm incident | Monitoring/On-call |
| **2. Declaration** | Assess severity, declare incident | Incident Commander |
| **3. Triage** | Identify impact and initial hypothesis | Response Team |
| **4. Mitigation** | Restore service, implement workaround | Engineering Team |
| **5. Resolution** | Permanent fix, verification | Engineering Team |
| **6. Post-Incident** | RCA, action items, documentation | Incident Commander |
"""

RESOLUTION_CRITERIA = """
1. **Primary symptom resolved** - Users no longer affected
2. **Monitoring confirms** - Metrics returned to baseline
3. **No related alerts** - All triggered alerts cleared
4. **Verification period passed** - 15 min stability for SEV1/2
"""

INITIAL_ASSESSMENT = """
   - What is the symptom?
   - What is affected?
   - When did it start?
"""

TRIAGE_QUESTIONS = """
1. What is the exact symptom?
2. What changed recently? (deployments, config, traffic)
3. What is the blast radius?
4. What is the root cause hypothesis?
5. What is the quickest path to mitigation?
"""

IDS = [
    "alert_acknowledged",
    "initial_symptom_documented",
    "related_alerts_checked",
    "recent_deployments_checked",
    "known_issues_checked",
    "channel_created",
    "commander_assigned",
    "status_page_updated",
    "dependencies_mapped",
    "recent_changes_identified",
    "error_patterns_analyzed",
    "resource_utilization_checked",
    "initial_hypothesis_formed",
    "option_selected",
    "change_approved",
    "implementation_tracked",
    "verification_criteria_defined",
    "rollback_plan_ready",
    "symptom_verified_resolved",
    "metrics_normal",
    "related_alerts_resolved",
    "verification_completed",
    "customer_communication_sent",
    "status_page_resolved",
    "rca_document_created",
    "retrospective_held",
    "action_items_assigned",
    "runbook_updated",
    "monitoring_improved",
    "knowledge_base_documented",
]


@pytest.mark.parametrize("phase", list(PROCESS))
def test_every_checklist_is_the_process_word_for_word(phase: Phase) -> None:
    """Each phase has exactly the lines that the process lists for it, in its order."""
    lines = PROCESS[phase].strip().splitlines()

    assert lines == [f"- [ ] {line.text}" for line in CHECKLISTS[phase]]


def test_the_declaration_actions_are_the_declaration_checklist() -> None:
    """Declaring an incident is the three actions of the process with the points under them."""
    said = [
        (f"{number}. {line.text}", [f"   - {point}" for point in line.points])
        for number, line in enumerate(CHECKLISTS[Phase.DECLARATION], start=1)
    ]
    blocks = [block.splitlines() for block in DECLARATION_ACTIONS.strip().replace("**", "").split("\n\n")]

    assert [(block[0].removesuffix(":"), block[1:]) for block in blocks] == said


def test_every_phase_says_what_it_is_for_and_whose_it_is() -> None:
    """The table of the six phases is the process's."""
    rows = [f"| **{phase.number}. {phase.label.title()}** | {work.focus} | {work.owner} |" for phase, work in checklists.PHASES.items()]

    assert PHASES.strip().splitlines() == rows


def test_the_four_criteria_of_resolution_are_the_process_word_for_word() -> None:
    """Three criteria are confirmed by people and the fourth is the verification period."""
    said = [f"{number}. {words}" for number, words in enumerate(checklists.RESOLUTION_CRITERIA.values(), start=1)]

    assert RESOLUTION_CRITERIA.strip().replace("**", "").splitlines() == said
    assert [*Criterion, None] == list(checklists.RESOLUTION_CRITERIA)


def test_the_questions_are_the_process_word_for_word() -> None:
    """Detection asks three questions and triage five."""
    assert INITIAL_ASSESSMENT.strip("\n").splitlines() == [f"   - {question}" for question in checklists.INITIAL_ASSESSMENT]
    assert TRIAGE_QUESTIONS.strip().splitlines() == [f"{n}. {question}" for n, question in enumerate(checklists.TRIAGE_QUESTIONS, start=1)]
    assert "Is this isolated or part of larger issue?" == checklists.RELATED_ALERTS_QUESTION


def test_the_ids_that_scripts_use_stay_what_they_are() -> None:
    """An item's id never changes: it stands in timelines and in people's scripts."""
    assert IDS == list(PHASE_OF)


def test_a_new_incident_owes_every_item() -> None:
    """All thirty items begin open, with nobody's name on them."""
    items = fresh()

    assert IDS == list(items)
    assert {CheckState.OPEN} == {item.state for item in items.values()}
    assert all(item.item == key and item.phase is PHASE_OF[key] and item.by is None for key, item in items.items())


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("rollback_plan_ready", "rollback_plan_ready"),
        ("rollback-plan-ready", "rollback_plan_ready"),
        ("Rollback Plan Ready", "rollback_plan_ready"),
        ("  rollback plan  ", "rollback_plan_ready"),
        ("rollback", "rollback_plan_ready"),
        ("CHANGE APPROVED (SEV1: skip formal, document later)", "change_approved"),
        ("Create incident channel (if SEV1/SEV2)", "channel_created"),
        ("known issue list checked", "known_issues_checked"),
        ("related_alerts", None),
        ("status-page", None),
        ("recent", None),
        ("rollback_plan_ready_now", None),
        ("plan_ready", None),
        ("", None),
        ("   ", None),
        ("-", None),
        ("日本語", None),
    ],
)
def test_an_item_is_found_by_id_words_or_beginning(typed: str, meant: str | None) -> None:
    """What people type at night finds one item or none, never a guess."""
    assert meant == checklists.find(typed)


def test_the_phase_decides_between_two_items_that_begin_alike() -> None:
    """“related alerts” means checking them in detection and resolving them in resolution."""
    assert "related_alerts_checked" == checklists.find("related alerts", Phase.DETECTION)
    assert "related_alerts_resolved" == checklists.find("related alerts", Phase.RESOLUTION)
    assert checklists.find("related alerts", Phase.TRIAGE) is None


@pytest.mark.parametrize("item", IDS)
def test_every_item_is_found_by_its_own_words(item: str) -> None:
    """The words that a person ticks are a name of the item."""
    assert item == checklists.find(fresh()[item].text.upper())


@given(st.text(max_size=200))
def test_looking_for_an_item_never_fails(typed: str) -> None:
    """Whatever is typed, the answer is an item of the process or none."""
    found = checklists.find(typed)

    assert found is None or found in PHASE_OF
