"""`/incidents/{id}`: the room of one incident, and what its buttons post."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from incident.commands import COMMANDS
from incident.vocabulary import Audience
from starter.desk import Desk
from starter.mistakes import by_field
from starter.problems import Conflict, Invalid, NoWorker, Unavailable, Unknown
from starter.web.coach import strip
from starter.web.command_forms import form_of_verb, forms_for, groups, labels_of, people_of
from starter.web.forms import form_of
from starter.web.public_preview import Previewing
from starter.web.rendering import fragment, page, who
from starter.web.room_view import KEY_MOMENTS, KEYS, Answer, RoomView, accepted, refused

COMPOSER = {"text": "What is happening", "audience": "Who is it for?"}
"""How the composer calls its fields."""

_MISTAKEN = "Not done: something is missing or has the wrong shape."

SHOWS = ("key", "all", "mine")


def router(desk: Desk, previewing: Previewing) -> APIRouter:
    router = APIRouter()

    @router.get("/incidents/{incident}")
    async def show_room(incident: str, request: Request) -> Response:
        """The whole room; with no worker, what lists know."""
        try:
            state, timeline = await asyncio.gather(desk.state(incident), desk.timeline(incident))
        except NoWorker as problem:
            return page(request, "room_stale.html", status=503, row=problem.more["last_known"], answer=None)
        query = request.query_params
        verb = query.get("do")
        opened = verb if verb in COMMANDS else None
        typed = {name: value for name, value in query.items() if name not in ("do", "timeline")}
        shows = query.get("timeline", "key")
        done = next((entry for entry in timeline if str(entry["seq"]) == query.get("done")), None)
        answer = Answer(str(opened or ""), 200, "good", str(done["text"])) if done else None
        if answer is None and query.get("already") in COMMANDS:
            answer = accepted(query["already"], [], state)
        view = RoomView(state, timeline, shows if shows in SHOWS else "key", opened, typed, answer)
        return page(request, "room.html", **context(request, view))

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
        typed = {name: form.text(name) for name in form if name not in ("key", "seen")}
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
                    return await _told(request, incident, verb, said["events"])
                answer = refused(verb, said["refusal"])
        if _is_fragment(request):
            return HTMLResponse(fragment(request, "room/answer.html", answer=answer, incident=incident), status_code=answer.status)
        return await _same_page(request, incident, verb, typed, answer)

    async def _told(request: Request, incident: str, verb: str, events: list[dict[str, Any]]) -> Response:
        """What was done: in place where a script asked, else on the page that is loaded anew."""
        if not _is_fragment(request):
            said = f"done={events[0]['seq']}" if events else f"already={verb}"
            return RedirectResponse(f"/incidents/{incident}?{said}#answer", status_code=303)
        state = {} if events else await desk.state(incident)
        return HTMLResponse(fragment(request, "room/answer.html", answer=accepted(verb, events, state), incident=incident))

    async def _same_page(request: Request, incident: str, verb: str, typed: dict[str, str], answer: Answer) -> Response:
        try:
            state, timeline = await asyncio.gather(desk.state(incident), desk.timeline(incident))
        except NoWorker as problem:
            return page(request, "room_stale.html", status=answer.status, row=problem.more["last_known"], answer=answer)
        view = RoomView(state, timeline, "key", verb, typed, answer)
        return page(request, "room.html", status=answer.status, **context(request, view))

    return router


def context(request: Request, view: RoomView) -> dict[str, Any]:
    """What the templates of the room need beside what all pages have."""
    may_kill = request.app.state.door.kill_worker is not None
    return {
        "room": view,
        "coach": strip(view.state, view.timeline, may_kill=may_kill),
        "answer": view.answer,
        "incident": view.state["incident"],
        "forms": forms_for(view.state),
        "groups": groups(),
        "keys": KEYS,
        "key_moments": KEY_MOMENTS,
        "people": people_of(view.state, who(request)),
    }


def _is_fragment(request: Request) -> bool:
    """Whether a script of our own page asks, which puts the answer where it belongs."""
    return request.headers.get("hx-request") == "true"


def _now() -> str:
    return datetime.now(UTC).isoformat()
