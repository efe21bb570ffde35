"""How incidents went, over many of them: times, promises kept, refusals, action items.

`facts` reads one incident, and what it says of one that has ended never changes; `report` makes the numbers of many.
Durations are skewed, so medians and 90th percentiles are told and the mean only beside them. Drills, and what turned
out to be no incident, are left out and counted. Every number names the incidents behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from incident import clocks
from incident.events import Event
from incident.vocabulary import Dismissal, Severity

MILESTONES = {"acknowledge": "acknowledged_at", "declare": "declared_at", "mitigate": "mitigated_at", "resolve": "resolved_at"}
"""Each of the four times, and the row's field that ends it."""

NO_INCIDENT = frozenset(dismissal.value for dismissal in Dismissal) | {"ticket"}
"""Outcomes of what never was an incident; `ticket` is what a SEV4 becomes."""

TOO_FEW = 5
"""Below this many measurements two medians say nothing about each other."""

DUTIES = {
    "acknowledge": frozenset({clocks.ACKNOWLEDGE}),
    "internal_update": frozenset({clocks.INTERNAL_UPDATE}),
    "external_update": frozenset({clocks.EXTERNAL_UPDATE, clocks.STATUS_PAGE}),
    "postmortem": frozenset({clocks.POSTMORTEM}),
}
"""Each duty whose keeping is counted, and its clocks. One post that stops two clocks is one duty kept."""

CADENCES = frozenset({"internal_update", "external_update"})

NO_SERVICE = "(no service)"

LEFT_OUT = {"drills": "drill", "no-incident": "no-incident"}
"""The two numbers of what is not counted, each with the reason that its rows give."""


class Item(NamedTuple):
    """One action item, as far as the timeline tells."""

    id: str
    item: str
    owner: str
    due: date
    status: str

    def overdue(self, today: date) -> bool:
        return self.status == "open" and self.due < today


class Postmortem(NamedTuple):
    """Where the post-mortem of one incident stands; `due` None where none is owed yet, or any more."""

    due: datetime | None = None
    filed_at: datetime | None = None
    filed_by: str | None = None
    waived: bool = False

    def state(self, now: datetime) -> str:
        if self.filed_at is not None:
            return "filed"
        if self.waived or self.due is None:
            return "waived" if self.waived else "not-due"
        return "overdue" if self.due <= now else "due"


class Facts(NamedTuple):
    """What one incident adds to the numbers. `late` holds, per duty, the seconds by which each was late (0: in time).

    `owed` are the duties that are still open, with their due times: whether one is late depends on the moment.
    `detailed` is False where only the row was known, so that nothing but the four times counts.
    """

    incident: str
    title: str
    severity: str | None
    services: tuple[str, ...]
    phase: str
    opened_at: datetime
    open: bool
    drill: bool
    outcome: str | None
    seconds: Mapping[str, float]
    late: Mapping[str, tuple[int, ...]]
    owed: tuple[tuple[str, datetime], ...]
    refusals: tuple[str, ...]
    items: tuple[Item, ...]
    postmortem: Postmortem
    detailed: bool

    @property
    def counts(self) -> bool:
        return not self.drill and self.outcome not in NO_INCIDENT


def facts(row: Mapping[str, Any], timeline: Sequence[Event] | None = None) -> Facts:
    """Read one incident: its row as lists have it and, where it could be read, its whole timeline."""
    late, owed = _duties(timeline or ())
    opened_at = datetime.fromisoformat(row["opened_at"])
    ended = {name: row.get(field) for name, field in MILESTONES.items()}
    return Facts(
        incident=row["incident"],
        title=row.get("title") or "",
        severity=row.get("severity"),
        services=tuple(row.get("services") or ()),
        phase=row.get("phase") or "",
        opened_at=opened_at,
        open=bool(row.get("open")),
        drill=bool(row.get("drill")),
        outcome=row.get("outcome"),
        seconds={name: (datetime.fromisoformat(at) - opened_at).total_seconds() for name, at in ended.items() if at},
        late=late,
        owed=owed,
        refusals=tuple(_code(event) for event in timeline or () if event.kind == "refused"),
        items=_items(timeline or ()),
        postmortem=_postmortem(timeline or ()),
        detailed=timeline is not None,
    )


def followed(one: Facts, later: Sequence[Event]) -> Facts:
    """The facts of an incident that has ended with what its follow-up has seen since: items done or waived, and refusals."""
    refusals = tuple(_code(event) for event in later if event.kind == "refused")
    return one._replace(items=_items(later, one.items), refusals=(*one.refusals, *refusals))


