"""Queries that nobody can be asked: they bind verification all the same, so it is said before an incident finds out."""

from __future__ import annotations

from incident.routing import Routes
from starter.health import Finding

NAMED = 3
SET_IT = "Set TOCSIN_PROMETHEUS_URL for worker and door, or take the queries out of the rules."


def queried(rules: Routes) -> tuple[str, ...]:
    """The rules and services that name queries, as the file calls them."""
    return (
        *(f"[[route]] {rule.name}" for rule in rules.routes if rule.queries),
        *(f"[service.{name}]" for name, service in rules.services.items() if service.queries),
    )


def unasked(rules: Routes, *, measuring: bool) -> str | None:
    """The sentence about queries that can't be measured; None where they can, or there are none."""
    places = queried(rules)
    if measuring or not places:
        return None
    named = ", ".join(places[:NAMED]) + (f" and {len(places) - NAMED} more" if len(places) > NAMED else "")
    return (
        f"{named}: name queries, and no monitoring is configured to ask them (TOCSIN_PROMETHEUS_URL). Verification of these incidents "
        "will say that monitoring can't be reached, and not turn green"
    )


def finding(rules: Routes, *, measuring: bool) -> Finding:
    told = unasked(rules, measuring=measuring)
    if told is not None:
        return Finding(name="measurements", ok=False, detail=told, fix=SET_IT)
    detail = "the rules' queries can be asked" if queried(rules) else "the rules name no query"
    return Finding(name="measurements", ok=True, detail=detail)
