"""Every verb, pressed on the page by somebody who types what no form is prepared for: markup, scripts, right-to-left words, emoji.

A form that the script can't send, a field that the server does not know, a text that becomes markup: each shows here for the
verb that it concerns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from incident.commands import COMMANDS
from incident.effects import Port
from incident.evidence import Finding
from incident.queries import Watching
from incident.vocabulary import Phase
from starter.web.command_forms import Field, form_of_verb
from starter.web.rendering import moment
from tests.browser.conftest import PHONE, Site, Tab
from tests.browser.test_room import enter, told
from tests.incident.walk import PLAN, Walk

Open = Callable[..., Tab]
State = dict[str, Any]

HOSTILE = '<img src=x onerror="hit=1"><script>hit=1</script></textarea>\'{{ 7*7 }}${7*7} ‮עברית عربي‬ 🚨👩‍🚒 &amp; %0a'
TEXTS = ("line", "text", "lines")
SOON = "2036-12-01"
LATER = "2036-12-01T10:00:00Z"


class Press(NamedTuple):
    """One verb where it works: what is chosen in its form (the rest is typed), and what the state then holds where."""

    phase: Phase
    effect: Callable[[State], Any]
    becomes: Any
    chosen: Mapping[str, str | None] = MappingProxyType({})
    before: Callable[[Walk], object] | None = None
    severity: str | None = "SEV1"


def looked_up(walk: Walk) -> None:
    found = Finding(id="deployments", looked_up=True, text="v248 at 02:55", at=walk.now)
    walk.incident = walk.incident.model_copy(update={"findings": {found.id: found}})


def monitored(walk: Walk) -> None:
    policy = walk.incident.policy.model_copy(update={"monitoring": Watching()})
    walk.incident = walk.incident.model_copy(update={"policy": policy})


def parked(walk: Walk) -> None:
    walk.now = datetime.now(UTC)
    walk.park(Port.CHAT)


def verified(walk: Walk) -> None:
    walk.confirms()
    walk.forward(seconds=walk.incident.rule.verification.total_seconds())


def item(state: State, name: str) -> State:
    return next(each for each in state["checklist"] if each["item"] == name)


def due_at_once(state: State) -> bool:
    """The next try of what is parked was half a minute after the first, and is not waited for any more."""
    tried, again = state["deliveries"]["down"]["chat"]["down_since"], state["deliveries"]["waiting"][0]["retry_at"]
    return moment(again) - moment(tried) < timedelta(seconds=30)


FIRST_DELIVERY = "INCIDENT:1"
"""As the form calls it, once the incident has its id."""

OVER = Phase.POST_INCIDENT
PRESSES: dict[str, Press] = {
    "acknowledge": Press(Phase.DETECTION, lambda s: s["acknowledged_by"], "priya", severity=None),
    "describe": Press(
        Phase.TRIAGE,
        lambda s: (s["symptom"], s["services"][-1], s["users_affected"], s["customer_facing"], s["started_at"]),
        (HOSTILE, HOSTILE, HOSTILE, True, "2026-11-24T03:00:00Z"),
        {"customer_facing": "yes", "started_at": "2026-11-24T03:00Z"},
    ),
    "declare": Press(
        Phase.DETECTION,
        lambda s: (s["severity"], s["title"], s["summary"], s["phase"]),
        ("SEV1", HOSTILE, HOSTILE, "declaration"),
        {"severity": "SEV1", "customer_facing": "yes", "factors.complete_outage": "yes"},
        severity=None,
    ),
    "assign": Press(Phase.TRIAGE, lambda s: s["roles"]["scribe"], HOSTILE, {"role": "scribe"}),
    "change_severity": Press(Phase.TRIAGE, lambda s: s["severity"], "SEV1", {"severity": "SEV1"}, severity="SEV2"),
    "check": Press(Phase.TRIAGE, lambda s: item(s, "error_patterns_analyzed")["state"], "done", {"item": "error_patterns_analyzed"}),
    "skip": Press(Phase.TRIAGE, lambda s: item(s, "error_patterns_analyzed")["note"], HOSTILE, {"item": "error_patterns_analyzed"}),
    "advance": Press(Phase.DECLARATION, lambda s: s["phase"], "triage"),
    "post_update": Press(
        Phase.TRIAGE,
        lambda s: (s["updates"]["external"]["text"], s["updates"]["external"]["status"]),
        (HOSTILE, "identified"),
        {"audience": "external", "status": "identified"},
    ),
    "note": Press(Phase.TRIAGE, lambda s: s["seq"] > 0, True),
    "hypothesize": Press(Phase.TRIAGE, lambda s: s["hypotheses"][-1]["text"], HOSTILE),
    "mitigate": Press(
        Phase.TRIAGE,
        lambda s: [s["mitigations"][-1][name] for name in ("option", "action", "owner", "verification")],
        ["rollback", HOSTILE, HOSTILE, [HOSTILE]],
        {"option": "rollback"},
    ),
    "approve": Press(Phase.MITIGATION, lambda s: s["mitigations"][-1]["approved_by"], "priya", before=lambda w: w.does("mitigate", **PLAN)),
    "finish_mitigation": Press(
        Phase.MITIGATION,
        lambda s: s["mitigations"][-1]["succeeded"],
        True,
        {"succeeded": "yes"},
        before=lambda w: (w.does("mitigate", **PLAN), w.does("approve", by="dana", note="reviewed")),
    ),
    "confirm": Press(Phase.RESOLUTION, lambda s: bool(s["criteria"]["alerts_cleared"]), True, {"criterion": "alerts_cleared"}),
    "withdraw": Press(
        Phase.RESOLUTION, lambda s: s["criteria"]["alerts_cleared"], None, {"criterion": "alerts_cleared"}, before=Walk.confirms
    ),
    "measure": Press(
        Phase.MITIGATION,
        lambda s: [(q["name"], q["expression"], q["threshold"]) for q in s["queries"]],
        [(HOSTILE[:60].strip(), HOSTILE, 5.0)],
        {"name": HOSTILE[:60], "unit": "ms", "better": "lower", "signal": "latency", "drop": None},
        before=monitored,
    ),
    "correct": Press(Phase.TRIAGE, lambda s: s["findings"][0]["corrected_to"], HOSTILE, {"finding": "deployments"}, before=looked_up),
    "resolve": Press(
        Phase.RESOLUTION,
        lambda s: (s["root_cause"], s["fix_applied"], s["next_steps"], s["phase"]),
        (HOSTILE, HOSTILE, [HOSTILE], "post_incident"),
        before=verified,
    ),
    "reopen": Press(OVER, lambda s: s["times_reopened"], 1),
    "dispatch": Press(Phase.TRIAGE, lambda s: (s["dispatches"][-1]["specialist"], s["dispatches"][-1]["request"]), (HOSTILE, HOSTILE)),
    "file_report": Press(
        Phase.TRIAGE,
        lambda s: bool(s["dispatches"][-1]["reported_at"]),
        True,
        {"id": "1"},
        before=lambda w: w.does("dispatch", request="look"),
    ),
    "schedule_retrospective": Press(OVER, lambda s: s["retrospective_at"], LATER, {"at": LATER}),
    "add_action_item": Press(
        OVER,
        lambda s: [s["action_items"][-1][name] for name in ("item", "owner", "due", "status")],
        [HOSTILE, HOSTILE, SOON, "open"],
        {"due": SOON},
    ),
    "change_action_item": Press(
        OVER,
        lambda s: [s["action_items"][-1][name] for name in ("item", "owner", "due", "status")],
        [HOSTILE, HOSTILE, SOON, "open"],
        {"id": "AI-1", "due": SOON},
        before=lambda w: w.does("add_action_item", item="Alert on retries", owner="ben", due=SOON),
    ),
    "complete_action_item": Press(
        OVER,
        lambda s: (s["action_items"][-1]["status"], s["action_items"][-1]["done_by"]),
        ("done", "priya"),
        {"id": "AI-1"},
        before=lambda w: w.does("add_action_item", item="Alert on retries", owner="ben", due=SOON),
    ),
    "file_postmortem": Press(OVER, lambda s: s["postmortem"]["by"], "priya", {"document": f"# Post-mortem\n\n## Root Cause\n{HOSTILE}\n"}),
    "waive": Press(
        OVER,
        lambda s: s["action_items"][-1]["status"],
        "waived",
        {"obligation": "action_item:AI-1"},
        before=lambda w: w.does("add_action_item", item="Alert on retries", owner="ben", due=SOON),
    ),
    "restrict": Press(Phase.TRIAGE, lambda s: s["private"], True),
    "invite": Press(
        Phase.TRIAGE, lambda s: HOSTILE in s["members"], True, before=lambda w: w.does("restrict", by="priya", reason="breach")
    ),
    "close": Press(OVER, lambda s: s["phase"], "closed", before=Walk.settles_everything),
    "dismiss": Press(
        Phase.DETECTION,
        lambda s: (s["phase"], s["outcome"]),
        ("closed", "false_alarm"),
        {"as": "false_alarm", "duplicate_of": None},
        severity=None,
    ),
    "retry_delivery": Press(Phase.TRIAGE, due_at_once, True, {"delivery": FIRST_DELIVERY}, before=parked),
    "replace_delivery": Press(
        Phase.TRIAGE,
        lambda s: [each["says"] for each in s["deliveries"]["waiting"] if each["says"] == HOSTILE],
        [HOSTILE],
        {"delivery": FIRST_DELIVERY, "to": None},
        before=parked,
    ),
    "give_up_delivery": Press(
        Phase.TRIAGE, lambda s: s["deliveries"]["settled"][-1]["state"], "given_up", {"delivery": FIRST_DELIVERY}, before=parked
    ),
    "merge": Press(Phase.TRIAGE, lambda s: s["merging_into"], "INC-2026-0001", {"into": "INC-2026-0001"}),
}


def test_every_verb_is_pressed_here() -> None:
    """A verb that the core learns tomorrow gets its line in this table."""

    assert set(PRESSES) == set(COMMANDS)


def fill(form: Any, verb: str, field: Field, chosen: Mapping[str, str | None]) -> None:
    """Answer one field as a person does: choose what is to be chosen, type everywhere else."""
    if field.name in chosen and chosen[field.name] is None:
        return
    given = chosen.get(field.name)
    place = form.locator(f'[name="{field.name}"]')
    if verb == "post_update" and field.name == "audience":
        form.locator(f"[value={given}]").check()
    elif place.first.evaluate("field => field.tagName") == "SELECT":
        if given is not None:
            place.select_option(given)
    elif field.kind == "tick":
        if given is not None:
            place.check()
    else:
        place.fill(given if given is not None else {"number": "5"}.get(field.kind, HOSTILE))


def form(page: Any, verb: str) -> Any:
    """The form of a verb, opened as one opens it."""
    if verb != "post_update":
        page.locator(f"#do-{verb} > summary").click()
    return page.locator(f"#do-{verb} form")


@pytest.mark.parametrize("verb", list(COMMANDS))
def test_what_i_type_into_a_form_is_done_as_typed_and_stays_text(site: Site, tab: Open, verb: str) -> None:
    """Each verb's form arrives with every field, its effect is in the state, and nothing that was typed is ever run or lost."""
    press = PRESSES[verb]
    site.begins(Phase.DETECTION, severity=None)
    incident = site.begins(press.phase, before=press.before, severity=press.severity)
    window = tab()
    page = enter(window, incident)
    opened = form(page, verb)
    chosen = {name: value and value.replace("INCIDENT", incident) for name, value in press.chosen.items()}
    for field in form_of_verb(verb).fields:
        fill(opened, verb, field, chosen)
    opened.locator("button").click()
    page.wait_for_selector("#answer .notice.good")
    asked, fields = site.desk.asked[-1]
    texts = {field.name: field for field in form_of_verb(verb).fields if field.kind in TEXTS and field.name not in press.chosen}
    page.goto(f"/incidents/{incident}?timeline=all")

    assert (asked, fields["by"]) == (verb, "priya")
    assert {name: fields[name] for name in texts} == {name: [HOSTILE] if f.kind == "lines" else HOSTILE for name, f in texts.items()}
    assert press.effect(site.state(incident)) == press.becomes
    assert page.evaluate("window.hit") is None
    assert page.locator("img[src=x], script:not([src])").count() == 0
    assert window.complaints == []