def _code(event: Event) -> str:
    refusal = event.data.get("refusal")
    return str(refusal.get("code")) if isinstance(refusal, dict) else "unknown"


def _duties(timeline: Sequence[Event]) -> tuple[dict[str, tuple[int, ...]], tuple[tuple[str, datetime], ...]]:
    """How late each duty was, and which are still owed since when, from what every event did to the clocks."""
    late: dict[str, list[int]] = {name: [] for name in DUTIES}
    owed: dict[str, datetime] = {}
    for event in timeline:
        moved = event.data.get("clocks")
        if not isinstance(moved, dict):
            continue
        satisfied = moved.get("satisfied") or {}
        for name, of_it in DUTIES.items():
            by = [int(satisfied[clock]) for clock in of_it if clock in satisfied]
            # The end of the incident ends a wait that was still running: nothing was due, nothing was kept.
            if by and (max(by) > 0 or name not in CADENCES or event.kind == name):
                late[name].append(max(by))
        for clock in (*satisfied, *(moved.get("superseded") or ())):
            owed.pop(clock, None)
        owed |= {clock: datetime.fromisoformat(due) for clock, due in (moved.get("started") or {}).items()}
    still = tuple((name, owed[clock]) for name, of_it in DUTIES.items() for clock in sorted(of_it) if clock in owed)
    return {name: tuple(found) for name, found in late.items()}, still


def _items(timeline: Sequence[Event], before: Iterable[Item] = ()) -> tuple[Item, ...]:
    items = {item.id: item for item in before}
    for event in timeline:
        data = event.data
        if event.kind == "action_item_added":
            items[data["id"]] = Item(data["id"], data["item"], data["owner"], date.fromisoformat(data["due"]), "open")
        elif event.kind == "action_item_changed" and data["id"] in items:
            known = items[data["id"]]
            due = date.fromisoformat(data["due"]) if "due" in data else known.due
            items[data["id"]] = known._replace(item=data.get("item", known.item), owner=data.get("owner", known.owner), due=due)
        elif event.kind == "action_item_completed" and data["id"] in items:
            items[data["id"]] = items[data["id"]]._replace(status="done")
        elif event.kind == "waived":
            id = str(data["obligation"]).removeprefix(clocks.ACTION_ITEM)
            if id in items and data["obligation"] != id:
                items[id] = items[id]._replace(status="waived")
    return tuple(items.values())


def _postmortem(timeline: Sequence[Event]) -> Postmortem:
    found = Postmortem()
    for event in timeline:
        moved = event.data.get("clocks")
        started = (moved.get("started") or {}) if isinstance(moved, dict) else {}
        if event.kind == "reopened":
            found = Postmortem()
        if clocks.POSTMORTEM in started:
            found = found._replace(due=datetime.fromisoformat(started[clocks.POSTMORTEM]))
        if event.kind == "postmortem_filed" and found.filed_at is None:
            found = found._replace(filed_at=event.at, filed_by=event.by)
        if event.kind == "waived" and event.data.get("obligation") == clocks.POSTMORTEM:
            found = found._replace(waived=True)
    return found


def summary(found: Iterable[Facts]) -> dict[str, Any]:
    """Counts, and median and 90th percentile in seconds of the four times; None where nothing has been measured."""
    everything = list(found)
    real = [each for each in everything if not each.drill]
    counted = [each for each in real if each.counts]
    return {
        "incidents": len(counted),
        "open": sum(each.open for each in counted),
        "dismissed": len(real) - len(counted),
        "drills_left_out": len(everything) - len(real),
        "all": _times(counted, spread),
        "by_severity": {severity: {"incidents": len(of_it), **_times(of_it, spread)} for severity, of_it in _by_severity(counted).items()},
    }


def _by_severity(found: Sequence[Facts]) -> dict[str, list[Facts]]:
    return {severity.value: [each for each in found if each.severity == severity.value] for severity in Severity}


class Window(NamedTuple):
    """Which incidents to count: opened within so many days (all, where None), of a severity, on a service."""

    days: int | None = None
    severity: str | None = None
    service: str | None = None

    def admits(self, one: Facts, now: datetime) -> bool:
        if self.days is not None and one.opened_at < now - timedelta(days=self.days):
            return False
        if self.severity is not None and one.severity != self.severity:
            return False
        return self.service is None or self.service in one.services


EVERYTHING = Window()


