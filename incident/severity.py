"""Which severity the factors make it: the worst one present decides."""

from __future__ import annotations

from incident.commands import Factors
from incident.vocabulary import Severity

MANY_USERS = 50
"""Per cent of users; above it the incident is at least SEV2."""


def _found(factors: Factors) -> list[tuple[Severity, str]]:
    found: list[tuple[Severity, str]] = []
    if factors.complete_outage:
        found.append((Severity.SEV1, "complete outage"))
    if factors.data_loss_risk:
        found.append((Severity.SEV1, "data loss or corruption, or risk of it"))
    if factors.security_breach:
        found.append((Severity.SEV1, "security breach"))
    if factors.users_affected_percent > MANY_USERS:
        found.append((Severity.SEV2, f"{factors.users_affected_percent:g} % of users affected, more than {MANY_USERS} %"))
    elif factors.users_affected_percent > 0:
        workaround = "a workaround exists" if factors.workaround else "no workaround"
        found.append((Severity.SEV3, f"{factors.users_affected_percent:g} % of users affected, {workaround}"))
    return found


def decide(factors: Factors) -> Severity | None:
    """The severity that the matrix gives; None is SEV4, which is no incident but a ticket."""
    return min((severity for severity, _ in _found(factors)), key=lambda severity: severity.rank, default=None)


def because(factors: Factors) -> tuple[str, ...]:
    """The factors that decided, in words."""
    decided = decide(factors)
    return tuple(reason for severity, reason in _found(factors) if severity is decided)