REQUIRED = [verb for verb in COMMANDS if any(field.required for field in form_of_verb(verb).fields)]


def test_an_empty_field_is_told_beside_it_and_costs_nothing_of_the_rest(site: Site, tab: Open) -> None:
    """Whichever form is pressed too early, it says at the field what is missing, and keeps what stands in the others."""
    incident = site.begins(Phase.DETECTION, before=looked_up, severity=None)
    page = enter(tab(), incident)
    asked = len(site.desk.asked)
    told, kept = {}, {}
    for verb in REQUIRED:
        opened = form(page, verb)
        fields = [field for field in form_of_verb(verb).fields if field.name != "audience"]
        first = next(field for field in fields if field.required)
        for field in fields:
            if field.kind in TEXTS and field is not first:
                fill(opened, verb, field, {})
        before = values(opened)
        opened.locator("button").click()
        empty = opened.locator(f'[name="{first.name}"][aria-invalid=true]')
        empty.wait_for()
        described = empty.get_attribute("aria-describedby").split()[-1]
        label = opened.locator(f"label[for={empty.get_attribute('id')}]").inner_text().removesuffix("needed").strip()
        told[verb] = (opened.locator(f"#{described}").inner_text(), f"{label} is missing")
        kept[verb] = values(opened) == before

    assert {verb: said for verb, (said, _) in told.items()} == {verb: expected for verb, (_, expected) in told.items()}
    assert kept == dict.fromkeys(REQUIRED, True)
    assert len(site.desk.asked) == asked

    opened = page.locator("#do-note form")
    opened.locator("textarea").fill("now it says something")
    opened.locator("button").click()
    page.wait_for_selector("#answer .notice.good")

    assert opened.locator(".error, [aria-invalid]").count() == 0


