"""Every way in which a command can fail: the exit code, the sentence, and the same as one JSON object.

0 done, or already so    3 not found              6 conflict
1 error                  4 sign-in needed         7 unreachable
2 usage                  5 refused by the process 8 `wait` timed out       130 interrupted
"""

from __future__ import annotations

from typing import Any

DONE, ERROR, USAGE, NOT_FOUND, SIGN_IN, REFUSED, CONFLICT, UNREACHABLE, TIMED_OUT = range(9)
INTERRUPTED = 130

_BY_STATUS = {401: SIGN_IN, 404: NOT_FOUND, 410: NOT_FOUND, 409: CONFLICT, 412: CONFLICT, 422: USAGE, 502: UNREACHABLE, 503: UNREACHABLE}
_BY_STATUS |= {504: UNREACHABLE}

HINTS: dict[str, str] = {
    "verification-incomplete": "tocsin wait {id} --for verified",
    "symptom-not-resolved": 'tocsin confirm {id} symptom_resolved -m "…"',
    "metrics-not-at-baseline": 'tocsin confirm {id} metrics_at_baseline -m "…"',
    "alerts-still-firing": 'tocsin confirm {id} alerts_cleared -m "…"',
    "postmortem-mandatory": "tocsin pm show {id} > pm.md; tocsin pm file {id} pm.md",
    "action-items-untracked": 'tocsin action add {id} "…" --owner NAME --due YYYY-MM-DD',
    "change-not-approved": "tocsin approve {id} --by SOMEBODY-ELSE",
    "undocumented": "tocsin checklist {id}",
    "wrong-phase": "tocsin next {id}",
    "unknown-item": "tocsin checklist {id}",
    "item-ended": 'tocsin action add {id} "…" --owner NAME --due YYYY-MM-DD',
    "already-closed": 'tocsin report "…"',
    "no-mitigation": "tocsin mitigate {id} --option …",
    "not-an-incident": 'tocsin dismiss {id} --as not_production -m "…"',
    "unknown-obligation": "tocsin status {id}",
    "unknown-delivery": "tocsin deliveries {id}",
    "channel-paused": "tocsin channel list",
    "superseded": "tocsin deliveries {id}",
}
"""The command that goes on from each refusal, where there is one."""

_WRITTEN = ("Summary", "Impact", "Timeline", "Root Cause", "Contributing Factors", "What Went Well", "What Could Be Improved")

OF_SECTIONS = {
    **{title: f'tocsin pm draft {{id}} {title.lower().replace(" ", "-")} -m "…"' for title in (*_WRITTEN, "Lessons Learned")},
    "Action Items": 'tocsin action add {id} "…" --owner NAME --due YYYY-MM-DD',
}
"""The command that writes what a section of the post-mortem lacks; such a blocker begins with the section's title."""

FOR_PEOPLE_TO_SAY = {
    "metrics-not-at-baseline": "Nobody has confirmed that monitoring shows the metrics returned to baseline.",
    "alerts-still-firing": "Not every alert that was triggered has cleared.",
}
"""How a criterion stands in the way where people may confirm it. In any other words, monitoring has its own on it, and goes by that."""


class Failure(Exception):
    """A command failed. `document` is what `--json` prints on stderr, `lines` what people read there."""

    def __init__(self, code: int, lines: list[str], document: dict[str, Any]) -> None:
        super().__init__(lines[0])
        self.code = code
        self.lines = lines
        self.document = document


def failed(code: int, kind: str, detail: str, **more: Any) -> Failure:
    """A failure that the command line itself found. `kind` is the word to program against."""
    return Failure(code, [f"error: {detail}"], {"type": f"urn:tocsin:{kind}", "code": kind, "detail": detail, **more})


def unreachable(url: str, why: str, key: str | None = None) -> Failure:
    """Nothing answered. Where something was to be written, the key under which to try again is told."""
    detail = f"nothing answers at {url} ({why}); start it with tocsin up, or name the server with --url or TOCSIN_URL"
    problem = failed(UNREACHABLE, "unreachable", detail, url=url)
    if key is not None:
        problem.lines.append(f"It may have been carried out. Repeat it with --key {key}: then it is done once.")
        problem.document["key"] = key
    return problem


def from_problem(status: int, document: dict[str, Any], key: str | None = None) -> Failure:
    """The failure that a server's problem document tells of."""
    if isinstance(document.get("refusal"), dict):
        return _refused(document)
    code = _BY_STATUS.get(status, ERROR)
    detail = str(document.get("detail") or document.get("title") or f"the server answered {status}")
    errors = document.get("errors")
    if isinstance(errors, list) and errors:
        lines = [f"error: {_option(str(each.get('field')))} {each.get('message')}" for each in errors if isinstance(each, dict)]
    else:
        lines = [f"error: {detail}"]
    theirs = document.get("theirs")
    if isinstance(theirs, dict):
        lines += [
            f"  theirs, version {theirs.get('version')}, by {theirs.get('by')}:",
            *(f"  | {line}" for line in str(theirs.get("text")).splitlines()),
        ]
    if code == UNREACHABLE and key is not None:
        lines.append(f"Repeating it with --key {key} is safe.")
        document = {**document, "key": key}
    return Failure(code, lines or [f"error: {detail}"], document)


def _option(field: str) -> str:
    """A field's option; what is no field's name stays as it is."""
    name = field.removeprefix("factors.").replace("_", "-")
    return f"--{name}:" if name.replace("-", "").isalnum() and field not in {"command", "body"} else f"{field}:"


def _refused(document: dict[str, Any]) -> Failure:
    """The process said no: why, what stands in the way and how to go on, in the process's own words."""
    refusal = document["refusal"]
    incident = str(document.get("incident", ""))
    lines = [f"refused: {incident + ': ' if incident else ''}{refusal.get('message')}"]
    blockers = refusal.get("blockers") or [{"code": refusal.get("code"), "message": refusal.get("message")}]
    width = max(len(str(blocker.get("code"))) for blocker in blockers)
    for blocker in blockers:
        if _section(blocker) is not None:
            lines.append(f"  x {str(blocker.get('message')).replace(' (add_action_item)', '')}")
        else:
            lines.append(f"  x {blocker.get('code')!s:<{width}}  {blocker.get('message')}{_until(blocker.get('until'))}")
        lines += [f"    {hint.format(id=incident)}" for hint in _hints(blocker)]
    lines.append(f"instead: {refusal.get('required_action')}")
    return Failure(REFUSED, lines, document)


def _hints(blocker: dict[str, Any]) -> list[str]:
    """How to go on from what stands in the way; never the command that monitoring would have refused again."""
    code = str(blocker.get("code"))
    section = _section(blocker)
    if section is not None:
        return [f"fix: {OF_SECTIONS[section]}"]
    if code in FOR_PEOPLE_TO_SAY and blocker.get("message") != FOR_PEOPLE_TO_SAY[code]:
        wait = ["wait: tocsin wait {id} --for verified"]
        return [*wait, 'or: tocsin measure {id} NAME --drop --reason "…"'] if code == "metrics-not-at-baseline" else wait
    hint = HINTS.get(code)
    return [f"{'wait' if blocker.get('until') else 'fix'}: {hint}"] if hint is not None else []


def _section(blocker: dict[str, Any]) -> str | None:
    """The section of a post-mortem that something is missing in: what is missing is said in words, and the code adds nothing."""
    title = str(blocker.get("message")).partition(":")[0]
    return title if blocker.get("code") == "undocumented" and title in OF_SECTIONS else None


def _until(moment: Any) -> str:
    return f" (until {str(moment)[11:19]} UTC)" if moment else ""