def report(found: Iterable[Facts], now: datetime, window: Window = EVERYTHING) -> dict[str, Any]:
    """All numbers of the incidents in the window, as JSON values; times in seconds."""
    within = [each for each in found if window.admits(each, now)]
    real = [each for each in within if not each.drill]
    counted = sorted((each for each in real if each.counts), key=lambda each: (each.opened_at, each.incident), reverse=True)
    services = sorted({service for each in counted for service in each.services or (NO_SERVICE,)})
    return {
        "days": window.days,
        "since": _iso(now - timedelta(days=window.days)) if window.days is not None else None,
        "until": _iso(now),
        "severity": window.severity,
        "service": window.service,
        "incidents": len(counted),
        "open": sum(each.open for each in counted),
        "dismissed": len(real) - len(counted),
        "drills_left_out": len(within) - len(real),
        "without_details": [each.incident for each in counted if not each.detailed],
        "too_few_below": TOO_FEW,
        "times": {
            "all": _group(counted),
            "by_severity": {severity: _group(of_it) for severity, of_it in _by_severity(counted).items()},
            "by_service": {name: _group([each for each in counted if name in (each.services or (NO_SERVICE,))]) for name in services},
        },
        "on_time": {name: _kept(name, counted, now) for name in DUTIES},
        "refusals": _refusals(counted),
        "action_items": _action_items(counted, now.date()),
        "rows": [_row(each, now) for each in counted],
        "left_out": [
            {"why": "drill" if each.drill else "no-incident", "outcome": each.outcome, **_row(each, now)}
            for each in sorted(within, key=lambda each: (each.opened_at, each.incident), reverse=True)
            if not each.counts
        ],
    }


def spread(seconds: Iterable[float]) -> dict[str, Any]:
    ordered = sorted(seconds)
    return {"measured": len(ordered), "median": quantile(ordered, 0.5), "p90": quantile(ordered, 0.9)}


def _wide_spread(seconds: Iterable[float]) -> dict[str, Any]:
    ordered = sorted(seconds)
    mean = round(sum(ordered) / len(ordered), 3) if ordered else None
    ends = {"shortest": ordered[0] if ordered else None, "longest": ordered[-1] if ordered else None}
    return {**spread(ordered), **ends, "mean": mean, "too_few": len(ordered) < TOO_FEW}


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """Interpolated between the two nearest values, as most tools do it."""
    if not ordered:
        return None
    position = (len(ordered) - 1) * share
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return round(ordered[below] + (ordered[above] - ordered[below]) * (position - below), 3)


def _times(found: Sequence[Facts], told: Callable[[Iterable[float]], dict[str, Any]]) -> dict[str, Any]:
    return {name: told(each.seconds[name] for each in found if name in each.seconds) for name in MILESTONES}


def _group(found: Sequence[Facts]) -> dict[str, Any]:
    return {"incidents": len(found), **_times(found, _wide_spread)}


def _lateness(one: Facts, duty: str, now: datetime) -> tuple[int, int]:
    """How often a duty was due, and how often it was late, the open one that is overdue among them."""
    ended = one.late.get(duty, ())
    overdue = any(name == duty and due <= now for name, due in one.owed)
    return len(ended) + overdue, sum(late > 0 for late in ended) + overdue


def _kept(duty: str, found: Sequence[Facts], now: datetime) -> dict[str, Any]:
    counts = {each.incident: _lateness(each, duty, now) for each in found}
    due = sum(times for times, _ in counts.values())
    late = sum(times for _, times in counts.values())
    return {
        "due": due,
        "on_time": due - late,
        "share": round((due - late) / due, 4) if due else None,
        "too_few": due < TOO_FEW,
        "incidents": [incident for incident, (times, _) in counts.items() if times],
        "late": [incident for incident, (_, times) in counts.items() if times],
    }


def _refusals(found: Sequence[Facts]) -> list[dict[str, Any]]:
    codes: dict[str, list[str]] = {}
    for each in found:
        for code in each.refusals:
            codes.setdefault(code, []).append(each.incident)
    rows = [{"code": code, "count": len(where), "incidents": list(dict.fromkeys(where))} for code, where in codes.items()]
    return sorted(rows, key=lambda row: (-len(codes[str(row["code"])]), str(row["code"])))


def _action_items(found: Sequence[Facts], today: date) -> dict[str, Any]:
    items = [(each, item) for each in found for item in each.items]
    overdue = [(each, item) for each, item in items if item.overdue(today)]
    pending = [(each, item) for each, item in items if item.status == "open"]
    return {
        "total": len(items),
        "done": sum(item.status == "done" for _, item in items),
        "waived": sum(item.status == "waived" for _, item in items),
        "open": len(pending),
        "overdue": len(overdue),
        "incidents_open": list(dict.fromkeys(each.incident for each, _ in pending)),
        "incidents_overdue": list(dict.fromkeys(each.incident for each, _ in overdue)),
        "incidents_done": list(dict.fromkeys(each.incident for each, item in items if item.status == "done")),
        "incidents_waived": list(dict.fromkeys(each.incident for each, item in items if item.status == "waived")),
        "incidents_total": list(dict.fromkeys(each.incident for each, _ in items)),
    }


