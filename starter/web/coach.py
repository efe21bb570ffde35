"""The practice incident in the browser: what to do next, why, and how to type it; every step is pressed on the real buttons.

What to do is the incident's own next step (`incident.guidance`), the one that stands under "Do this next": the coach
explains it and never names another. It reads nothing but the incident itself, so a drill that was left is taken up where it
stands, and what somebody does from the command line counts as well. What the process does not ask for, and is worth a
try, it offers as an experiment beside that.
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


class Chapter(NamedTuple):
    """One step of the drill, which may take several acts; it is over once the incident shows it."""

    title: str
    done: Callable[[Scene], bool]


CHAPTERS: tuple[Chapter, ...] = (
    Chapter("Take the page", lambda scene: bool(scene.state.get("acknowledged_by"))),
    Chapter("Say how bad it is", lambda scene: scene.state.get("severity") is not None and scene.past(Phase.DETECTION)),
    Chapter("Tell people", lambda scene: scene.past(Phase.DECLARATION)),
    Chapter(
        "Look for the cause", lambda scene: (bool(scene.state["hypotheses"]) and scene.past(Phase.DECLARATION)) or scene.past(Phase.TRIAGE)
    ),
    Chapter("Stop the damage", lambda scene: _mitigated(scene) or scene.past(Phase.MITIGATION)),
    Chapter("Prove it", lambda scene: bool(scene.state["verification"]["passed_at"]) or scene.past(Phase.RESOLUTION)),
    Chapter("Resolve", lambda scene: scene.past(Phase.RESOLUTION)),
    Chapter("Learn from it", lambda scene: bool(scene.state["postmortem"]["filed_at"]) or scene.past(Phase.POST_INCIDENT)),
    Chapter("Close it", lambda scene: scene.past(Phase.POST_INCIDENT)),
)


def _mitigated(scene: Scene) -> bool:
    tried = scene.state["mitigations"]
    return bool(tried) and bool(tried[-1]["succeeded"])


LESSONS: dict[str | None, str] = {
    "acknowledge": "Somebody was paged. Until one acknowledges, the page repeats and climbs to the next person. Press it: its clock stops.",
    "declare": "Declare it as SEV1 and customer-facing. A channel opens, a commander is found, and the clocks of a SEV1 begin to count.",
    "post_update": "Write a sentence and post it; its clock begins anew. What is not told in time is asked for, and then escalates. "
    "A drill's words never reach the real status page.",
    "advance": "Each phase has a checklist. What is still open stays owed until the end, so going on asks for a reason.",
    "hypothesize": "Write down what you believe: one sentence. A wrong one that is written down can be tested.",
    "mitigate": "A rollback, say: who does it (somebody other than you, so that you may document it afterwards), "
    "how you will know that it worked, and the way back.",
    "approve": "A change is approved, or documented afterwards, by somebody other than its owner.",
    "finish_mitigation": "Say whether it worked. If it did not, the way back is at hand, and another one is chosen.",
    "confirm": "Say what you have seen, criterion by criterion. The verification period runs while all of them hold.",
    "resolve": "Everything is verified. Say the cause and the fix; the post-mortem begins with these words.",
    "file_postmortem": "It is written already from what happened. Fill in the causes, and submit it.",
    "add_action_item": "What is to be done so that it does not happen again, by whom, until when. It is chased until it is done.",
    "check": "What was put off is still owed. Tick what is done; skip the rest, each with a reason.",
    "skip": "An item that does not apply is skipped, with the reason on record.",
    "close": "The process has all that it asks for; open action items go on in the follow-up.",
    None: "There is nothing to press: a clock has to run out. If something turns red meanwhile, it begins anew.",
}
"""What each next step teaches, by its verb; None where there is nothing to do but wait."""

OVERDUE = "A clock has run out, so this comes first. "


class Experiment(NamedTuple):
    """Something worth a try that the process does not ask for. `verb` is the form that does it, None for the kill."""

    title: str
    text: str
    verb: str | None
    values: dict[str, str]
    offered: Callable[[Scene], bool]


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "Tell the team",
        "Post an internal update before it is due, and see its clock begin anew.",
        "post_update",
        {"audience": "internal"},
        lambda scene: scene.past(Phase.DETECTION) and not scene.past(Phase.MITIGATION) and not scene.told("internal_update"),
    ),
    Experiment(
        "Try to cheat",
        "Resolve it now, too early: you are refused, told why and what to do instead, and the attempt is on record.",
        "resolve",
        {},
        lambda scene: (
            _mitigated(scene)
            and not scene.state["verification"]["passed_at"]
            and not scene.past(Phase.RESOLUTION)
            and not scene.told("refused", verb="resolve")
        ),
    ),
    Experiment(
        "Kill the worker",
        "Pull the plug of the process that runs this incident: the clocks go on, nothing is forgotten, and in a moment it is back.",
        None,
        {},
        lambda scene: scene.past(Phase.TRIAGE) and not scene.past(Phase.RESOLUTION) and not _killed(scene),
    ),
)


def _killed(scene: Scene) -> bool:
    return any(entry["kind"] == "note" and KILLED in entry["text"] for entry in scene.timeline)


class Strip(NamedTuple):
    """What the strip shows: chapter `number` of `total`; `title` is None once the drill is over.

    What is to be done is the incident's own next step, in the words of `Do this next`; `lesson` says what it is for.
    """

    number: int
    total: int
    title: str | None
    act: str
    lesson: str
    experiments: tuple[Experiment, ...]


def strip(state: dict[str, Any], timeline: Sequence[Entry], *, may_kill: bool) -> Strip | None:
    """The coach's word on a drill, None for an incident in earnest. What this machine can't do is not offered."""
    if not state.get("drill"):
        return None
    scene = Scene(state, timeline)
    total = len(CHAPTERS)
    number = next((number for number, chapter in enumerate(CHAPTERS, start=1) if not chapter.done(scene)), None)
    if number is None or state["phase"] == Phase.CLOSED.value:
        return Strip(total, total, None, "", "", ())
    step = state["next"]
    lesson = LESSONS.get(step["verb"], "")
    if step["why"].startswith("It was due"):
        lesson = OVERDUE + lesson
    offered = tuple(
        each for each in EXPERIMENTS if each.offered(scene) and each.verb != step["verb"] and (each.verb is not None or may_kill)
    )
    return Strip(number, total, CHAPTERS[number - 1].title, str(step["text"]), lesson, offered)


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
