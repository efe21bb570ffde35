"""`/incidents/{id}`: the room of one incident, and what its buttons post."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from incident.checklists import PHASE_OF
from incident.commands import COMMANDS
from incident.vocabulary import Audience
from starter.desk import Desk
from starter.last_known import LastKnown
from starter.mistakes import by_field
from starter.problems import Conflict, Invalid, NoWorker, Problem, Unavailable, Unknown
from starter.reading import Entry
from starter.web.answer import Answer, accepted, done, refused
from starter.web.coach import strip
from starter.web.command_forms import form_of_verb, forms_for, groups, labels_of, people_of
from starter.web.forms import Form, form_of
from starter.web.public_preview import Previewing
from starter.web.rendering import fragment, page, who
from starter.web.room_view import KEYS, RoomView
from starter.web.ways import href

log = structlog.get_logger()

COMPOSER = {"text": "What is happening", "audience": "Who is it for?"}
"""How the composer calls its fields."""

_MISTAKEN = "Not done: something is missing or has the wrong shape."

SHOWS = ("key", "all", "mine")

DONE_AT_MOST = 20
"""Entries that one press makes, at the most that anybody would read of them."""


def router(desk: Desk, previewing: Previewing) -> APIRouter:
    router = APIRouter()
    last_known = LastKnown(desk)

    @router.get("/incidents/{incident}")
    async def show_room(incident: str, request: Request) -> Response:
        """The whole room; with no worker, the last known one."""
        query = request.query_params
        verb = query.get("do")
        opened = verb if verb in COMMANDS else None
        typed = {name: value for name, value in query.items() if name not in ("do", "timeline")}
        shows = query.get("timeline", "key")
        shows = shows if shows in SHOWS else "key"
        try:
            state, timeline = await asyncio.gather(desk.state(incident), desk.timeline(incident))
        except NoWorker as problem:
            return await _without_worker(request, problem, RoomView({}, [], shows, opened, typed))
        answer = _told_before(query.get("done", ""), timeline, str(opened or ""))
        if answer is None and query.get("already") in COMMANDS:
            answer = accepted(query["already"], [], state)
        view = RoomView(state, timeline, shows, opened, typed, answer, query.get("at", ""))
        return page(request, "room.html", **context(request, view))

    async def _without_worker(request: Request, problem: NoWorker, asked: RoomView) -> Response:
        """The room as a worker has left it; where its history can't be lived through here, what lists know."""
        row = problem.more["last_known"]
        known = await last_known.of(row["incident"])
        status = asked.answer.status if asked.answer is not None else problem.status
        if known is None:
            return page(request, "room_stale.html", status=status, row=row, answer=asked.answer)
        view = replace(asked, state=known.state(datetime.now(UTC)), timeline=known.timeline)
        return page(request, "room.html", status=status, **{**context(request, view), "stale": known})

    @router.get("/incidents/{incident}/badge")
    async def show_badge(incident: str) -> JSONResponse:
        """The most urgent clock, for the title of a tab that is not looked at."""
        row = await desk.row(incident)
        return JSONResponse({"clock": row["next_clock"], "due": row["next_due"], "now": _now()}, headers={"Cache-Control": "no-store"})

    @router.post("/incidents/{incident}/do/{verb}")
    async def carry_out(incident: str, verb: str, request: Request) -> Response:
        """Carry out one verb; what it is answered stands on the page that it was pressed on."""
        if verb not in COMMANDS:
            raise Unknown(f"{verb[:60]!r} is not a command; the commands are {', '.join(COMMANDS)}.", incident=incident[:60])
        form = await form_of(request)
        typed = {name: form.text(name) for name in form if name not in ("key", "seen", "from")}
        if (
            verb == "post_update"
            and typed.get("audience") == Audience.EXTERNAL.value
            and not form.text("seen")
            and typed.get("text", "").strip()
        ):
            text, status = typed["text"].strip(), typed.get("status", "")
            preview = {"html": await previewing.drawn(request, incident, text, status), "given": status, "text": text}
            answer = Answer(verb, 200, "warn", "Not posted yet.", preview=preview)
        else:
            try:
                said = await desk.command(incident, verb, {**form_of_verb(verb).read(form), "by": who(request)}, form.text("key") or None)
            except Invalid as problem:
                labels = labels_of(form_of_verb(verb)) | (COMPOSER if verb == "post_update" else {})
                answer = Answer(verb, 422, "bad", _MISTAKEN, errors=by_field(problem.errors, labels), labels=labels)
            except Conflict as problem:
                answer = Answer(verb, 409, "bad", f"Not done: {problem.title[0].lower()}{problem.title[1:]}.", problem.detail)
            except Unavailable as problem:
                answer = Answer(verb, 503, "warn", f"Not done yet: {problem.title.lower()}.", problem.detail)
            else:
                if said["accepted"]:
                    if verb == "post_update":
                        previewing.writers.ends(incident, who(request))
                    return await _told(request, incident, verb, said["events"], form)
                answer = refused(verb, said["refusal"], await _as_it_stands(incident))
        if _is_fragment(request):
            return HTMLResponse(fragment(request, "room/answer.html", answer=answer, incident=incident), status_code=answer.status)
        return await _same_page(request, incident, verb, typed, answer)

    async def _told(request: Request, incident: str, verb: str, events: list[dict[str, Any]], form: Form) -> Response:
        """What was done: in place where a script asked, else on the page that is loaded anew, where it was pressed."""
        if not _is_fragment(request):
            said = f"done={events[0]['seq']}-{events[-1]['seq']}" if events else f"already={verb}"
            item = form.text("item")
            if verb == "check" and item in PHASE_OF and form.text("from") == "list":
                return RedirectResponse(f"/incidents/{incident}?{said}&at={item}#item-{item}", status_code=303)
            where = "r-next" if form.text("from") == "next" else "answer"
            return RedirectResponse(f"/incidents/{incident}?{said}#{where}", status_code=303)
        state = {} if events else await desk.state(incident)
        return HTMLResponse(fragment(request, "room/answer.html", answer=accepted(verb, events, state), incident=incident))

    async def _as_it_stands(incident: str) -> dict[str, Any]:
        """The state, for the ways out of a refusal. It was answered a moment ago; where it is not now, the ways are fewer."""
        try:
            return await desk.state(incident)
        except Problem as problem:
            log.info("a refusal is shown without the state", incident=incident, cause=problem.detail)
            return {"incident": incident}

    async def _same_page(request: Request, incident: str, verb: str, typed: dict[str, str], answer: Answer) -> Response:
        try:
            state, timeline = await asyncio.gather(desk.state(incident), desk.timeline(incident))
        except NoWorker as problem:
            return await _without_worker(request, problem, RoomView({}, [], "key", verb, typed, answer))
        view = RoomView(state, timeline, "key", verb, typed, answer)
        return page(request, "room.html", status=answer.status, **context(request, view))

    return router


def context(request: Request, view: RoomView) -> dict[str, Any]:
    """What the templates of the room need beside what all pages have."""
    may_kill = request.app.state.door.kill_worker is not None
    return {
        "room": view,
        "stale": None,
        "way": href,
        "coach": strip(view.state, view.timeline, may_kill=may_kill),
        "answer": view.answer,
        "incident": view.state["incident"],
        "forms": forms_for(view.state),
        "groups": groups(),
        "keys": KEYS,
        "key_moments": view.key_moments,
        "people": people_of(view.state, who(request)),
    }


def _told_before(span: str, timeline: list[Entry], verb: str) -> Answer | None:
    """The answer that a press without scripts was led here with: the entries `first-last` of the timeline."""
    first, _, last = span.partition("-")
    if not (span.isascii() and first.isdecimal() and (last or first).isdecimal()) or len(span) > 20:
        return None
    entries = [entry for entry in timeline if int(first) <= entry["seq"] <= int(last or first)]
    return done(verb, entries[:DONE_AT_MOST]) if entries else None


def _is_fragment(request: Request) -> bool:
    """Whether a script of our own page asks, which puts the answer where it belongs."""
    return request.headers.get("hx-request") == "true"


def _now() -> str:
    return datetime.now(UTC).isoformat()
