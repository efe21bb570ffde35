"""The post-mortem's editor: prefilled, saved section by section, never over somebody else's text, filed when it is complete."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from incident.vocabulary import Phase
from starter.web.postmortem_page import seen
from tests.incident.walk import Walk
from tests.starter.web.nights import ONE, HeldDrafts, WalkedDesk, after, opened

PAGE = f"/incidents/{ONE}/postmortem"
DRAFT = f"/api/v1{PAGE}/draft"

WRITTEN = {
    "impact": "- **Users Affected:** all\n- **Revenue Impact:** none\n- **SLA Impact:** none",
    "what_could_be_improved": "1. The release was not watched",
    "lessons_learned": "Budget the retries.",
}
"""What people add to what the record says, before it is complete."""

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</textarea><script>alert(1)</script>",
    "{{ 7 * 7 }} {% raw %}",
    "مرحبا \N{RIGHT-TO-LEFT OVERRIDE} 🔥",
]


@pytest.fixture
async def desk() -> WalkedDesk:
    made = await WalkedDesk.made()
    assert isinstance(made, WalkedDesk)
    return made


@pytest.fixture
def drafts() -> HeldDrafts:
    return HeldDrafts()


@pytest.fixture
async def http(desk: WalkedDesk, drafts: HeldDrafts) -> AsyncIterator[httpx2.AsyncClient]:
    async with opened(desk, drafts) as client:
        yield client


def box(page: str, section: str) -> str:
    """What stands in a section's box, as a browser reads it: the first line break after the tag is not part of it."""
    found = re.search(rf'<textarea id="text-{section}"[^>]*>\n?(.*?)</textarea>', page, re.DOTALL)
    assert found is not None, f"no box for {section}"
    return html.unescape(found[1])


def posted(page: str, button: str, **typed: str) -> dict[str, str]:
    """The form as a browser without scripts posts it: every box, with what was typed over it."""
    fields = {name: html.unescape(value) for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)}
    for section in re.findall(r'name="text:([^"]+)"', page):
        fields[f"text:{section}"] = box(page, section)
    return {**fields, "into": "root-cause", **{f"text:{name.replace('_', '-')}": text for name, text in typed.items()}, "do": button}