def values(form: Any) -> dict[str, str]:
    found: dict[str, str] = form.evaluate("form => Object.fromEntries([...new FormData(form)].filter(([name]) => name !== 'key'))")
    return found


def test_a_hundred_kilobytes_are_told_the_limit_and_kept(site: Site, tab: Open) -> None:
    """A text that is too long is refused by name; it still stands in its field, also after the page was loaded anew."""
    incident = site.begins(Phase.TRIAGE)
    page = enter(tab(), incident)
    opened = form(page, "note")
    long = "word " * 20_000
    opened.locator("textarea").fill(long)
    opened.locator("button").click()
    page.wait_for_selector("#answer .notice.bad")
    said = opened.locator(".error").inner_text()
    page.reload()

    assert "at most 10000 characters" in said
    assert page.locator("#f-note-text").input_value() == long
    assert "note" not in site.kinds(incident)


def test_the_longest_word_that_fits_does_not_make_the_page_wider(site: Site, tab: Open) -> None:
    """Ten thousand letters without a space break where the screen ends."""
    incident = site.begins(Phase.TRIAGE)
    page = enter(tab(), incident)
    page.set_viewport_size(PHONE)
    opened = form(page, "note")
    opened.locator("textarea").fill("x" * 10_000)
    opened.locator("button").click()
    page.wait_for_selector("#answer .notice.good")
    told(page, "x" * 10_000)

    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
