"""The board of one incident: how bad, which clocks, what is open, what to do now. `status` prints it, `watch` keeps it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from incident.telling import since
from starter.cli import times
from starter.cli.listing import phase_label
from starter.cli.output import BOLD, DIM, GREEN, RED, SEVERITY_STYLE, YELLOW, Paint, aligned, clean

OPEN_CLOCKS = frozenset({"running", "overdue", "paused"})

SOON_SHARE, SOON_SECONDS = 0.2, 300
"""A clock is due soon in the last fifth of its time, and in its last five minutes at most."""

FIRING_SHOWN = 3


def board(state: dict[str, Any], now: datetime, paint: Paint) -> list[str]:
    """The lines, the most important first."""
    lines = [headline(state, now, paint)]
    clocks = sorted(
        (clock for clock in state.get("clocks", []) if clock.get("state") in OPEN_CLOCKS), key=lambda clock: clock.get("due") or "~"
    )
    if clocks:
        rows = [_clock(clock, now, paint) for clock in clocks]
        lines += ["  " + line for line in aligned(("CLOCK", "DUE (UTC)", "LEFT", "OWNER"), rows, paint)]
    lines += _firing(state, now, paint)
    lines += _checklist(state, paint)
    lines += [f"  {paint('x', RED)} {clean(blocker['message'])}" for blocker in (state.get("blockers") or [])[:3]]
    down = (state.get("deliveries") or {}).get("down") or {}
    if down:
        lines.append(
            paint(f"  down: {', '.join(sorted(down))} (what they are owed is kept: tocsin deliveries {state['incident']})", YELLOW)
        )
    step = state.get("next") or {}
    if step:
        lines.append(f"  {paint('next:', BOLD)} {clean(step.get('command') or step.get('text'))}  {paint(clean(step.get('why', '')), DIM)}")
    return lines


def headline(state: dict[str, Any], now: datetime, paint: Paint) -> str:
    """The incident in one line."""
    severity = str(state.get("severity") or "undeclared")
    opened = times.read(state.get("opened_at"))
    ended = times.read(state.get("closed_at"))
    roles = state.get("roles") or {}
    people = [f"{short} {clean(roles[role])}" for role, short in (("commander", "IC"), ("communications", "comms")) if roles.get(role)]
    parts = [
        paint(str(state["incident"]), BOLD),
        paint(severity, SEVERITY_STYLE.get(severity)),
        *([paint("DRILL", "7")] if state.get("drill") else []),
        *([paint("PRIVATE", "7")] if state.get("private") else []),
        paint(clean(state.get("title", "")), BOLD),
        phase_label(state.get("phase")),
        f"open {times.length((ended or now) - opened)}" if opened is not None else "",
        *people,
    ]
    return "  ".join(part for part in parts if part)


def _clock(clock: dict[str, Any], now: datetime, paint: Paint) -> list[str]:
    due = times.read(clock.get("due"))
    name = clock_name(clock)
    owner = clean(clock.get("owner") or "-")
    if clock.get("state") == "paused" or due is None:
        return [name, "-", "paused", owner]
    style = None
    if due <= now:
        style = RED
    else:
        since = times.read(clock.get("since"))
        whole = (due - since).total_seconds() if since is not None else SOON_SECONDS
        if (due - now).total_seconds() < min(whole * SOON_SHARE, SOON_SECONDS):
            style = YELLOW
    return [name, times.clock_time(due, now), paint(times.left(due, now).removesuffix(" left"), style), owner]


def clock_name(clock: dict[str, Any]) -> str:
    """The clock's name, which commands know too; an action item by what it says."""
    name = str(clock["name"])
    return clean(clock["label"]) if name.startswith("action_item:") and clock.get("label") else clean(name).replace("_", " ")


def _firing(state: dict[str, Any], now: datetime, paint: Paint) -> list[str]:
    """The first alerts that fire, and since when: those that have been at it longest."""
    alerts = sorted((alert for alert in state.get("alerts") or [] if alert.get("firing")), key=lambda alert: str(alert.get("starts_at")))
    if not alerts:
        return []
    shown = [f"{clean(alert.get('name'))} {since(alert, now)}".rstrip() for alert in alerts[:FIRING_SHOWN]]
    left = int(state.get("alerts_firing", len(alerts))) - len(shown)
    more = f" and {left} more" if left > 0 else ""
    return [f"  {paint('firing:', RED)} {'; '.join(shown)}{more}"]


def _checklist(state: dict[str, Any], paint: Paint) -> list[str]:
    items = [item for item in state.get("checklist", []) if item.get("phase") == state.get("phase")]
    if not items:
        return []
    done = [item for item in items if item.get("state") != "open"]
    ticks = [f"{paint('[x]', GREEN) if item in done else '[ ]'} {clean(item['item'])}" for item in items]
    return [f"  checklist {len(done)}/{len(items)}: " + "  ".join(ticks)]