async def test_the_draft_is_filled_from_the_timeline_and_says_from_where(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """Nobody writes down again what is on record; each line leads to its entry, and the entry stands on the same page."""
    walk = desk.holds(after())
    page = (await http.get(PAGE)).text
    sources = set(re.findall(r'href="#(entry-\d+)"', page))
    resolved = next(event.seq for event in walk.timeline if event.kind == "resolved")

    assert box(page, "summary").startswith("Checkout fails for everybody.\nana declared it SEV1 at 2026-11-24 03:00 UTC")
    assert box(page, "root-cause") == "The retry budget was exhausted."
    assert box(page, "contributing-factors") == "1. The release doubled the retries (hypothesis of ana, 2026-11-24 03:00 UTC)"
    assert f"entry-{resolved}" in sources
    assert sources <= set(re.findall(r'<li id="(entry-\d+)"', page))


async def test_a_sentence_that_is_left_as_it_was_keeps_its_entry(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """Whoever rewrites one line of the summary does not take the sources from the others."""
    desk.holds(after())
    _, *others = box((await http.get(PAGE)).text, "summary").split("\n")
    await http.put(f"{DRAFT}/summary", json={"text": "\n".join(["Nobody could pay.", *others])})
    section = (await http.get(PAGE)).text.split('id="pm-summary"')[1].split("</section>")[0]
    shown = [html.unescape(text) for text in re.findall(r'href="#entry-\d+">entry \d+</a><span>([^<]*)</span>', section)]

    assert len(others) >= 1
    assert shown == others


async def test_saving_keeps_only_what_was_changed(http: httpx2.AsyncClient, desk: WalkedDesk, drafts: HeldDrafts) -> None:
    """A box that nobody touched goes on following the record."""
    desk.holds(after())
    page = (await http.get(PAGE)).text
    answer = await http.post(PAGE, data=posted(page, "save", lessons_learned="Budget the retries.\r\nAlways."))
    again = (await http.get(PAGE)).text

    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?view=write")
    assert list(drafts.versions) == [(ONE, "lessons-learned")]
    assert box(again, "lessons-learned") == "Budget the retries.\nAlways."
    assert "version 1" in again


async def test_autosave_says_which_version_it_was(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """A script saves one section over the version that it has, and goes on from the one that it is told."""
    desk.holds(after())
    first = await http.put(f"{DRAFT}/summary", json={"text": "One."})
    second = await http.put(f"{DRAFT}/summary", json={"text": "Two.", "base": 1, "by": "ben"})

    assert [(answer.status_code, answer.json()["version"], answer.json()["by"]) for answer in (first, second)] == [
        (200, 1, "ana"),
        (200, 2, "ben"),
    ]
    assert [version["text"] for version in (await http.get(f"{DRAFT}/summary")).json()["versions"]] == ["Two.", "One."]


async def test_a_conflict_is_a_problem_with_both_versions_known(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """Whoever comes second is told what stands there, and nothing is overwritten."""
    desk.holds(after())
    await http.put(f"{DRAFT}/summary", json={"text": "Dana's.", "by": "dana"})
    answer = await http.put(f"{DRAFT}/summary", json={"text": "Ben's.", "by": "ben"})

    assert (answer.status_code, answer.json()["code"]) == (409, "draft-conflict")
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["theirs"]["text"], answer.json()["theirs"]["by"], answer.json()["theirs"]["version"]) == ("Dana's.", "dana", 1)


async def test_a_conflict_shows_both_texts_and_mine_stays_in_the_box(
    http: httpx2.AsyncClient, desk: WalkedDesk, drafts: HeldDrafts
) -> None:
    """Without scripts too: nothing typed is lost, and one press keeps mine over theirs."""
    desk.holds(after())
    page = (await http.get(PAGE)).text
    await http.put(f"{DRAFT}/summary", json={"text": "Dana's.", "by": "dana"})
    torn = await http.post(PAGE, data=posted(page, "save", summary="Mine.", lessons_learned="Also mine."))
    kept = await http.post(PAGE, data=posted(torn.text, "mine:summary"))

    assert torn.status_code == 409
    assert box(torn.text, "summary") == "Mine."
    assert "Dana&#39;s.</textarea>" in torn.text
    assert drafts.versions[ONE, "lessons-learned"][-1].text == "Also mine."
    assert kept.status_code == 303
    assert [version.text for version in drafts.versions[ONE, "summary"]] == ["Dana's.", "Mine."]


@pytest.mark.parametrize("button", ["file", "save", "add"])
async def test_no_other_button_chooses_between_two_texts(
    http: httpx2.AsyncClient, desk: WalkedDesk, drafts: HeldDrafts, button: str
) -> None:
    """While two texts stand, filing is refused, and neither is put over the other, however often it is pressed."""
    walk = desk.holds(after())
    page = (await http.get(PAGE)).text
    await http.put(f"{DRAFT}/summary", json={"text": "Dana's.", "by": "dana"})
    torn = await http.post(PAGE, data=posted(page, button, summary="Mine.", **WRITTEN))
    again = await http.post(PAGE, data=posted(torn.text, button))

    for answer in (torn, again):
        assert answer.status_code == 409
        assert box(answer.text, "summary") == "Mine."
        assert "Dana&#39;s.</textarea>" in answer.text
        assert "only then can it be filed" in answer.text
    assert walk.incident.postmortem is None
    assert [version.text for version in drafts.versions[ONE, "summary"]] == ["Dana's."]


async def test_what_is_filed_is_what_was_on_the_screen(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """A section that somebody else has written meanwhile is shown first; pressed again, it is filed with it."""
    walk = desk.holds(after())
    walk.does("add_action_item", item="Budget the retries", owner="ben", due="2026-12-01")
    page = (await http.get(PAGE)).text
    await http.put(f"{DRAFT}/root-cause", json={"text": "Dana found a leak.", "by": "dana"})
    first = await http.post(PAGE, data=posted(page, "file", **WRITTEN))
    unfiled = walk.incident.postmortem
    await http.post(PAGE, data=posted(first.text, "file"))

    assert first.status_code == 409
    assert "Not filed: others have written" in first.text
    assert box(first.text, "root-cause") == "Dana found a leak."
    assert unfiled is None
    assert "Dana found a leak." in (walk.incident.postmortem or "")
    assert "Budget the retries." in (walk.incident.postmortem or "")


async def test_a_box_that_nobody_touched_never_goes_over_a_newer_text(
    http: httpx2.AsyncClient, desk: WalkedDesk, drafts: HeldDrafts
) -> None:
    """After a mistake elsewhere the page shows the newest text of what I left alone, and saving it changes nothing."""
    desk.holds(after())
    page = (await http.get(PAGE)).text
    await http.put(f"{DRAFT}/root-cause", json={"text": "Dana found a leak.", "by": "dana"})
    wrong = await http.post(PAGE, data=posted(page, "add"))
    await http.post(PAGE, data=posted(wrong.text, "save"))

    assert wrong.status_code == 422
    assert box(wrong.text, "root-cause") == "Dana found a leak."
    assert [version.text for version in drafts.versions[ONE, "root-cause"]] == ["Dana found a leak."]


async def test_a_document_that_leaves_out_somebody_s_draft_is_not_filed(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """From the API, the command line or a form: both texts are kept, and whoever has read the other may file without it."""
    walk = desk.holds(after())
    await http.put(f"{DRAFT}/root-cause", json={"text": "Dana found a leak.", "by": "dana"})
    api, document = f"/api/v1/incidents/{ONE}/file_postmortem", "## Root Cause\nSomething else.\n"
    refused = await http.post(api, json={"by": "ben", "document": document})
    form = await http.post(f"/incidents/{ONE}/do/file_postmortem", data={"document": document}, headers={"HX-Request": "true"})
    too_old = await http.post(api, json={"by": "ben", "document": document, "seen": {"root-cause": 0}})
    nonsense = await http.post(api, json={"by": "ben", "document": document, "seen": ["root-cause"]})
    unfiled = walk.incident.postmortem
    whole = await http.post(api, json={"by": "ben", "document": "## Root Cause\nDana found a leak.\n"})
    read = await http.post(api, json={"by": "ben", "document": document, "seen": {"root-cause": 1}})
    told = refused.json()

    assert (refused.status_code, told["code"], told["theirs"]["text"]) == (409, "draft-conflict", "Dana found a leak.")
    assert "--seen root-cause=1" in told["detail"]
    assert (form.status_code, "root-cause (version 1, by dana)" in form.text) == (409, True)
    assert (too_old.status_code, nonsense.status_code, unfiled) == (409, 422, None)
    assert (whole.status_code, read.status_code) == (200, 200)


async def test_a_draft_that_was_not_filed_is_not_forgotten(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """Filed without it, the page still says that it is there, and where to read it."""
    walk = desk.holds(after())
    await http.put(f"{DRAFT}/root-cause", json={"text": "Dana found a leak.", "by": "dana"})
    walk.does("file_postmortem", document="## Root Cause\nSomething else.\n")
    page = (await http.get(f"{PAGE}?view=write")).text

    assert box(page, "root-cause") == "Something else."
    assert "Version 1 by <bdi>dana</bdi> was saved before the post-mortem was filed" in page


async def test_theirs_can_be_taken(http: httpx2.AsyncClient, desk: WalkedDesk, drafts: HeldDrafts) -> None:
    """One may find that the other text is the better one."""
    desk.holds(after())
    page = (await http.get(PAGE)).text
    await http.put(f"{DRAFT}/summary", json={"text": "Dana's.", "by": "dana"})
    torn = await http.post(PAGE, data=posted(page, "save", summary="Mine."))
    await http.post(PAGE, data=posted(torn.text, "theirs:summary"))

    assert box((await http.get(PAGE)).text, "summary") == "Dana's."
    assert len(drafts.versions[ONE, "summary"]) == 1


async def test_an_unsaved_text_is_saved_by_whatever_is_pressed_next(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """What was refused once comes back as a change, though the box looks as before."""
    desk.holds(after())
    page = (await http.get(PAGE)).text
    bad = await http.post(PAGE, data=posted(page, "save", summary="bell \x07"))
    good = await http.post(PAGE, data=posted(bad.text, "save", summary="no bell"))

    assert bad.status_code == 422
    assert "control character U+0007" in bad.text
    assert box(bad.text, "summary") == "bell \x07"
    assert good.status_code == 303


async def test_filing_puts_the_sections_together_on_record(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """What is filed is what was written, with the action items as they stand."""
    walk = desk.holds(after())
    walk.does("add_action_item", item="Budget the retries", owner="ben", due="2026-12-01")
    page = (await http.get(PAGE)).text
    answer = await http.post(PAGE, data=posted(page, "file", **WRITTEN))
    document = walk.incident.postmortem or ""
    read = (await http.get(PAGE)).text

    assert (answer.status_code, answer.headers["location"]) == (303, f"{PAGE}?view=read")
    assert "## Lessons Learned\nBudget the retries.\n" in document + "\n"
    assert "| AI-1: Budget the retries | @ben | 2026-12-01 | Open |" in document
    assert ">Filed</span>" in read.replace("\n", "")
    assert "<h2>Lessons Learned</h2>" in read


async def test_filing_is_refused_with_what_is_missing_and_the_way_there(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """A post-mortem that explains nothing is not taken; what was typed is still there, and saved."""
    walk = desk.holds(after())
    page = (await http.get(PAGE)).text
    answer = await http.post(PAGE, data=posted(page, "file", root_cause="[to come]", lessons_learned="Mine."))

    assert answer.status_code == 409
    assert "The post-mortem is not complete." in answer.text
    assert '<a href="#pm-root-cause">Go to Root Cause</a>' in answer.text
    assert (box(answer.text, "root-cause"), box(answer.text, "lessons-learned")) == ("[to come]", "Mine.")
    assert walk.incident.postmortem is None
    assert walk.timeline[-1].kind == "refused"


async def test_filing_too_early_is_refused_in_the_process_s_own_words(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """While it burns one may write already, and not file."""
    desk.holds(Walk.open("SEV1"))
    page = (await http.get(PAGE)).text
    answer = await http.post(PAGE, data=posted(page, "file", root_cause="A leak.", summary="It leaked."))

    assert answer.status_code == 409
    assert "wrong-phase" in answer.text or "post-incident" in answer.text.casefold()
    assert box(answer.text, "root-cause") == "A leak."


async def test_a_filed_post_mortem_is_amended_from_what_was_filed(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """The record keeps the filed text until it is filed again, and nothing of somebody's own layout is lost."""
    walk = desk.holds(after())
    walk.does("add_action_item", item="Budget the retries", owner="ben", due="2026-12-01")
    walk.does("file_postmortem", document="## Summary\nFiled.\n\n## Root Cause\nA leak.\n\n## Weather\nWet.\n")
    page = (await http.get(f"{PAGE}?view=write")).text
    await http.post(PAGE, data=posted(page, "save", summary="Amended."))
    amending = (await http.get(PAGE)).text
    api = (await http.get(f"/api/v1{PAGE}")).json()
    await http.post(PAGE, data=posted(amending, "file"))

    assert (box(page, "summary"), box(page, "other")) == ("Filed.", "## Weather\nWet.")
    assert "Filed, being amended" in amending
    assert (api["state"], api["document"].count("Filed."), api["document"].count("Amended.")) == ("amending", 1, 0)
    assert "Amended." in (walk.incident.postmortem or "")
    assert "## Weather\nWet." in (walk.incident.postmortem or "")


async def test_whoever_writes_over_a_filing_they_have_not_seen_is_told(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """Somebody files from the command line while I type: both texts are shown."""
    walk = desk.holds(after())
    page = (await http.get(PAGE)).text
    walk.does("file_postmortem", by="dana", document="## Summary\nFiled by Dana.\n\n## Root Cause\nA leak.\n")
    answer = await http.post(PAGE, data=posted(page, "save", summary="Mine."))

    assert answer.status_code == 409
    assert box(answer.text, "summary") == "Mine."
    assert "Filed by Dana.</textarea>" in answer.text


async def test_action_items_are_added_and_completed_from_the_page(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """Each goes through the incident's own commands, with owner and due date, and carries along what was typed."""
    walk = desk.holds(after())
    page = (await http.get(PAGE)).text
    added = await http.post(
        PAGE, data={**posted(page, "add", lessons_learned="Mine."), "item": "Budget the retries", "owner": "ben", "due": "2026-12-01"}
    )
    after_adding = (await http.get(PAGE)).text
    done = await http.post(PAGE, data=posted(after_adding, "done:AI-1"))

    assert (added.headers["location"], done.headers["location"]) == (f"{PAGE}?view=write#pm-action-items",) * 2
    assert box(after_adding, "lessons-learned") == "Mine."
    assert [(item.item, item.owner, item.done) for item in walk.incident.action_items] == [("Budget the retries", "ben", True)]


async def test_a_refused_filing_speaks_to_people_on_the_page(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """No code and no command's name: beside each sentence stands the link that leads to its section."""
    desk.holds(after())
    answer = await http.post(PAGE, data=posted((await http.get(f"{PAGE}?view=write")).text, "file"))
    refused = answer.text[answer.text.index('class="blockers"') :].partition("</ul>")[0]

    assert answer.status_code == 409
    assert "add one with its owner and due date." in refused or "write what is meant there" in refused
    assert "undocumented" not in refused
    assert "add_action_item" not in answer.text.partition('class="pm-grid"')[0]


async def test_a_next_step_becomes_an_item_without_typing_it_again(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """What was named on resolving stands beside the items with a button that fills it in; what was typed elsewhere is saved meanwhile."""
    walk = Walk.open("SEV1").reaches(Phase.RESOLUTION)
    walk.confirms()
    walk.forward(minutes=15)
    walk.does("resolve", root_cause="The retries.", fix_applied="Rolled back.", next_steps=["Limit the <retries>"])
    desk.holds(walk)
    page = (await http.get(f"{PAGE}?view=write")).text
    taken = await http.post(PAGE, data=posted(page, "take:1", lessons_learned="Budget them."))
    filled = re.search(r'<input id="item" name="item" value="([^"]*)"', taken.text)

    assert "Limit the &lt;retries&gt;" in page
    assert filled is not None
    assert html.unescape(filled[1]) == "Limit the <retries>"
    assert box(taken.text, "lessons-learned") == "Budget them."

    added = await http.post(PAGE, data={**posted(taken.text, "add"), "item": "Limit the <retries>", "owner": "ben", "due": "2030-01-01"})

    assert added.status_code == 303
    assert "Named on resolving" not in (await http.get(f"{PAGE}?view=write")).text


async def test_an_action_item_without_owner_comes_back_with_what_was_typed(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """The field that is wrong is named, and the others are kept."""
    desk.holds(after())
    page = (await http.get(PAGE)).text
    answer = await http.post(PAGE, data={**posted(page, "add"), "item": "Budget the retries", "owner": "", "due": "2026-12-01"})

    assert answer.status_code == 422
    assert '<a href="#owner">Owner</a>' in answer.text
    assert 'name="item" value="Budget the retries"' in answer.text


async def test_evidence_is_inserted_without_scripts(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """An entry becomes a line of the section that is chosen, a row in the timeline's table."""
    walk = desk.holds(after())
    entry = next(event for event in walk.timeline if event.kind == "hypothesis")
    page = (await http.get(PAGE)).text
    await http.post(PAGE, data=posted(page, f"insert:{entry.seq}", root_cause="It was this:"))
    await http.post(PAGE, data={**posted((await http.get(PAGE)).text, f"insert:{entry.seq}"), "into": "timeline"})
    found = (await http.get(PAGE)).text

    assert box(found, "root-cause") == f"It was this:\n- 2026-11-24 03:00 UTC: Hypothesis (ana): {entry.text} (entry {entry.seq})"
    assert box(found, "timeline").endswith(f"\n| 2026-11-24 03:00 | Hypothesis (ana): {entry.text} |")


async def test_the_evidence_says_when_something_was_due_and_how_late_it_came(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """Beside the draft, read a day later, "now" is another time; and the row that was inserted for it is known again."""
    walk = Walk.open("SEV1")
    walk.does("acknowledge")
    walk.forward(minutes=22)
    walk.does("post_update", audience="internal", text="We roll back")
    desk.holds(walk)
    first = next(event for event in walk.timeline if event.kind == "overdue" and event.data["clock"] == "internal_update")
    page = (await http.get(f"{PAGE}?view=write")).text
    row = html.unescape(page[page.index(f'id="entry-{first.seq}"') :].partition("</li>")[0])
    sentence = "Internal update is overdue: it was due at 03:10 UTC; commander owes it; 1 reminder until 03:22 UTC"

    assert "it was due now" not in page
    assert f'<span class="entry-text">{sentence}</span>' in row
    assert f"| Overdue: {sentence} |" in box(page, "timeline")
    assert "in Timeline" in row


@pytest.mark.parametrize("text", HOSTILE)
async def test_markup_in_every_field_is_text(http: httpx2.AsyncClient, desk: WalkedDesk, text: str) -> None:
    """Nothing that somebody writes becomes code, in the editor, read, or in the history."""
    walk = desk.holds(after(title=text[:200], summary=text))
    walk.does("note", text=text, by=text)
    walk.does("add_action_item", item=text, owner=text, due="2026-12-01")
    await http.put(f"{DRAFT}/lessons-learned", json={"text": text, "by": text})
    pages = [(await http.get(address)).text for address in (PAGE, f"{PAGE}?view=read", f"{PAGE}/history/lessons-learned", "/actions")]

    for page in pages:
        assert "alert(1)</script>" not in page.replace("&lt;/script&gt;", "")
        assert "<img" not in page
        assert "49" not in re.findall(r">(\d+) \{% raw", page)
    assert box(pages[0], "lessons-learned") == text.strip()


async def test_a_long_text_is_kept_whole(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """100 kB fit in a section; what is over the document's limit is said by name, and nothing of it is saved."""
    desk.holds(after())
    long = "x " * 50_000
    kept = await http.put(f"{DRAFT}/impact", json={"text": long})
    too_long = await http.put(f"{DRAFT}/impact", json={"text": "x" * 200_001, "base": 1})

    assert kept.status_code == 200
    assert box((await http.get(PAGE)).text, "impact") == long.strip()
    assert (too_long.status_code, too_long.json()["errors"][0]["field"]) == (422, "text")


async def test_drafts_can_be_written_while_no_worker_answers(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """What was saved is shown, saving works, and the page says what it can't know."""
    desk.holds(after())
    await http.put(f"{DRAFT}/summary", json={"text": "Saved before."})
    desk.working = False
    page = (await http.get(PAGE)).text
    saved = await http.post(PAGE, data=posted(page, "save", summary="Saved meanwhile."))

    assert "No worker answers" in page
    assert box(page, "summary") == "Saved before."
    assert 'name="text:root-cause"' not in page
    assert saved.status_code == 303
    assert (await http.put(f"{DRAFT}/root-cause", json={"text": "A leak."})).status_code == 200


async def test_filing_while_no_worker_answers_keeps_what_was_typed(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """It is said that nobody works, and the text is saved."""
    desk.holds(after())
    await http.put(f"{DRAFT}/summary", json={"text": "Saved before."})
    desk.working = False
    page = (await http.get(PAGE)).text
    answer = await http.post(PAGE, data=posted(page, "file", summary="Typed now."))

    assert answer.status_code == 503
    assert box(answer.text, "summary") == "Typed now."


@pytest.mark.parametrize(
    ("method", "address", "body", "status"),
    [
        ("GET", "/incidents/INC-2026-0009/postmortem", None, 404),
        ("PUT", "/api/v1/incidents/INC-2026-0009/postmortem/draft/summary", {"text": "x"}, 404),
        ("PUT", f"{DRAFT}/nonsense", {"text": "x"}, 404),
        ("PUT", f"{DRAFT}/action-items", {"text": "x"}, 422),
        ("PUT", f"{DRAFT}/summary", {"text": "x", "base": -1}, 422),
        ("PUT", f"{DRAFT}/summary", {"text": "x", "colour": "red"}, 422),
        ("PUT", f"{DRAFT}/summary", {}, 422),
        ("GET", f"{PAGE}/history/nonsense", None, 404),
        ("POST", PAGE, {"do": "destroy"}, 404),
        ("POST", PAGE, {"do": "save", "text:summary": "x", "base:summary": "many"}, 422),
        ("POST", PAGE, {}, 303),
        ("POST", "/incidents/INC-2026-0999/postmortem", {}, 404),
        ("POST", "/incidents/INC-2026-0999/postmortem", {"do": "save"}, 404),
    ],
)
async def test_what_makes_no_sense_is_said_so(
    http: httpx2.AsyncClient, desk: WalkedDesk, method: str, address: str, body: Any, status: int
) -> None:
    """Forged forms and foreign names change nothing and break nothing."""
    desk.holds(after())
    sent: dict[str, Any] = {"data": body} if method == "POST" else {"json": body} if method == "PUT" else {}

    assert (await http.request(method, address, **sent)).status_code == status


async def test_where_every_post_mortem_stands(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """Owed ones with their due time and whose hand was last on them, then the filed ones; drills are marked."""
    desk.holds(after())
    filed = desk.holds(after("SEV3", drill=True), "INC-2026-0002")
    filed.does("file_postmortem", document="## Root Cause\nA leak.\n")
    desk.holds(Walk.open("SEV1"), "INC-2026-0003")
    await http.put(f"{DRAFT}/summary", json={"text": "x", "by": "ben"})
    page = (await http.get("/postmortems")).text
    api = (await http.get("/api/v1/postmortems")).json()["postmortems"]

    assert [(row["incident"], row["state"] == "filed", (row["draft"] or {}).get("by"), row["drill"]) for row in api] == [
        (ONE, False, "ben", False),
        ("INC-2026-0002", True, None, True),
    ]
    assert "in work: <bdi>ben</bdi>" in page
    assert "To write (1)" in page
    assert "INC-2026-0003" not in page


async def test_a_door_with_nothing_to_write_about_says_so(http: httpx2.AsyncClient) -> None:
    """On the first day the lists teach instead of being blank."""
    pages = [(await http.get(address)).text for address in ("/postmortems", "/actions", "/analytics")]

    assert "Nothing owed." in pages[0]
    assert "tocsin action add" in pages[1]
    assert "tocsin drill" in pages[2]


async def test_the_document_is_exported_as_markdown(http: httpx2.AsyncClient, desk: WalkedDesk) -> None:
    """The draft in work, and once filed what was filed, as a file of its own."""
    walk = desk.holds(after())
    draft = await http.get(f"{PAGE}.md")
    walk.does("file_postmortem", document="## Root Cause\nA leak.\n")
    filed = await http.get(f"{PAGE}.md")

    assert draft.headers["content-disposition"] == f'attachment; filename="{ONE}-postmortem.md"'
    assert draft.headers["content-type"].startswith("text/markdown")
    assert draft.text.startswith("# Incident Post-Mortem: Checkout returns 5xx\n")
    assert filed.text == "## Root Cause\nA leak."


def test_a_text_has_the_same_mark_however_a_browser_breaks_its_lines() -> None:
    """Forms send CRLF, and that is no change."""
    assert seen("one\r\ntwo\r\n") == seen("one\ntwo")
