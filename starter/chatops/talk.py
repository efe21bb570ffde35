"""Carry out what somebody said in a chat, and word the answer: one desk call, as at every other door."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from temporalio.service import RPCError

from integrations.errors import IntegrationError
from starter import privacy
from starter.channels import ChannelDesk
from starter.chatops import words
from starter.cli.verbs import SHORT
from starter.desk import Desk
from starter.identity.actor import Actor, acting
from starter.problems import Invalid, Problem
from starter.reading import Filters

log = structlog.get_logger("tocsin.chat")

LISTED = 15

UNDOCUMENTED = "undocumented"
"""The code of whatever is missing in writing; it says nothing that the sentence beside it does not."""


def typed(sentence: str) -> str:
    """A sentence of the core with what is typed here for the command that it names: `(add_action_item)` is `(type action add)`."""
    short = {verb: name for name, verb in SHORT.items()}
    return words.ASIDE.sub(lambda found: f" (type {short.get(found[1], found[1].replace('_', '-'))})", sentence)


@contextmanager
def as_somebody(actor: Actor, *, sees_all: bool) -> Iterator[None]:
    """Let what follows be asked and seen by this person."""
    viewer = privacy.EVERYBODY if sees_all else privacy.Viewer(actor.name)
    with acting(actor), privacy.looking(viewer):
        yield


@dataclass(frozen=True)
class Told:
    """What somebody is answered; `done`: a command was carried out, and this is no refusal and no reading."""

    text: str
    done: bool = False


class Talk:
    """What can be said to a desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._channels = ChannelDesk(desk.client, task_queue=desk.task_queue)

    async def typed(self, line: str, channels: Collection[str], actor: Actor, key: str) -> Told:
        """Carry out a line; `channels` are the names of where it was typed, with their `#`. Whatever goes wrong is an answer."""
        try:
            return await self._typed(line, channels, actor, key)
        except Problem as problem:
            return Told(worded(problem))
        except IntegrationError as error:
            return Told(f"Not now: {error}")
        except RPCError:
            log.exception("Temporal refused a call")
            return Told("Temporal refused the call; the server's log says why. Nothing was changed.")

    async def _typed(self, line: str, channels: Collection[str], actor: Actor, key: str) -> Told:
        said = words.read(line)
        actor.need("read")
        match said.verb:
            case "help":
                return Told(
                    "\n".join(["Type a verb, an incident's id (in its own channel it may be left out) and what it needs:", *words.usage()])
                )
            case "list":
                return Told(listed(await self._desk.listing(Filters(open=True))))
            case "open":
                state = await self._desk.open(said.fields, key)
                return Told(f"Opened {state['incident']}: {state['title']} ({state['severity'] or 'in detection'}).", done=True)
            case "channels":
                return Told(paused(await self._channels.listed()))
            case "pause_channel":
                return told_of_channel(await self._channels.pause(said.fields, key))
            case "resume_channel":
                return told_of_channel(await self._channels.resume(said.fields, key))
        incident = said.incident or await self._of(channels)
        if said.verb in ("status", "next"):
            return Told(stands(await self._desk.state(incident)))
        answer = await self._desk.command(incident, said.verb, said.fields, key)
        return Told(answered(answer), done=answer["accepted"])

    async def pressed(self, incident: str, verb: str, fields: Mapping[str, Any], key: str) -> dict[str, Any]:
        """Carry out a verb that was chosen from a form or by a button.

        Raises:
            Problem: as the desk says it.
        """
        return await self._desk.command(incident, verb, fields, key)

    async def _of(self, channels: Collection[str]) -> str:
        """The open incident whose channel this is."""
        found = [row for row in await self._desk.listing(Filters(open=True)) if row.get("channel") in channels]
        if len(found) == 1:
            return str(found[0]["incident"])
        here = next(iter(channels), "this")
        raise Invalid(
            [{"field": "incident", "message": f"which one? {here} is no open incident's own channel; name it, like INC-2026-0001"}]
        )


def answered(answer: Mapping[str, Any]) -> str:
    """What the process said: the new entries, or the refusal with the way forward."""
    incident = answer["incident"]
    if not answer["accepted"]:
        return f"{incident}: {refused(answer['refusal'])}"
    told = "\n".join(f"- {entry['text']}" for entry in answer["events"])
    return f"{incident}: done; it is in {answer['phase']}.\n{told}" if told else f"{incident}: it was so already."


def refused(refusal: Mapping[str, Any]) -> str:
    """A refusal, whole: its code where that says something, why, the way forward, and what stands in it."""
    blockers = "".join(f"\n- {typed(blocker['message'])}" for blocker in refusal.get("blockers") or ())
    code = "" if refusal["code"] == UNDOCUMENTED else f" ({refusal['code']})"
    return f"refused{code}. {refusal['message']} {refusal['required_action']}{blockers}"


def told_of_channel(answer: Mapping[str, Any]) -> Told:
    """What became of a request to pause or resume a channel."""
    if not answer["accepted"]:
        return Told(f"Not done, {refused(answer['refusal'])}")
    return Told(f"{answer['text']}." if answer["news"] else f"It was so already: {answer['text']}.", done=True)


def paused(channels: list[dict[str, Any]]) -> str:
    """The channels that wait, each with who made it wait, until when and why."""
    lines = [
        f"- {each['port']}, by {each['by']} until {each['until']}{' (overdue)' if each['overdue'] else ''}: {each['reason']}"
        for each in channels
    ]
    return "\n".join(lines) or "No channel is paused."


def worded(problem: Problem) -> str:
    """A problem for whoever is asked: what is wrong, and what would do."""
    if isinstance(problem, Invalid):
        return "That can't be read. " + "; ".join(f"{error['field']}: {error['message']}" for error in problem.errors)
    return f"{problem.title}. {problem.detail}"


def listed(rows: list[dict[str, Any]]) -> str:
    lines = [f"- {row['incident']} {row['severity'] or '-'} {row['phase']}: {row['title']}" for row in rows[:LISTED]]
    more = [f"and {len(rows) - LISTED} more"] if len(rows) > LISTED else []
    return "\n".join([*lines, *more]) or "No incident is open."


def stands(state: Mapping[str, Any]) -> str:
    """Where an incident stands, and what it waits for."""
    head = f"{state['severity'] or 'not declared'} {state['incident']}: {state['title']}. It is in {state['phase']}."
    running = [clock for clock in state.get("clocks") or () if clock["state"] in ("running", "overdue")]
    clocks = [
        f"- {clock.get('label') or clock['name']}: {'overdue' if clock['state'] == 'overdue' else 'due'} {clock['due']}"
        for clock in running
    ]
    blockers = [f"- {blocker['message']}" for blocker in state.get("blockers") or ()]
    return "\n".join([head, *clocks, *blockers])
