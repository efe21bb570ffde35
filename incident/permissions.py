"""Who may do what: one table, for every door.

A door says in a command which access roles the person has who is signed in (`roles`), and through which door the
command came (`via`). A command without `roles` is trusted: whoever can reach Temporal itself can do anything, and a
table would only pretend otherwise. Beside what the door vouches for, whoever holds a role in the incident may do what
that role may: a commander by assignment commands, whatever the directory says.
"""

from __future__ import annotations

from collections.abc import Mapping

from incident import deliveries
from incident.commands import Assign, ChangeSeverity, Command, GiveUpDelivery, Open, PostUpdate, ReplaceDelivery
from incident.effects import Port
from incident.model import Incident
from incident.refusals import Blocker, Refusal, refuse
from incident.vocabulary import Access, Audience, Role

READERS = frozenset(Access)
RESPONDERS = frozenset({Access.RESPONDER, Access.COMMANDER, Access.COMMUNICATIONS, Access.ADMIN})
COMMANDERS = frozenset({Access.COMMANDER, Access.ADMIN})
SPEAKERS = frozenset({Access.COMMUNICATIONS, Access.COMMANDER, Access.ADMIN})
EXAMINERS = frozenset({Access.AUDITOR, Access.COMMANDER, Access.ADMIN})
ADMINS = frozenset({Access.ADMIN})

PERMISSIONS: dict[str, frozenset[Access]] = {
    # Reading
    "read": READERS,
    "export_audit": EXAMINERS,
    "manage_tokens_of_others": ADMINS,
    # Help is never blocked: whoever responds may do all that restores service, and say that it is not over.
    "open": RESPONDERS,
    "alert": RESPONDERS,
    "acknowledge": RESPONDERS,
    "describe": RESPONDERS,
    "declare": RESPONDERS,
    "check": RESPONDERS,
    "skip": RESPONDERS,
    "advance": RESPONDERS,
    "note": RESPONDERS,
    "hypothesize": RESPONDERS,
    "mitigate": RESPONDERS,
    "finish_mitigation": RESPONDERS,
    "confirm": RESPONDERS,
    "withdraw": RESPONDERS,
    "measure": RESPONDERS,
    "correct": RESPONDERS,
    "reopen": RESPONDERS,
    "dispatch": RESPONDERS,
    "file_report": RESPONDERS,
    "schedule_retrospective": RESPONDERS,
    "add_action_item": RESPONDERS,
    "change_action_item": RESPONDERS,
    "complete_action_item": RESPONDERS,
    "file_postmortem": RESPONDERS,
    "dismiss": RESPONDERS,
    "merge": RESPONDERS,
    "assign": RESPONDERS,
    "change_severity": RESPONDERS,
    "post_update": RESPONDERS,
    "restrict": RESPONDERS,
    "invite": RESPONDERS,
    "retry_delivery": RESPONDERS,
    "replace_delivery": RESPONDERS,
    "resume_channel": RESPONDERS,
    # What is said to the outside, and what ends or lowers something, is somebody's own responsibility.
    "post_update:external": SPEAKERS,
    "assign:held": COMMANDERS,
    "change_severity:lower": COMMANDERS,
    "approve": COMMANDERS,
    "resolve": COMMANDERS,
    "waive": COMMANDERS,
    "give_up_delivery": COMMANDERS,
    "give_up_delivery:public": SPEAKERS,
    "replace_delivery:public": SPEAKERS,
    "pause_channel": COMMANDERS,
    "close": COMMANDERS,
}
"""What is done, to the access roles of which one is enough. A name with a colon is the stricter case of the verb before it."""

GRANTS: dict[Role, Access] = {
    Role.COMMANDER: Access.COMMANDER,
    Role.COMMUNICATIONS: Access.COMMUNICATIONS,
    Role.SCRIBE: Access.RESPONDER,
    Role.OPERATIONS: Access.RESPONDER,
}
"""What holding a role in an incident is worth in that incident."""


def allows(roles: frozenset[Access], act: str) -> bool:
    """Whether one of `roles` is enough for this row of the table."""
    return bool(roles & PERMISSIONS[act])


