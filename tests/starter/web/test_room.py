"""The room of an incident: what it shows, what its forms do, and how it says no."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import httpx2
import pytest

from incident import alerts, lifecycle, snapshot
from incident.commands import COMMANDS, parse
from incident.evidence import Finding
from incident.model import Suggestion
from incident.moments import WHILE_IT_LASTS
from incident.queries import Query
from incident.vocabulary import Phase
from starter.web.answer import refused
from starter.web.command_forms import TITLES, form_of_verb, groups
from starter.web.rendering import utc
from starter.web.room_view import RoomView
from tests.incident.measurements import look, measured_walk
from tests.incident.walk import DOCUMENT, OPENED, PLAN, Walk, alert
from tests.starter.web.memory import MemoryDesk

SCRIPT = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'&"
FRAGMENT = {"HX-Request": "true"}
TO_RESOLUTION: list[tuple[str, dict[str, Any]]] = [
    ("acknowledge", {}),
    ("advance", {"reason": "all known"}),
    (
        "mitigate",
        {
            "option": "rollback",
            "rationale": "the errors began with the release",
            "owner": "ben",
            "action": "roll back to v247",
            "verification": ["error rate under 1 %"],
            "rollback_plan": "deploy v248 again",
        },
    ),
    ("advance", {"reason": "go on"}),
    ("finish_mitigation", {"succeeded": True}),
    ("advance", {"reason": "go on"}),
]


async def opened(desk: MemoryDesk, **fields: Any) -> str:
    state = await desk.open({"by": "ana", "title": "Checkout fails", "severity": "SEV1", "customer_facing": True, **fields})
    return str(state["incident"])


async def walked(desk: MemoryDesk, incident: str, steps: list[tuple[str, dict[str, Any]]]) -> None:
    for verb, fields in steps:
        answer = await desk.command(incident, verb, {"by": "ana", **fields})
        assert answer["accepted"], answer


class Markup(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


async def test_a_room_says_how_bad_which_clock_what_now_what_blocks_and_what_happened(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """The order of the page is the order of the questions at 3 a.m."""
    page = Markup((await http.get(f"/incidents/{await opened(desk)}")).text).text
    places = [page.index(words) for words in ("SEV1", "Internal update", "Do this next", "in the way of", "Timeline")]

    assert sorted(places) == places
    assert "Acknowledge it." in page
    assert "until then people are being paged" in page


async def test_markup_in_any_field_is_shown_and_never_run(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """Whatever people, alerts and specialists write is text."""
    incident = await opened(desk, title=SCRIPT, summary=SCRIPT, symptom=SCRIPT, services=[SCRIPT], users_affected=SCRIPT)
    plan = {**TO_RESOLUTION[2][1], **dict.fromkeys(("rationale", "owner", "action", "rollback_plan"), SCRIPT), "verification": [SCRIPT]}
    item = {"item": SCRIPT, "owner": SCRIPT, "due": f"{desk.now + timedelta(days=2):%Y-%m-%d}"}
    steps = [
        ("acknowledge", {"by": SCRIPT}),
        ("assign", {"role": "commander", "person": SCRIPT}),
        ("skip", {"item": "channel_created", "reason": SCRIPT}),
        ("post_update", {"audience": "external", "text": SCRIPT}),
        ("note", {"text": SCRIPT}),
        ("add_action_item", item),
        ("dispatch", {"request": SCRIPT, "specialist": SCRIPT}),
        ("advance", {"reason": SCRIPT}),
        ("hypothesize", {"text": SCRIPT}),
        ("mitigate", plan),
    ]
    await walked(desk, incident, steps)
    pages = [(await http.get(path)).text for path in (f"/incidents/{incident}", "/", f"/incidents/{incident}?do=note&text={SCRIPT}&done=5")]

    for page in pages:
        tags = Markup(page).tags
        assert [
            attributes for tag, attributes in tags if tag == "script" and not (attributes.get("src") or "").startswith("/static/")
        ] == []
        assert [tag for tag, attributes in tags if tag == "img" or any(name.startswith("on") for name in attributes)] == []
    assert Markup(pages[0]).text.count(SCRIPT) >= 12


async def test_of_many_alerts_the_room_names_those_that_have_fired_longest(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """A storm must not push everything else off the page."""
    incident = await opened(desk)
    found = [
        alert(f"Alarm{number:03}", starts_at=OPENED + timedelta(seconds=number), instance=str(number)) for number in reversed(range(30))
    ]
    told = alerts.told(desk.incidents[incident], [each.alert() for each in found], desk.now)
    desk.incidents[incident], _ = lifecycle.record(desk.incidents[incident], told)
    page = Markup((await http.get(f"/incidents/{incident}")).text).text
    facts = page[page.index("Alarm000") :][:2_000]

    assert [f"Alarm{number:03} fires" in facts for number in range(10)] == [True] * 8 + [False] * 2
    assert "and 22 more" in facts


async def test_what_monitoring_says_is_shown_with_its_picture(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """Each query as it stands and the picture of its samples, and what was looked up, to be confirmed; all of it text."""
    incident = await opened(desk)
    name = 'errors <b>&"?'
    walk = measured_walk(Query(name=name, expression=SCRIPT, threshold=0.05))
    look(walk, {name: (0.01, 0.31, 0.02)}, firing=(SCRIPT,))
    found = Finding(id="deployments", looked_up=True, text=SCRIPT, lines=(SCRIPT,), at=walk.now)
    desk.incidents[incident] = walk.incident.model_copy(update={"id": incident, "findings": {found.id: found}})
    page = Markup((await http.get(f"/incidents/{incident}")).text)
    shown = [attributes for tag, attributes in page.tags if tag == "img"]
    drawn = await http.get(html.unescape(str(shown[0]["src"])))

    assert [str(attributes["alt"]).startswith(f"{name}: {name} is 0.31") for attributes in shown] == [True]
    assert (drawn.status_code, drawn.headers["content-type"]) == (200, "image/svg+xml")
    assert "Measurements" in page.text
    assert "Looked up" in page.text
    assert page.text.count(SCRIPT) >= 4
    assert [tag for tag, attributes in page.tags if any(name.startswith("on") for name in attributes)] == []
    assert "?do=correct&finding=deployments#do-correct" in [attributes.get("href") for _, attributes in page.tags]


async def test_every_verb_of_the_core_is_a_form_with_all_its_fields(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """A verb that the core learns tomorrow is on the page, or this fails."""
    tags = Markup((await http.get(f"/incidents/{await opened(desk)}")).text).tags
    ids = {attributes.get("id") for _, attributes in tags}
    wanted = {f"f-{verb}-{field.name.replace('.', '-')}" for verb in COMMANDS for field in form_of_verb(verb).fields}

    assert wanted - ids == set()
    assert {f"do-{verb}" for verb in COMMANDS} <= ids
    assert sorted(COMMANDS) == sorted(verb for _, verbs in groups() for verb in verbs)
    assert set(TITLES) <= set(COMMANDS)
    assert [tag for tag, attributes in tags if "disabled" in attributes] == []


async def test_a_form_carries_out_its_verb_and_leads_back(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """Without scripts a press is a redirect to the room, which says what was done."""
    incident = await opened(desk)
    answer = await http.post(f"/incidents/{incident}/do/assign", data={"role": "scribe", "person": "sam", "key": "k1"})
    page = Markup((await http.get(answer.headers["location"])).text).text

    assert answer.status_code == 303
    assert desk.asked == [("assign", {"by": "ana", "key": "k1", "via": "web", "role": "scribe", "person": "sam"})]
    assert "sam is scribe" in page


async def test_the_same_form_twice_is_one_command(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """A double click, or a reload that posts again, adds nothing."""
    incident = await opened(desk)
    for _ in range(2):
        await http.post(f"/incidents/{incident}/do/note", data={"text": "once", "key": "k1"})

    assert [verb for verb, _ in desk.asked] == ["note"]


@pytest.mark.parametrize("headers", [{}, FRAGMENT], ids=["page", "fragment"])
async def test_a_refusal_is_shown_whole_with_every_blocker_its_way_out_and_what_was_typed(
    http: httpx2.AsyncClient, desk: MemoryDesk, headers: dict[str, str]
) -> None:
    """The reason, what to do instead, each blocker with the form that mends it or the moment when it clears by itself."""
    incident = await opened(desk)
    await walked(desk, incident, TO_RESOLUTION)
    typed = {"root_cause": "A retry without a limit", "fix_applied": "Rolled back"}
    answer = await http.post(f"/incidents/{incident}/do/resolve", data=typed, headers=headers)
    page = Markup(answer.text)
    refusal = desk.entries[incident][-1].data["refusal"]
    ways = {attributes["href"] for tag, attributes in page.tags if tag == "a" and attributes.get("data-do") == "confirm"}

    assert answer.status_code == 409
    assert len(refusal["blockers"]) == 4
    assert [
        text
        for text in (refusal["message"], refusal["required_action"], *(each["message"] for each in refusal["blockers"]))
        if text not in page.text
    ] == []
    assert {f"?do=confirm&criterion={name}#do-confirm" for name in ("symptom_resolved", "metrics_at_baseline", "alerts_cleared")} <= ways
    if not headers:
        assert [text for text in typed.values() if text not in page.text] == []


async def test_a_blocker_that_clears_by_itself_says_when(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """Waiting is an answer too, with its end."""
    incident = await opened(desk)
    criteria = ("symptom_resolved", "metrics_at_baseline", "alerts_cleared")
    await walked(desk, incident, [*TO_RESOLUTION, *(("confirm", {"criterion": name, "evidence": f"graph of {name}"}) for name in criteria)])
    due = desk.incidents[incident].clocks["verification"].due
    room = Markup((await http.get(f"/incidents/{incident}")).text).text
    answer = await http.post(f"/incidents/{incident}/do/resolve", data={"root_cause": "a", "fix_applied": "b"})
    page = Markup(answer.text).text

    assert due is not None
    assert "The verification period of 15 min is not over. Clears by itself" in room
    assert f"Clears by itself at {utc(due, seconds=True)}" in page
    assert [name for name in criteria if f"graph of {name}" not in page] == []


async def test_input_of_the_wrong_shape_names_each_field_and_keeps_what_was_typed(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """Nothing is asked of the incident; the field says its rule."""
    incident = await opened(desk)
    form = {"item": "Write a test", "owner": "", "due": "soon"}
    answer = await http.post(f"/incidents/{incident}/do/add_action_item", data=form)
    tags = Markup(answer.text).tags
    invalid = {attributes["name"] for tag, attributes in tags if attributes.get("aria-invalid") == "true"}

    assert answer.status_code == 422
    assert invalid == {"owner", "due"}
    assert "Write a test" in answer.text
    assert 'value="soon"' in answer.text
    assert desk.asked == []


async def test_what_the_public_will_read_is_shown_before_it_is_posted(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """An external update that nobody has seen is a preview, not a post."""
    incident = await opened(desk)
    form = {"audience": "external", "text": "Card payments fail.", "status": "identified"}
    preview = await http.post(f"/incidents/{incident}/do/post_update", data=form)
    before = list(desk.asked)
    await http.post(f"/incidents/{incident}/do/post_update", data={**form, "seen": "yes"})

    assert "The public will read, on the status page:" in preview.text
    assert before == []
    assert [verb for verb, _ in desk.asked] == ["post_update"]


async def test_an_empty_external_update_is_no_preview(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """There is nothing to look at: the field is named."""
    answer = await http.post(f"/incidents/{await opened(desk)}/do/post_update", data={"audience": "external", "text": " "})

    assert answer.status_code == 422
    assert "What is happening is missing" in Markup(answer.text).text


async def test_with_no_worker_the_room_shows_what_lists_know_and_says_so(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """A page is better than an error; it tells how old it is and what is missing."""
    incident = await opened(desk)
    desk.working = False
    shown = await http.get(f"/incidents/{incident}")
    pressed = await http.post(f"/incidents/{incident}/do/acknowledge", data={})

    for answer in (shown, pressed):
        assert answer.status_code == 503
        assert "No worker answers." in answer.text
        assert "tocsin doctor" in answer.text
        assert "Checkout fails" in answer.text
    assert "Not done yet" in pressed.text


@pytest.mark.parametrize(
    "path", ["/incidents/INC-2026-9999", "/incidents/nonsense", "/incidents/INC-2026-9999/live", "/incidents/INC-2026-9999/badge"]
)
async def test_an_incident_that_there_is_not_is_a_404(http: httpx2.AsyncClient, path: str) -> None:
    """The page says how incidents are named."""
    answer = await http.get(path, headers={"Accept": "text/html"})

    assert answer.status_code == 404
    assert "Incidents are named like INC-2026-0001" in html.unescape(answer.text)


async def test_a_verb_that_there_is_not_is_a_404(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """A forged form does nothing."""
    answer = await http.post(f"/incidents/{await opened(desk)}/do/explode", data={})

    assert answer.status_code == 404
    assert desk.asked == []


async def test_a_forged_form_can_not_act_for_somebody_else(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """Who acts is decided by the door, not by a field; another site's form is turned away."""
    incident = await opened(desk)
    await http.post(f"/incidents/{incident}/do/note", data={"text": "x", "by": "mallory"})
    foreign = await http.post(f"/incidents/{incident}/do/note", data={"text": "y"}, headers={"Sec-Fetch-Site": "cross-site"})

    assert [asked["by"] for _, asked in desk.asked] == ["ana"]
    assert foreign.status_code == 403


