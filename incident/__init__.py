"""The core: what an incident is and what the process makes of it. Pure: no I/O, no clock, no Temporal.

In reading order:

    vocabulary   the closed sets of words: phases, severities, roles …
    policy       the severity matrix as one literal table
    model        the incident and its parts, as frozen values
    commands     what people may ask             events     what happened; the timeline is these
    permissions  who may ask it: one table, verb to roles
    repeats      what tells a repeat from another request under its key
    lifecycle    decide, record, tick: the way in
    deciding     one function a verb             refusals   every way we say no
    evolving     what an event makes of the state
    clocks       what is due when                blockers   what stands in the way
    asking       what an event asks of the world effects    what an ask looks like
    routing      where an alert goes             flapping   which word on it is news
    storms       what nothing holds together
    merging      two incidents that are one trouble
    queries      what is measured                evidence   baselines, readings, verdicts
    verifying    verification by evidence        lookups    what the detection checklist asks
    measuring    what people say of both
    alerts       what monitoring says            paging     who is paged while nobody acknowledges
    parcels      alerts on their way in messages
    carrying     alerts that the next run takes along
    checklists, severity, mitigation_options, rationalizations: the process's own tables
    messages, naming, postmortem, placeholders, pictures, durations: what people read
    telling      an entry as it is read later    lateness   what was not done in time, told once
    moments      what of a timeline a reader who comes late needs
    invisible    what nobody can see in a text  previewing what the public would read
    analytics    how incidents went, over many of them
    guidance, snapshot: what to do now, and what outsiders see
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from incident.effects import Effect, Port
    from incident.events import Event
    from incident.model import Clock, Incident
    from incident.policy import Policy, SeverityRule
    from incident.vocabulary import Criterion, Phase, Role, Severity

__all__ = ["Clock", "Criterion", "Effect", "Event", "Incident", "Phase", "Policy", "Port", "Role", "Severity", "SeverityRule"]

_MODULES = {
    "effects": ("Effect", "Port"),
    "events": ("Event",),
    "model": ("Clock", "Incident"),
    "policy": ("Policy", "SeverityRule"),
    "vocabulary": ("Criterion", "Phase", "Role", "Severity"),
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Load a noun when it is asked for: the command line wants a sentence of the core, and none of its models."""
        module = next((module for module, nouns in _MODULES.items() if name in nouns), None)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{module}"), name)
