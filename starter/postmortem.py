"""The post-mortem in work: what the record gives, what people have written over it, and what is missing still.

A section shows what was filed or, while nothing is, what the timeline says; a saved draft lies over either. Filing puts the
document together and asks the incident; only then is it on record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from incident import commands, postmortem
from incident.events import Event
from incident.model import ActionItem, Incident
from incident.postmortem import NOT_WRITTEN_HERE, OTHER, SECTIONS, Line, written
from incident.vocabulary import Role
from starter.drafts import Drafts, Stale, Version
from starter.problems import Conflict, Invalid, Unavailable, Unknown
from starter.reading import Reading

Work = dict[str, Any]

TITLES = {title.lower().replace(" ", "-"): title for title in (*SECTIONS, OTHER)}
"""Each section's name in addresses, and its title."""

NAMES = {title: name for name, title in TITLES.items()}

_TEXT: TypeAdapter[str] = TypeAdapter(commands.Draft)


class Saving(BaseModel):
    """What saving one section says: the text, and from which version and filing its writer began."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: commands.Draft
    base: int = Field(default=0, ge=0, le=10**9, description="the version that was changed; 0 for what the record gives")
    filing: int | None = Field(default=None, ge=0, le=10**9, description="the timeline entry of the filing that was changed, if any")
    by: commands.Line | None = None


def readable(text: str) -> str:
    """A text as drafts keep it.

    Raises:
        Invalid: it is too long, or holds what is no character.
    """
    try:
        return _TEXT.validate_python(text)
    except ValidationError as error:
        raise Invalid([{"field": "text", "message": commands.problems(error)[0]["message"]}]) from error


class Postmortems:
    """The post-mortems that people work on, read through a desk. Without `drafts` there is only what the record gives."""

    def __init__(self, desk: Reading, drafts: Drafts | None) -> None:
        self._desk = desk
        self._drafts = drafts

    async def work(self, incident: str) -> Work:
        """Everything that the editor shows.

        Raises:
            UnknownIncident, NoWorker, Unreachable.
        """
        model = Incident.model_validate(await self._desk.model(incident))
        timeline = [Event.model_validate(entry) for entry in await self._desk.timeline(incident)]
        model = model.model_copy(update={"action_items": settled(model.action_items, timeline)})
        saved = await self._drafts.latest(incident) if self._drafts is not None else {}
        return _work(model, timeline, saved)

    async def kept(self, incident: str) -> dict[str, Version]:
        """What was saved of each section; needs no worker."""
        await self._desk.row(incident)
        return await self._drafts.latest(incident) if self._drafts is not None else {}

    async def history(self, incident: str, name: str) -> list[Version]:
        """Every version of one section, the newest first."""
        await self._desk.row(incident)
        known(name)
        return await self._drafts.history(incident, name) if self._drafts is not None else []

    async def begun(self) -> dict[str, Version]:
        return await self._drafts.begun() if self._drafts is not None else {}

    async def save(self, incident: str, name: str, asked: Saving, by: str) -> Version:
        """Keep a section's text. Where no worker answers it is kept all the same.

        Raises:
            UnknownIncident, Unknown: there is no such incident, or section.
            Conflict: somebody saved, or filed, something else since.
        """
        await self._desk.row(incident)
        title = known(name)
        if title in NOT_WRITTEN_HERE:
            raise Invalid(
                [{"field": "section", "message": f"{title} are changed by add_action_item, change_action_item and complete_action_item"}]
            )
        if self._drafts is None:
            raise Unavailable("Drafts are not kept here: this door has no database. File the document instead.")
        filed = await self.filed(incident)
        number = filed.seq if filed is not None else 0
        filing = asked.filing if asked.filing is not None else number
        if filed is not None and number > filing:
            text = postmortem.parsed(filed.data.get("document", "")).get(title, "")
            raise conflict(incident, Version(name, await self._number(incident, name), number, text, filed.by, filed.at))
        try:
            return await self._drafts.save(incident, name, asked.text, base=asked.base, filing=filing, by=by)
        except Stale as stale:
            raise conflict(incident, stale.theirs) from stale

    async def _number(self, incident: str, name: str) -> int:
        kept = (await self.kept(incident)).get(name)
        return kept.version if kept is not None else 0

    async def filed(self, incident: str) -> Event | None:
        """The latest filing; None where there is none, or nobody can say."""
        try:
            timeline = await self._desk.timeline(incident)
        except Unavailable:
            return None
        return filing_of([Event.model_validate(entry) for entry in timeline if entry["kind"] in {"postmortem_filed", "reopened"}])


def known(name: str) -> str:
    """A section's title by its name in addresses.

    Raises:
        Unknown: there is none.
    """
    if name not in TITLES:
        raise Unknown(f"There is no section {name[:60]!r}; the sections are {', '.join(TITLES)}.")
    return TITLES[name]


def conflict(incident: str, theirs: Version) -> Conflict:
    section = TITLES[theirs.section]
    return Conflict(
        f"{theirs.by} has written {section} since you began. Nothing was overwritten; yours is still with you. "
        f"Put both together, and save it over version {theirs.version}.",
        incident=incident,
        section=theirs.section,
        theirs=told(theirs),
    )


def told(version: Version) -> dict[str, Any]:
    at = version.at.isoformat().replace("+00:00", "Z")
    return {"version": version.version, "filing": version.filing, "text": version.text, "by": version.by, "at": at}


def filing_of(timeline: Sequence[Event]) -> Event | None:
    """The latest filing that still counts: a reopened incident owes a new one."""
    found: Event | None = None
    for event in timeline:
        if event.kind == "postmortem_filed":
            found = event
        elif event.kind == "reopened":
            found = None
    return found


def settled(items: Sequence[ActionItem], timeline: Sequence[Event]) -> tuple[ActionItem, ...]:
    """The action items with what the follow-up of a closed incident has seen done since."""
    changes: dict[str, dict[str, Any]] = {}
    for event in timeline:
        if event.kind == "action_item_completed":
            done = {"done": True, "done_at": event.at, "done_by": event.by}
            changes[event.data["id"]] = {**changes.get(event.data["id"], {}), **done}
        elif event.kind == "action_item_changed":
            news: dict[str, Any] = {name: event.data[name] for name in ("item", "owner") if name in event.data}
            news |= {"due": date.fromisoformat(event.data["due"])} if "due" in event.data else {}
            changes[event.data["id"]] = {**changes.get(event.data["id"], {}), **news}
        elif event.kind == "waived" and str(event.data["obligation"]).startswith("action_item:"):
            id = str(event.data["obligation"]).removeprefix("action_item:")
            changes[id] = {**changes.get(id, {}), "waived_by": event.by}
    return tuple(item.model_copy(update=changes.get(item.id, {})) for item in items)


def _work(model: Incident, timeline: Sequence[Event], saved: Mapping[str, Version]) -> Work:
    lines = postmortem.prefilled(model, timeline)
    filing = filing_of(timeline)
    number = filing.seq if filing is not None else 0
    filed = postmortem.parsed(filing.data.get("document", "")) if filing is not None else None
    current = {name: version for name, version in saved.items() if version.filing >= number}
    texts: dict[str, str] = {}
    for title in (*SECTIONS, OTHER):
        given = filed.get(title, "") if filed is not None else written(lines.get(title, ()))
        version = current.get(NAMES[title])
        texts[title] = given if version is None or title in NOT_WRITTEN_HERE else version.text
    for title in NOT_WRITTEN_HERE:
        texts[title] = written(lines[title])
    document = postmortem.assembled(model, texts)
    missing = [_located(problem) for problem in postmortem.problems(document, model)]
    gaps = [_located(gap) for gap in postmortem.gaps(document)]
    amended = filed is not None and any(texts[title].strip() != filed.get(title, "").strip() for title in texts if _typed(title))
    clock = model.clocks.get("postmortem")
    return {
        "incident": model.id,
        "title": model.title,
        "severity": model.severity.value if model.severity else None,
        "phase": model.phase.value,
        "drill": model.drill,
        "private": model.private,
        "commander": model.roles.get(Role.COMMANDER),
        "state": "draft" if filed is None else "amending" if amended else "filed",
        "mandatory": model.rule.postmortem == "mandatory",
        "due": _iso(clock.due) if clock is not None else None,
        "filed_at": _iso(model.postmortem_at),
        "by": model.postmortem_by,
        "filing": number,
        "seen": {name: version.version for name, version in current.items()},
        "sections": [_section(title, texts[title], lines.get(title, ()), current, saved, missing, gaps, filed is None) for title in texts],
        "missing": missing,
        "gaps": gaps,
        "action_items": [_item(item) for item in model.action_items],
        "next_steps": list(postmortem.untracked(model)),
        "document": document,
        "filed": filing.data.get("document") if filing is not None else None,
    }


def _typed(title: str) -> bool:
    return title not in NOT_WRITTEN_HERE


def _section(
    title: str,
    text: str,
    lines: Sequence[Line],
    current: Mapping[str, Version],
    saved: Mapping[str, Version],
    missing: Sequence[dict[str, str]],
    gaps: Sequence[dict[str, str]],
    prefilled: bool,
) -> dict[str, Any]:
    name = NAMES[title]
    version = current.get(name) if _typed(title) else None
    return {
        "section": name,
        "title": title,
        "text": text,
        # A save goes over the newest number, also where that text is from before a filing and no longer shown.
        "version": saved[name].version if name in saved else 0,
        "by": version.by if version is not None else None,
        "at": _iso(version.at) if version is not None else None,
        "writable": _typed(title),
        "prefilled": prefilled and version is None,
        "filled": bool(lines and (lines[-1].seq or lines[-1].text == postmortem.NONE_OWED))
        if not _typed(title)
        else name not in {gap["section"] for gap in gaps},
        "missing": next((problem["message"] for problem in missing if problem["section"] == name), None),
        # What was saved before a filing and is not what was filed: nobody shall have to guess that it was there.
        "unfiled": _unfiled(saved.get(name), version, text),
        # Whoever rewrites one sentence keeps the entries of the others, as long as those stand.
        "lines": [{"text": line.text, "seq": line.seq} for line in lines if line.seq is not None and line.text in text]
        if title != "Timeline"
        else [],
    }


def _unfiled(saved: Version | None, current: Version | None, text: str) -> dict[str, Any] | None:
    if saved is None or current is not None or saved.text.strip() in ("", text.strip()):
        return None
    return {"version": saved.version, "by": saved.by, "at": _iso(saved.at)}


def _located(problem: str) -> dict[str, str]:
    title, _, message = problem.partition(": ")
    return {"section": NAMES.get(title, ""), "title": title, "message": message}


def _item(item: ActionItem) -> dict[str, Any]:
    status = "done" if item.done else "waived" if item.waived_by else "open"
    return {"id": item.id, "item": item.item, "owner": item.owner, "due": item.due.isoformat(), "status": status}


def overdue(item: Mapping[str, Any], today: date) -> bool:
    return item["status"] == "open" and str(item["due"]) < today.isoformat()


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment is not None else None