def same_person(one: str, other: str) -> bool:
    """Whether two ways of writing a name mean the same person: `@Ana` is `ana`."""
    return one.strip().lstrip("@").casefold() == other.strip().lstrip("@").casefold()


def objection(incident: Incident, command: Command) -> Refusal | None:
    """The refusal where a door vouches for roles that are not enough; None where the command may go on."""
    if command.roles is None:
        return None
    act = act_of(incident, command)
    held = _held(incident.roles, command.by)
    if allows(worth(frozenset(command.roles), incident.roles, command.by), act):
        return None
    handing_over = isinstance(command, Assign) and command.role in held
    return None if handing_over else _not_permitted(command.by, command.roles, act, incident)


def refusal_of(command: Command, act: str) -> Refusal | None:
    """The refusal where a door vouches for somebody who may not do what belongs to no incident; None where they may."""
    if command.roles is None or allows(frozenset(command.roles), act):
        return None
    return _not_permitted(command.by, command.roles, act, None)


def objection_to_opening(request: Open) -> Refusal | None:
    """The refusal where a door vouches for somebody who may not open an incident."""
    if request.roles is None or allows(frozenset(request.roles), "open"):
        return None
    return _not_permitted(request.by, request.roles, "open", None)


def act_of(incident: Incident, command: Command) -> str:
    """The row of the table that a command falls under, as things stand."""
    if isinstance(command, PostUpdate) and command.audience is Audience.EXTERNAL:
        return "post_update:external"
    if isinstance(command, Assign) and incident.roles.get(command.role):
        return "assign:held"
    if isinstance(command, ChangeSeverity) and incident.severity is not None and command.severity.rank > incident.severity.rank:
        return "change_severity:lower"
    if isinstance(command, ReplaceDelivery | GiveUpDelivery):
        found = deliveries.find(incident, command.delivery)
        if found is not None and found.effect.port is Port.STATUS:
            return f"{command.verb}:public"
    return command.verb


def worth(roles: frozenset[Access], holders: Mapping[Role, str | None], person: str) -> frozenset[Access]:
    """What somebody's access roles are worth in an incident whose roles are held by `holders`."""
    return roles | {GRANTS[role] for role in _held(holders, person)}


def enough(act: str) -> str:
    """The access roles of which one is enough for this row of the table, as a sentence has them."""
    return _or([access.value for access in Access if access in PERMISSIONS[act]])


def _held(holders: Mapping[Role, str | None], person: str) -> frozenset[Role]:
    return frozenset(role for role, holder in holders.items() if holder and same_person(holder, person))


_SAID = {
    "post_update:external": "telling the public",
    "assign:held": "taking a role from its holder",
    "change_severity:lower": "lowering the severity",
    "replace_delivery:public": "saying something else to the public",
    "give_up_delivery:public": "not telling the public",
    "open": "opening an incident",
    "read": "reading",
    "alert": "sending alerts",
    "export_audit": "reading the record with its proof",
    "manage_tokens_of_others": "managing the tokens of others",
    "file_postmortem": "writing a post-mortem",
}


def doing(act: str) -> str:
    """What a row of the table is about, as the subject of a sentence."""
    return _SAID.get(act, act.replace("_", " "))


def _not_permitted(by: str, roles: tuple[Access, ...], act: str, incident: Incident | None) -> Refusal:
    wanted = enough(act)
    has = ", ".join(sorted(access.value for access in roles)) or "no role"
    holders = {
        role.value: holder
        for role, holder in (incident.roles.items() if incident is not None else ())
        if holder and GRANTS[role] in PERMISSIONS[act]
    }
    asked = " or ".join(dict.fromkeys(f"{holder}, who is {role} here" for role, holder in holders.items()))
    ask = f"Ask {asked}, or somebody" if asked else "Ask somebody"
    return refuse(
        "not-permitted",
        message=f"{by} has {has}; {doing(act)} needs {wanted}.",
        action=f"{ask} with the role {wanted}. Roles come with signing in; an administrator of Tocsin maps them.",
        blockers=[Blocker(code="not-permitted", message=f"needs the role {wanted}")]
        + [Blocker(code="not-permitted", message=f"{holder} may: {role} of this incident") for role, holder in holders.items()],
    )


def _or(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
