"""`tocsin wait`: for scripts that go on once something has happened."""

from __future__ import annotations

import re
from queue import Empty
from time import monotonic
from typing import Any

import click

from starter.cli import incidents
from starter.cli.arguments import Choice
from starter.cli.client import Client
from starter.cli.failures import ERROR, TIMED_OUT, UNREACHABLE, Failure, failed
from starter.cli.output import clean, put, put_json
from starter.cli.reading import incident_argument
from starter.cli.session import Session, reading
from starter.cli.stream import Entry, Follower, Gone, State
from starter.cli.verbs import PHASES

GOALS = ("acknowledged", "declared", "mitigated", "verified", "resolved", *PHASES)

LOOK_AGAIN_AFTER = 10.0
"""Seconds after which the state is read though nothing was heard."""

_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


class Length(click.ParamType[float]):
    """Seconds, or `90s`, `15m`, `2h`, `1d`."""

    name = "LENGTH"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = _LENGTH.fullmatch(value.strip().lower())
        if found is None:
            self.fail(f"{value!r} is no length like 90s, 15m or 2h.", param, ctx)
        return float(found.group(1)) * _UNITS[found.group(2)]


@click.command()
@incident_argument
@click.option("--for", "goal", type=Choice(GOALS), required=True, help="a phase (that it has reached or passed), or what has to be so")
@click.option("--timeout", type=Length(), help="give up after this long, with exit code 8 (default: never)")
@reading
def wait(session: Session, incident: str | None, goal: str, timeout: float | None) -> None:
    """Wait until an incident is acknowledged, declared, mitigated, verified, resolved or closed, or has reached a phase."""
    deadline = None if timeout is None else monotonic() + timeout
    client = session.client()
    name = incidents.find(client, incident)
    state: dict[str, Any] = client.get(f"/incidents/{name}")
    if not reached(state, goal):
        state = _waited(client, name, state, goal, deadline)
    if session.json:
        put_json(state)
    else:
        put(name if session.ids else f"{name}  {goal}  ({str(state['phase']).replace('_', '-')}, {clean(state.get('title', ''))})")


def _waited(client: Client, name: str, state: dict[str, Any], goal: str, deadline: float | None) -> dict[str, Any]:
    """Follow the incident until it is there.

    Raises:
        Failure: the time is up, or it will never be so.
    """
    follower = Follower(client, name, int(state.get("seq", 0)))
    follower.start()
    try:
        while not reached(state, goal):
            _possible(state, goal)
            state = _looked_again(follower, client, name, state, deadline)
            if not reached(state, goal) and deadline is not None and monotonic() >= deadline:
                detail = f"{name} is not {goal} yet; it is in {state['phase']}"
                raise failed(TIMED_OUT, "timed-out", detail, incident=name, goal=goal, phase=state["phase"])
        return state
    finally:
        follower.stop()


def _looked_again(follower: Follower, client: Client, name: str, state: dict[str, Any], deadline: float | None) -> dict[str, Any]:
    """The state after the next news, or after a while without any. A server that is away for now is waited for."""
    left = LOOK_AGAIN_AFTER if deadline is None else max(0.0, min(LOOK_AGAIN_AFTER, deadline - monotonic()))
    try:
        news = follower.news.get(timeout=left) if left > 0 else None
    except Empty:
        news = None
    if isinstance(news, Gone):
        raise news.failure
    if isinstance(news, State):
        return news.data
    if news is not None and not isinstance(news, Entry):
        return state
    try:
        found: dict[str, Any] = client.get(f"/incidents/{name}")
    except Failure as failure:
        if failure.code != UNREACHABLE:
            raise
        return state
    return found


def reached(state: dict[str, Any], goal: str) -> bool:
    """Whether the incident is there, or further."""
    if goal == "verified":
        return bool((state.get("verification") or {}).get("passed_at") or state.get("resolved_at") or _nothing_to_verify(state))
    if goal in PHASES:
        there = PHASES.index(state["phase"]) >= PHASES.index(goal)
        return there and (goal == "closed" or not _dismissed(state))
    return bool(state.get(f"{goal}_at"))


def _nothing_to_verify(state: dict[str, Any]) -> bool:
    """A severity without a verification period is verified once every criterion is confirmed."""
    criteria = state.get("criteria") or {}
    return (state.get("verification") or {}).get("length") == 0 and bool(criteria) and all(criteria.values())


def _dismissed(state: dict[str, Any]) -> bool:
    return state.get("phase") == "closed" and not state.get("resolved_at")


def _possible(state: dict[str, Any], goal: str) -> None:
    if state.get("phase") == "closed":
        outcome = state.get("outcome") or "closed"
        raise failed(ERROR, "never", f"{state['incident']} is closed ({outcome}), and will not be {goal}", incident=state["incident"])
