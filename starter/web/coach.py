"""The practice incident in the browser: what to do next, why, and how to type it; every step is pressed on the real buttons.

The steps read nothing but the incident itself. A drill that was left is taken up where it stands, and what somebody
does from the command line counts as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from incident.vocabulary import Phase
from starter.desk import Desk, fresh_key
from starter.problems import Forbidden, NoWorker, Unavailable
from starter.reading import Entry
from starter.web.forms import form_of
from starter.web.rendering import page, who

log = structlog.get_logger()

KILLED = "The worker was killed here (kill -9). This note was sent while none was running, and waited for the next one."
"""The note that a killed worker leaves; it is on record only once another worker carries on."""

PATIENCE = 3
"""How often the note is sent, under one key: each time waits for 10 s, and a busy machine needs longer for a new worker."""

OPENING = {
    "title": "Practice: checkout answers with errors",
    "services": ["checkout"],
    "symptom": "18 % of the requests to /pay fail, since the last deployment",
    "drill": True,
}


@dataclass(frozen=True)
class Scene:
    """What the coach looks at."""

    state: dict[str, Any]
    timeline: Sequence[Entry]

    @property
    def phase(self) -> int:
        return Phase(self.state["phase"]).number

    def past(self, phase: Phase) -> bool:
        return self.phase > phase.number

    def told(self, kind: str, **data: Any) -> bool:
        """Whether the timeline has an entry of this kind, with these facts in it."""
        return any(entry["kind"] == kind and data.items() <= entry["data"].items() for entry in self.timeline)


class Step(NamedTuple):
    """One step. `verb` is the form that does it; `command` is what one would type after the incident's id."""

    title: str
    text: str
    command: str
    verb: str | None
    done: Callable[[Scene], bool]


STEPS: tuple[Step, ...] = (
    Step(
        "Take the page",
        "Somebody was paged. Until one acknowledges, the page repeats and climbs to the next person. Press Acknowledge: its clock stops.",
        "tocsin ack {id}",
        "acknowledge",
        lambda scene: bool(scene.state.get("acknowledged_by")),
    ),
    Step(
        "Say how bad it is",
        "Declare it as SEV1 and customer-facing. A channel opens, a commander is found, and the clocks of a SEV1 begin to count.",
        'tocsin declare {id} --sev 1 --customer-facing --summary "Customers can not pay"',
        "declare",
        lambda scene: scene.state.get("severity") is not None,
    ),
    Step(
        "Tell the team",
        "Post an internal update. See its clock begin anew; what is not told in time is asked for, and then escalates.",
        'tocsin update {id} --internal -m "Looking at release v248"',
        "post_update",
        lambda scene: scene.told("internal_update") or scene.past(Phase.MITIGATION),
    ),
    Step(
        "Tell the public",
        "Post an external update, and read first what the public would see. A drill's words never reach the real status page.",
        'tocsin update {id} --external -m "Some card payments fail. We are on it." --status investigating',
        "post_update",
        lambda scene: scene.told("external_update") or scene.past(Phase.MITIGATION),
    ),
    Step(
        "Look for the cause",
        "Go on to triage, giving a reason for what is still open on the checklist, and write down what you believe: a hypothesis.",
        'tocsin advance {id} --reason "practice"; tocsin hypothesize {id} -m "The retry of v248"',
        "advance",
        lambda scene: scene.told("hypothesis") or scene.past(Phase.TRIAGE),
    ),
    Step(
        "Stop the damage",
        "Start a mitigation: a rollback, who does it, how you will know that it worked, and the way back. Then finish it.",
        "tocsin mitigate {id} --option rollback …; tocsin finish-mitigation {id} --succeeded",
        "mitigate",
        lambda scene: scene.told("mitigation_finished", succeeded=True) or scene.past(Phase.MITIGATION),
    ),
    Step(
        "Try to cheat",
        "Press Resolve now, too early. You are refused, told why and what to do instead, and the attempt is on record.",
        'tocsin resolve {id} --root-cause "…" --fix-applied "…"',
        "resolve",
        lambda scene: scene.told("refused", verb="resolve") or scene.past(Phase.RESOLUTION),
    ),
    Step(
        "Kill the worker",
        "Pull the plug of the process that runs this incident. The clocks go on, nothing is forgotten, and in a second or two it is back.",
        "kill -9 $(worker's process id)",
        None,
        lambda scene: any(entry["kind"] == "note" and KILLED in entry["text"] for entry in scene.timeline) or scene.past(Phase.RESOLUTION),
    ),
    Step(
        "Prove it, and resolve",
        "Confirm the three criteria with your evidence. The verification period runs while all of them hold; when it has passed, resolve.",
        'tocsin confirm {id} --criterion symptom_resolved --evidence "…"; tocsin wait {id} --for verified; tocsin resolve {id} …',
        "confirm",
        lambda scene: scene.past(Phase.RESOLUTION),
    ),
    Step(
        "Learn from it",
        "The post-mortem is written already from what happened; fill in the causes, add an action item with an owner, and submit it.",
        "tocsin pm show {id}; tocsin pm file {id} -",
        "file_postmortem",
        lambda scene: bool(scene.state["postmortem"]["filed_at"]) or scene.past(Phase.POST_INCIDENT),
    ),
    Step(
        "Close it",
        "What is still owed stands in the way, each with what mends it. When nothing is, close.",
        "tocsin close {id}",
        "close",
        lambda scene: False,
    ),
)