async def test_long_and_strange_texts_are_told_the_rule(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """100 kB, control characters and broken encodings change nothing."""
    incident = await opened(desk)
    answers = [
        await http.post(f"/incidents/{incident}/do/note", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
        for body in (
            b"text=" + b"x" * 100_000,
            b"text=bell%07",
            b"text=%ff",
            b"&".join([b"a=1"] * 300),
            b"text=" + "\u202eعربي 🚨".encode(),
        )
    ]

    assert [answer.status_code for answer in answers] == [422, 422, 422, 422, 422]
    assert desk.asked == []


async def test_drills_and_private_incidents_look_like_what_they_are(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """Nobody takes practice for the real thing, or a secret for common knowledge."""
    drill, private = await opened(desk, drill=True), await opened(desk)
    desk.incidents[private] = desk.incidents[private].model_copy(update={"private": True})
    of_drill, of_private = [Markup((await http.get(f"/incidents/{incident}")).text).text for incident in (drill, private)]

    assert "It reaches nobody real" in of_drill
    assert "A drill does not reach the public." in of_drill
    assert "This incident is private" in of_private
    assert "A private incident does not reach the public." in of_private


async def test_the_next_step_has_one_button_in_every_phase(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """There is one thing to do first; a step that needs words leads to its form, one that needs none is pressed."""
    incident = await opened(desk)
    seen: list[tuple[str, int]] = []
    for verb, fields in [*TO_RESOLUTION, ("confirm", {"criterion": "symptom_resolved"})]:
        page = (await http.get(f"/incidents/{incident}")).text
        card = page[page.index('id="r-next"') : page.index('id="answer"')]
        primary = [attributes for tag, attributes in Markup(card).tags if "primary" in (attributes.get("class") or "").split()]
        seen.append((str(desk.incidents[incident].phase), len(primary)))
        await walked(desk, incident, [(verb, fields)])

    assert {count for _, count in seen} == {1}
    assert [phase for phase, _ in dict.fromkeys(seen)] == ["declaration", "triage", "mitigation", "resolution"]


async def test_a_link_opens_its_form_filled_in(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """`Skip` beside an item leads to the form with that item chosen, with scripts and without."""
    page = (await http.get(f"/incidents/{await opened(desk)}?do=skip&item=dependencies_mapped")).text
    form = page[page.index('id="do-skip"') :]

    assert re.match(r'id="do-skip" open', form)
    assert '<option value="dependencies_mapped" selected>' in form[: form.index("</form>")]


async def test_the_timeline_shows_key_moments_first_and_everything_on_request(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """Newest first; a reader in a hurry sees what people did."""
    incident = await opened(desk)
    await walked(desk, incident, [("acknowledge", {}), ("note", {"text": "x"})])
    pages = [(await http.get(f"/incidents/{incident}", params={"timeline": shows})).text for shows in ("key", "all", "mine", "nonsense")]
    rows = re.findall(r'<li id="t-(\d+)" class="entry k-(\w+)( key)?', pages[0])

    assert [int(seq) for seq, _, _ in rows] == sorted((int(seq) for seq, _, _ in rows), reverse=True)
    assert {kind for _, kind, key in rows if key} <= WHILE_IT_LASTS
    assert [re.search(r'data-shows="(\w+)"', page).group(1) for page in pages] == ["key", "all", "mine", "key"]  # type: ignore[union-attr]  # each has it


async def test_of_a_clock_that_is_late_for_long_the_key_moments_have_the_first_word_and_the_end(
    http: httpx2.AsyncClient, desk: MemoryDesk
) -> None:
    """Reminders every few minutes hide what people did; each of them stays under `all`."""
    desk.ahead = timedelta(minutes=-45)
    incident = await opened(desk)
    await walked(desk, incident, [("acknowledge", {})])
    for minutes in range(-44, 0):
        desk.ahead = timedelta(minutes=minutes)
        desk.tick(incident)
    desk.ahead = timedelta(0)
    await walked(desk, incident, [("post_update", {"audience": "internal", "text": "We are on it."})])
    page = (await http.get(f"/incidents/{incident}")).text
    rows = re.findall(r'<li id="t-\d+" class="entry k-(\w+)( key)?[^>]*>(.*?)</li>', page, re.DOTALL)
    late = [(bool(key), Markup(row).text) for kind, key, row in rows if kind == "overdue" and "Internal update" in row]
    update = next(Markup(row).text for kind, _, row in rows if kind == "internal_update")

    assert [key for key, _ in reversed(late)] == [True, False, False, False]
    assert re.search(r"commander owes it; 3 reminders until (\d{4}-\d\d-\d\d )?\d\d:\d\d UTC", late[-1][1])
    assert re.search(r"We are on it\. \(internal update 3[45] min( \d+ s)? late, after 3 reminders\)", update)


async def test_overdue_clocks_say_so_in_words(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """A plus, a word, and the time that it was due: readable with scripts off and in black and white."""
    desk.ahead = timedelta(minutes=-11)
    incident = await opened(desk)
    await walked(desk, incident, [("acknowledge", {})])
    desk.ahead = timedelta(0)
    page = (await http.get(f"/incidents/{incident}")).text
    card = page[page.index('data-clock="internal_update"') :]

    assert re.search(r'role="timer" aria-label="internal update" data-countdown>\+1:0\d</span> <span[^>]*>overdue', card[:600])
    assert "Post the internal update." in Markup(page).text


def test_a_closed_incident_offers_nothing_beside() -> None:
    """Nothing is at hand for what is over, except in the list of everything."""
    view = RoomView({"phase": "closed", "next": {"verb": None}}, [])

    assert view.also == []
    assert view.open is False


async def test_what_may_be_the_same_trouble_leads_to_the_form_that_merges(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """A suggested incident is named with its reason, and one step away from going on there."""
    incident = await opened(desk)
    other = Suggestion(incident="INC-2026-0002", title="Payments fail", why="both are of checkout", at=desk.now)
    desk.record(incident, [lifecycle.related(incident, other, desk.now)])
    markup = Markup((await http.get(f"/incidents/{incident}")).text)
    [link] = [of for tag, of in markup.tags if tag == "a" and of.get("aria-label") == "Merge into INC-2026-0002"]
    form = Markup((await http.get(f"/incidents/{incident}{(link['href'] or '').partition('#')[0]}")).text)

    assert "both are of checkout" in " ".join(markup.words)
    assert [of.get("value") for _, of in form.tags if of.get("name") == "into"] == ["INC-2026-0002"]


@pytest.mark.parametrize("verb", sorted(COMMANDS))
async def test_an_empty_form_names_each_field_as_the_form_does(http: httpx2.AsyncClient, desk: MemoryDesk, verb: str) -> None:
    """With scripts off as well: each mistake leads to a field that is there, by its label, and what was typed is kept."""
    incident = await opened(desk)
    answer = await http.post(f"/incidents/{incident}/do/{verb}", data={"note": "typed", "reason": "", "text": ""})
    told = re.findall(r'<a href="#(f-[\w-]+)" data-error-for="([\w.]+)">([^<]+)</a>', answer.text)
    labels = {html.unescape(found[0]): found[1].strip() for found in re.findall(r'<label[^>]* for="([^"]+)">([^<]+)', answer.text)}

    assert answer.status_code in {200, 303, 409, 422}
    assert (answer.status_code == 422) == bool(told)
    for place, name, label in told:
        assert f'id="{place}"' in answer.text, name
        assert labels.get(place, "Who is it for?") == html.unescape(label)
        assert name not in {"command", verb}


async def test_an_unknown_incident_is_told_to_people(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """No address of the API, no word of methods; programs still learn where the list is."""
    answers = [await http.get(f"/incidents/INC-2026-9999{page}", headers={"Accept": "text/html"}) for page in ("", "/audit", "/postmortem")]
    program = (await http.get("/api/v1/incidents/INC-2026-9999")).json()

    for answer in answers:
        assert answer.status_code == 404
        assert "There is no incident called INC-2026-9999, or it is one that only those in it see." in answer.text
        assert "/api/" not in answer.text
    assert "GET /api/v1/incidents lists them" in program["detail"]


def test_one_press_does_only_what_needs_no_word() -> None:
    """The primary button of every step either opens its form, or sends a command that is whole as it is."""
    walk = Walk.open(None, customer_facing=True)
    seen: dict[str, bool] = {}
    acts: list[tuple[str, dict[str, Any]]] = [
        ("acknowledge", {}),
        ("declare", {"severity": "SEV1", "customer_facing": True}),
        ("post_update", {"audience": "external", "text": "We are looking into it."}),
        ("advance", {"reason": "service first"}),
        ("hypothesize", {"text": "the release"}),
        ("mitigate", PLAN),
        ("advance", {"reason": "service first"}),
        ("finish_mitigation", {"succeeded": True}),
    ]
    for verb, fields in [*acts, ("", {})]:
        found = RoomView(snapshot.state(walk.incident, walk.now), []).next
        seen[f"{walk.incident.phase.value} {found['verb']}"] = found["press"]
        if found["press"]:
            parse(found["verb"], {"by": "ana"})
        if verb:
            walk.does(verb, **fields)
    walk.reaches(Phase.POST_INCIDENT)
    walk.does("file_postmortem", document=DOCUMENT)
    walk.does("add_action_item", item="x", owner="ben", due="2026-12-01")
    found = RoomView(snapshot.state(walk.incident, walk.now), []).next

    assert (seen["detection acknowledge"], seen["detection declare"]) == (True, False)
    assert (found["verb"], found["press"]) == ("approve", False), "a change that was made already is documented with a note"


def test_what_is_asked_for_too_early_has_a_button_that_leads_to_its_phase() -> None:
    """What else stands in the way can be seen to only there: its buttons alone would be refused in turn."""
    walk = Walk.open("SEV2")
    walk.does("acknowledge")
    refusal = walk.refused("resolve", root_cause="x", fix_applied="y")
    found = refused("resolve", refusal.model_dump(mode="json"), snapshot.state(walk.incident, walk.now))

    assert (found.code, [way.verb for way in found.ways]) == ("wrong-phase", ["advance"])
    assert len(found.obstacles) > 1


async def test_after_the_end_the_room_shows_what_comes_next(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """The next steps that were named on resolving, each with its way to become an item; and when the post-mortem was filed."""
    incident = await opened(desk)
    facts = {"next_steps": ("Limit & test",), "phase": Phase.POST_INCIDENT, "postmortem_at": desk.now}
    desk.incidents[incident] = desk.incidents[incident].model_copy(update=facts)
    page = (await http.get(f"/incidents/{incident}")).text
    links = page[page.index('id="links-title"') :].partition("</nav>")[0]

    assert "<bdi>Limit &amp; test</bdi>" in page
    assert 'href="?do=add_action_item&amp;item=Limit+%26+test#do-add_action_item"' in page.replace("%20", "+")
    assert "filed " in links
    assert "due " not in links