def action_items(found: Iterable[Facts], today: date) -> list[dict[str, Any]]:
    """Every action item of these incidents, open ones first, by due date."""
    rows = [
        {
            "incident": each.incident,
            "title": each.title,
            "drill": each.drill,
            **item._asdict(),
            "due": item.due.isoformat(),
            "overdue": item.overdue(today),
        }
        for each in found
        for item in each.items
    ]
    return sorted(rows, key=lambda row: (row["status"] != "open", row["due"], row["incident"], row["id"]))


def postmortems(found: Iterable[Facts], now: datetime) -> list[dict[str, Any]]:
    """Where each post-mortem that is or was owed stands: the owed ones first by due time, then the filed ones, newest first."""
    rows = [
        {
            "incident": each.incident,
            "title": each.title,
            "severity": each.severity,
            "drill": each.drill,
            "state": each.postmortem.state(now),
            "due": _iso(each.postmortem.due) if each.postmortem.due else None,
            "filed_at": _iso(each.postmortem.filed_at) if each.postmortem.filed_at else None,
            "by": each.postmortem.filed_by,
            "late": bool(each.postmortem.due and (each.postmortem.filed_at or now) > each.postmortem.due and not each.postmortem.waived),
        }
        for each in found
        if each.postmortem.state(now) != "not-due"
    ]
    owed = [row for row in rows if row["state"] in {"due", "overdue"}]
    rest = [row for row in rows if row["state"] not in {"due", "overdue"}]
    newest = sorted(rest, key=lambda row: str(row["filed_at"] or ""), reverse=True)
    return [*sorted(owed, key=lambda row: (str(row["due"]), row["incident"])), *newest]


def _row(one: Facts, now: datetime) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for duty in DUTIES:
        kept[f"{duty}_due"], kept[f"{duty}_late"] = _lateness(one, duty, now)
    return {
        "incident": one.incident,
        "title": one.title,
        "severity": one.severity,
        "services": list(one.services),
        "phase": one.phase,
        "opened_at": _iso(one.opened_at),
        "open": one.open,
        **{name: one.seconds.get(name) for name in MILESTONES},
        **kept,
        "refusals": len(one.refusals),
        "action_items_open": sum(item.status == "open" for item in one.items),
        "action_items_overdue": sum(item.overdue(now.date()) for item in one.items),
        "detailed": one.detailed,
    }


def behind(made: Mapping[str, Any], number: str) -> list[str] | None:
    """The incidents behind one number of a report; None where no number is called so.

    Names: `all`, `open`, `resolve` and the other times, `severity:SEV1`, `service:checkout`, `resolve:severity:SEV1` and the like,
    `late:internal_update`, `due:internal_update`, `refused:wrong-phase`, `items:open` (`overdue`, `done`, `waived`, `total`),
    `without-details`, and of those that are left out `drills` and `no-incident`.
    """
    rows = made["rows"]
    kind, _, name = number.partition(":")
    if number == "all":
        return [row["incident"] for row in rows]
    if number in LEFT_OUT:
        return [row["incident"] for row in made["left_out"] if row["why"] == LEFT_OUT[number]]
    if number == "open":
        return [row["incident"] for row in rows if row["open"]]
    if kind in MILESTONES:
        group = behind(made, name) if name.startswith(("severity:", "service:")) else None if name else behind(made, "all")
        return None if group is None else [row["incident"] for row in rows if row[kind] is not None and row["incident"] in group]
    if kind == "severity" and name in made["times"]["by_severity"]:
        return [row["incident"] for row in rows if row["severity"] == name]
    if kind == "service" and name in made["times"]["by_service"]:
        return [row["incident"] for row in rows if name in (row["services"] or (NO_SERVICE,))]
    if kind in {"late", "due"} and name in DUTIES:
        return list(made["on_time"][name]["late" if kind == "late" else "incidents"])
    if kind == "refused":
        return next((list(row["incidents"]) for row in made["refusals"] if row["code"] == name), None)
    if kind == "items" and name in {"open", "overdue", "done", "waived", "total"}:
        return list(made["action_items"][f"incidents_{name}"])
    return list(made["without_details"]) if number == "without-details" else None


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
