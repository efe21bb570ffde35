"""`/incidents/{id}/postmortem`: the post-mortem, written section by section beside the evidence. `/postmortems`: where all stand.

The whole draft is one form, so that with scripts off every button carries all that was typed. Only what was changed is saved;
where somebody else was quicker, both texts are shown and nothing is overwritten. A section goes on saying which version its
writer has seen until they have chosen, by its own buttons, between the two; no other button chooses for them. What is filed is what
was on the screen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from incident.events import BEHIND_THE_SCENES, Event
from incident.lateness import Lateness
from incident.postmortem import NOT_WRITTEN_HERE, event_line
from incident.postmortem import told as entry_told
from incident.vocabulary import Phase
from starter.analytics import Records
from starter.desk import Desk
from starter.postmortem import TITLES, Postmortems, Saving, Work, overdue, readable, told
from starter.problems import Conflict, Invalid, Problem, Refused, Unavailable, Unknown
from starter.record_api import standing, writer
from starter.web.forms import Form, form_of
from starter.web.markdown import rendered
from starter.web.rendering import page, who

WRITABLE = [name for name, title in TITLES.items() if title not in NOT_WRITTEN_HERE]


def seen(text: str) -> str:
    """A mark of a text as it was shown: what comes back with the same mark was not changed."""
    plain = text.replace("\r\n", "\n").strip()
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass
class Trouble:
    """What came of a form that could not be carried out whole; `typed` is what stood in its boxes."""

    typed: dict[str, str] = field(default_factory=dict)
    begun: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Version and filing from which each text was written that could not be saved."""
    newer: dict[str, str] = field(default_factory=dict)
    """Sections that others have written since this page was opened, and who did."""
    theirs: dict[str, dict[str, Any]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    problem: Problem | None = None

    @property
    def status(self) -> int:
        if self.theirs or self.newer:
            return Conflict.status
        if self.errors:
            return Invalid.status
        return self.problem.status if self.problem is not None else 200


def router(desk: Desk, records: Records, writing: Postmortems) -> APIRouter:
    router = APIRouter()

    @router.get("/postmortems")
    async def list_postmortems(request: Request) -> HTMLResponse:
        rows = await standing(records, writing, datetime.now(UTC))
        return page(request, "postmortems.html", rows=rows)

    @router.get("/incidents/{incident}/postmortem")
    async def show_postmortem(incident: str, request: Request, view: str = "") -> HTMLResponse:
        """The filed document, or the draft in work; `view` is `write` or `read` where the other is wanted."""
        return await shown(incident, request, view, Trouble())

    @router.get("/incidents/{incident}/postmortem.md")
    async def export_postmortem(incident: str, draft: bool = False) -> Response:
        """The document as Markdown, to keep."""
        work = await writing.work(incident)
        document = work["document"] if draft or work["filed"] is None else work["filed"]
        headers = {"Content-Disposition": f'attachment; filename="{incident}-postmortem.md"'}
        return PlainTextResponse(document, media_type="text/markdown", headers=headers)

    @router.get("/incidents/{incident}/postmortem/history/{section}")
    async def show_history(incident: str, section: str, request: Request) -> HTMLResponse:
        versions = [told(version) for version in await writing.history(incident, section)]
        return page(request, "postmortem_history.html", incident=incident, title=TITLES[section], section=section, versions=versions)

    @router.post("/incidents/{incident}/postmortem")
    async def write_postmortem(incident: str, request: Request) -> Response:
        """Save what was changed, then do what the pressed button says."""
        form = await form_of(request)
        await desk.row(incident)  # a form with nothing to save reaches nobody who would miss the incident
        act, _, of = form.text("do", "save").partition(":")
        by = writer(request, who(request))
        trouble = Trouble(fields={name: form.text(name) for name in ("item", "owner", "due")})
        if act not in {"save", "file", "add", "done", "take", "insert", "mine", "theirs"}:
            raise Unknown(f"{act[:60]!r} is no button of this page.")
        seen_now = await save_changed(incident, form, by, trouble, Pressed(act, of))
        place = of if act in {"save", "mine", "theirs"} and of in TITLES else ""
        if trouble.status != 200:
            return await shown(incident, request, "write", trouble)
        try:
            if act == "file":
                trouble.newer = await not_seen(incident, seen_now)
                if trouble.newer:
                    return await shown(incident, request, "write", trouble)
                document = (await writing.work(incident))["document"]
                await carry_out(incident, "file_postmortem", {"by": by, "document": document})
                return RedirectResponse(f"/incidents/{incident}/postmortem?view=read", status_code=303)
            if act == "add":
                await carry_out(incident, "add_action_item", {"by": by, **trouble.fields})
                place = "action-items"
            if act == "take":
                steps = (await writing.work(incident))["next_steps"]
                trouble.fields["item"] = next((step for number, step in enumerate(steps, start=1) if str(number) == of), "")
                return await shown(incident, request, "write", trouble)
            if act == "done":
                await carry_out(incident, "complete_action_item", {"by": by, "id": of})
                place = "action-items"
        except (Refused, Invalid, Conflict, Unavailable) as problem:
            trouble.problem = problem
            return await shown(incident, request, "write", trouble)
        place = form.text("into") if act == "insert" and form.text("into") in TITLES else place
        return RedirectResponse(f"/incidents/{incident}/postmortem?view=write" + (f"#pm-{place}" if place else ""), status_code=303)

    async def carry_out(incident: str, verb: str, fields: dict[str, Any]) -> None:
        answer = await desk.command(incident, verb, fields)
        if not answer["accepted"]:
            raise Refused(answer)

    async def save_changed(incident: str, form: Form, by: str, trouble: Trouble, pressed: Pressed) -> dict[str, tuple[int, int]]:
        """Save each section that came back otherwise than it was shown; keep every text, saved or not.

        Gives the version and the filing of each section that this page has seen.
        """
        into = form.text("into", "root-cause")
        shown: dict[str, tuple[int, int]] = {}
        for name in WRITABLE:
            if f"text:{name}" not in form or pressed.takes_theirs(name):
                continue
            text = form.text(f"text:{name}").replace("\r\n", "\n")
            if pressed.act == "insert" and name == into:
                text = await with_event(incident, text, name, pressed.of)
            shown[name] = begun = begun_from(form, name, settled=pressed.keeps_mine(name))
            if seen(text) == form.text(f"seen:{name}"):
                continue
            trouble.typed[name] = text
            try:
                asked = Saving(text=readable(text), base=begun[0], filing=begun[1])
                saved = await writing.save(incident, name, asked, by)
                shown[name] = (saved.version, saved.filing)
            except Conflict as conflict:
                trouble.theirs[name] = conflict.more["theirs"]
                trouble.begun[name] = begun
            except (Invalid, Unavailable) as error:
                trouble.errors[name] = error.detail
                trouble.begun[name] = begun
        return shown

    async def not_seen(incident: str, shown: Mapping[str, tuple[int, int]]) -> dict[str, str]:
        """The sections that say something else now than this page has shown, and who wrote them."""
        work = await writing.work(incident)
        found = {}
        for section in work["sections"]:
            version, filing = shown.get(section["section"], (section["version"], work["filing"]))
            if filing < work["filing"]:
                found[section["section"]] = work["by"] or "somebody"
            elif version < section["version"] and section["by"]:
                found[section["section"]] = section["by"]
        return found

    async def with_event(incident: str, text: str, name: str, seq: str) -> str:
        timeline = await desk.timeline(incident)
        late = Lateness(timeline)
        found = [inserted(entry, name, late) for entry in timeline if str(entry["seq"]) == seq]
        return "\n".join([*([text.rstrip()] if text.strip() else []), *found])

    async def shown(incident: str, request: Request, view: str, trouble: Trouble) -> HTMLResponse:
        now = datetime.now(UTC)
        try:
            work = await writing.work(incident)
            timeline = await desk.timeline(incident)
            silent = None
        except Unavailable as problem:
            work, timeline, silent = await unheard(incident), [], problem
        actor = getattr(request.state, "actor", None)
        may_write = actor is None or actor.may("file_postmortem")
        reading = not may_write or view == "read" or (work["state"] == "filed" and view != "write")
        if work["phase"] == Phase.CLOSED.value and not trouble.typed:
            reading = True
        sections: list[dict[str, Any]] = [laid_out(section, work["filing"], trouble) for section in work["sections"]]
        items = [{**item, "overdue": overdue(item, now.date())} for item in work["action_items"]]
        late = Lateness(timeline)
        evidence = [evident(entry, sections, late) for entry in timeline if entry["kind"] not in BEHIND_THE_SCENES]
        shown_document = work["filed"] if work["filed"] is not None and view != "write" and work["state"] == "filed" else work["document"]
        return page(
            request,
            "postmortem_read.html" if reading else "postmortem.html",
            status=trouble.status,
            work=work,
            sections=[section for section in sections if section["text"] or section["section"] != "other"],
            items=items,
            evidence=evidence,
            trouble=trouble,
            problem=trouble.problem.document() if trouble.problem is not None else None,
            missing={item["section"] for item in work["missing"]},
            silent=silent,
            may_write=may_write and work["phase"] != Phase.CLOSED.value,
            document=rendered(shown_document),
        )

    async def unheard(incident: str) -> Work:
        """What can be shown while no worker answers: the row, and what was saved."""
        row = await desk.row(incident)
        kept = await writing.kept(incident)
        sections: list[dict[str, Any]] = [
            {
                "section": name,
                "title": title,
                "text": kept[name].text if name in kept else "",
                "version": kept[name].version if name in kept else 0,
                "by": kept[name].by if name in kept else None,
                "at": told(kept[name])["at"] if name in kept else None,
                "writable": name in kept,
                "prefilled": False,
                "filled": True,
                "missing": None,
                "lines": [],
                "unfiled": None,
            }
            for name, title in TITLES.items()
        ]
        known = {name: row.get(name) for name in ("incident", "title", "severity", "phase", "drill", "private", "commander")}
        unknown = {
            "state": "draft",
            "mandatory": False,
            "due": None,
            "filed_at": None,
            "by": None,
            "action_items": [],
            "next_steps": [],
            "filed": None,
        }
        filing = max((version.filing for version in kept.values()), default=0)
        return {**known, **unknown, "filing": filing, "sections": sections, "missing": [], "gaps": [], "document": ""}

    return router


class Pressed(NamedTuple):
    """Which button was pressed: `act`, and of which section or entry."""

    act: str
    of: str

    def takes_theirs(self, section: str) -> bool:
        return (self.act, self.of) == ("theirs", section)

    def keeps_mine(self, section: str) -> bool:
        return (self.act, self.of) == ("mine", section)


def begun_from(form: Form, section: str, *, settled: bool) -> tuple[int, int]:
    """From which version and filing a section's text was written; `settled`: over the other text, which its writer has before them."""
    mark = "theirs-" if settled and f"theirs-base:{section}" in form else ""
    filing = f"{mark}filing:{section}"
    return number(form, f"{mark}base:{section}"), number(form, filing if filing in form else "filing")


def number(form: Form, name: str) -> int:
    value = form.text(name, "0")
    if not value.isascii() or not value.isdecimal() or len(value) > 9:
        raise Invalid([{"field": name, "message": "must be a whole number"}])
    return int(value)


def laid_out(section: Mapping[str, Any], filing: int, trouble: Trouble) -> dict[str, Any]:
    """A section as the page shows it: what was typed stands in the box, whatever was saved."""
    name = section["section"]
    theirs = trouble.theirs.get(name)
    return {
        **section,
        "box": trouble.typed.get(name, section["text"]),
        "writable": section["writable"] or name in trouble.typed,
        # What was typed and is not saved must come back as a change from the same version, whatever else is pressed next.
        "seen": "unsaved" if name in trouble.begun else seen(section["text"]),
        "base": trouble.begun[name][0] if name in trouble.begun else section["version"],
        "filing": trouble.begun[name][1] if name in trouble.begun else filing,
        "newer": trouble.newer.get(name),
        "theirs": theirs,
        "error": trouble.errors.get(name),
        "rows": min(26, max(3, sum(1 + len(line) // 90 for line in section["text"].splitlines()) + 1)),
    }


def inserted(entry: Mapping[str, Any], section: str, late: Lateness) -> str:
    """An entry as a line of a section: a row in the table of the timeline, else a point of a list."""
    event = Event.model_validate(entry)
    if section == "timeline":
        return event_line(event, beside=late.beside(event.seq)).text
    return f"- {event.at:%Y-%m-%d %H:%M} UTC: {' '.join(entry_told(event).split())}{late.beside(event.seq)} (entry {event.seq})"


def evident(entry: Mapping[str, Any], sections: list[dict[str, Any]], late: Lateness) -> dict[str, Any]:
    """An entry beside the draft, with the lines that it would be, and where it is used already."""
    row, point = inserted(entry, "timeline", late), inserted(entry, "", late)
    used = [
        section["title"]
        for section in sections
        if (section["section"] == "timeline" and row.split(" | ", 1)[-1] in section["text"])
        or any(line["seq"] == entry["seq"] for line in section["lines"])
        or f"(entry {entry['seq']})" in section["text"]
    ]
    return {**entry, "beside": late.beside(entry["seq"]), "row": row, "point": point, "used": list(dict.fromkeys(used))}