class Strip(NamedTuple):
    """What the strip shows: the step that is next, `number` of `total`; `step` is None once all are done."""

    number: int
    total: int
    step: Step | None
    command: str
    href: str
    kills: bool


def strip(state: dict[str, Any], timeline: Sequence[Entry], *, may_kill: bool) -> Strip | None:
    """The coach's word on a drill, None for an incident in earnest. A step that this machine can't do is left out."""
    if not state.get("drill"):
        return None
    scene = Scene(state, timeline)
    steps = [step for step in STEPS if step.verb is not None or may_kill]
    id = str(state["incident"])
    closed = scene.state["phase"] == Phase.CLOSED.value
    for number, step in enumerate(steps, start=1):
        if not closed and not step.done(scene):
            page_of_its_own = step.verb == "file_postmortem"
            href = f"/incidents/{id}/postmortem" if page_of_its_own else f"/incidents/{id}?do={step.verb}#do-{step.verb}"
            return Strip(number, len(steps), step, step.command.replace("{id}", id), href, step.verb is None)
    return Strip(len(steps), len(steps), None, "", "", False)


def router(desk: Desk, kill_worker: Callable[[], int] | None) -> APIRouter:
    """`kill_worker` ends the worker of this machine at once and gives its process id; None where it is not ours to kill."""
    router = APIRouter()

    @router.post("/drill")
    async def begin(request: Request) -> Response:
        """Open a practice incident and go to its room; pressed twice with one key, it is the same."""
        form = await form_of(request)
        key = form.text("key").strip() or fresh_key()
        try:
            state = await desk.open({**OPENING, "by": who(request)}, key)
        except Unavailable as problem:
            return page(request, "problem.html", status=problem.status, problem=problem.document())
        return RedirectResponse(f"/incidents/{state['incident']}", status_code=303)

    @router.post("/incidents/{incident}/kill-worker")
    async def kill(incident: str, request: Request) -> Response:
        """Kill the worker in the middle of a drill. The note sent right after it shows that nothing is lost."""
        state = await desk.state(incident)
        if kill_worker is None or not state.get("drill"):
            raise Forbidden("Only a drill under `tocsin up` on this machine may kill the worker.")
        pid = kill_worker()
        log.warning("a drill has killed the worker", incident=incident, pid=pid, by=who(request))
        key = fresh_key()
        for _ in range(PATIENCE):
            try:
                said = await desk.command(incident, "note", {"by": who(request), "text": KILLED}, key)
            except NoWorker:
                continue
            done = f"?done={said['events'][0]['seq']}" if said["accepted"] and said["events"] else ""
            return RedirectResponse(f"/incidents/{incident}{done}#answer", status_code=303)
        # The room says that no worker answers, and looks again by itself.
        return RedirectResponse(f"/incidents/{incident}", status_code=303)

    return router
