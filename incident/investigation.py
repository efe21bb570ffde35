"""A specialist's work that a machine does: what it is asked, what it has seen, and its report as people read it.

It may read and advise, and nothing else. Whatever it claims must name what it has seen: entries of the timeline (`T12`) or
measurements (`M1`). What it names and has not seen is struck out, and a claim with nothing left is marked.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from incident import messages
from incident.effects import Brief

CLAIMS = 8
NEXT_STEPS = 5
SENTENCE = 500
"""Characters of a claim or a step. Whoever reads the report reads it at night."""

UNPROVEN = "(no evidence named)"


class InvestigationInput(BaseModel):
    """One dispatch to be investigated."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    incident: str
    brief: Brief
    at: datetime


class Claim(BaseModel):
    """One thing that the investigator takes to be so."""

    text: str
    evidence: list[str] = Field(default_factory=list, description="ids of what shows it, such as T12 or M1")


class Findings(BaseModel):
    """What an investigation came to."""

    summary: str = Field(description="the likely cause in one sentence, or that it is not known")
    claims: list[Claim] = Field(default_factory=list)
    next_steps: list[str] = Field(default_factory=list, description="what people could look at or do next")


class Report(BaseModel):
    """The report of one dispatch, ready to be filed."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    by: str
    text: str


def written(findings: Findings, seen: Collection[str]) -> str:
    """The report as people read it. Every line is text: nothing in it calls anybody or looks like an order of the process."""
    lines = [f"From a machine; check it before you act on it. {_line(findings.summary) or messages.UNKNOWN}"]
    lines += [f"- {_line(claim.text)} {_evidence(claim, seen)}" for claim in findings.claims[:CLAIMS] if _line(claim.text)]
    steps = [step for step in map(_line, findings.next_steps[:NEXT_STEPS]) if step]
    if steps:
        lines += ["To look at next, for people to decide:", *(f"- {step}" for step in steps)]
    return "\n".join(lines)


def _evidence(claim: Claim, seen: Collection[str]) -> str:
    named = [each.strip().strip("[]#").upper() for each in claim.evidence]
    shown = list(dict.fromkeys(each for each in named if each in seen))
    return f"[{', '.join(shown[:10])}]" if shown else UNPROVEN


def _line(text: str) -> str:
    """One line of at most a sentence's length, without characters that hide or reorder others, its mentions defused."""
    plain = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    shown = plain if len(plain) <= SENTENCE else f"{plain[:SENTENCE]}…"
    return messages.plain(shown).replace("@", "@\u200b").replace("@\u200b\u200b", "@\u200b")
