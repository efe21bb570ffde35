"""Where an alert goes, and what is known of it before anybody has looked: rules over labels, as data.

`route` asks every rule in the file's order, then the built-in ones. **The first rule that says something about a field
decides that field**; later ones fill in what is still unsaid, unless a rule that matched says `stop`. So a rule may set
nothing but the owner of a service, and the built-in ones (the process's own triggers and skip rules) still decide
whether it is an incident. Last of all a service's own table fills what no rule has said.

The answer, a `Routed`, travels with the alert: whatever the file says tomorrow, it is known which rules decided today.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from incident.commands import Factors
from incident.queries import NAME_LIMIT
from incident.queries import Query as Measurement
from incident.severity import decide
from incident.vocabulary import Better, Severity, Signal

Action = Literal["incident", "ticket", "note", "drop"]

TRUE = ("true", "yes", "1", "active")
NOT_PRODUCTION = ("dev", "development", "staging", "stage", "test", "testing", "qa", "sandbox", "preview", "local", "non-production")
ENVIRONMENT_LABELS = ("environment", "env", "stage", "tier_environment")
SERVICE_LABELS = ("service", "app", "application", "job")
RUNBOOK_ANNOTATION = "runbook_url"
PRODUCTION = "production"
"""The environment of an alert that names none."""

LOOKED_AT = 1_000
"""Characters of a label's value that a pattern is held against: a document in a label must not make a pattern slow."""

LINE_LIMIT = 300
URL_LIMIT = 2_000
RELATED_LIMIT = 50
AT_LEAST = ", at least"

_PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Value(BaseModel):
    """A value that is never changed; a message of a newer version may say more."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Query(Value):
    """What to measure while a recovery is verified; without a bound, the baseline is the bound."""

    name: str = Field(min_length=1, max_length=100)
    query: str = Field(min_length=1, max_length=2_000)
    at_most: float | None = None
    at_least: float | None = None
    unit: str = Field(default="", max_length=20)
    signal: Signal = Signal.ERRORS

    def measured(self) -> tuple[Measurement, ...]:
        """What is asked of monitoring: two measurements where both bounds are set, since each has one side that is worse."""
        below = Measurement(name=self.name, expression=self.query, threshold=self.at_most, unit=self.unit, signal=self.signal)
        if self.at_least is None:
            return (below,)
        name = self.name if self.at_most is None else f"{self.name[: NAME_LIMIT - len(AT_LEAST)]}{AT_LEAST}"
        above = below.model_copy(update={"name": name, "threshold": self.at_least, "better": Better.HIGHER})
        return (above,) if self.at_most is None else (below, above)


class Window(Value):
    """Planned work: nothing that fires meanwhile opens an incident. Covers every service or environment that it does not narrow."""

    name: str
    since: datetime
    until: datetime
    services: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()

    def covers(self, service: str, environment: str, now: datetime) -> bool:
        return (
            self.since <= now < self.until
            and (not self.services or _among(service, self.services))
            and (not self.environments or _among(environment, self.environments))
        )


def _among(name: str, names: Sequence[str]) -> bool:
    return name.casefold() in {each.casefold() for each in names}


def latest(windows: Sequence[Window], service: str, environment: str, now: datetime) -> Window | None:
    """The window over this service that ends last; None where no planned work is going on."""
    return max((window for window in windows if window.covers(service, environment, now)), key=lambda window: window.until, default=None)


class PlannedWork(Value):
    """What is asked of the planned work: is there any over this service, at this moment?"""

    service: str = ""
    environment: str = ""
    at: datetime


class Planned(Value):
    """The answer: the window that ends last, if there is one."""

    window: Window | None = None


class Calendar(Value):
    """A feed of planned work in iCalendar's format: a file, or an address that is asked while an alert waits."""

    name: str
    file: str | None = None
    url: str | None = None
    services: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()


class Matcher(Value):
    """What one label must be: one of some values, like a pattern (all of it), or simply there (or not)."""

    values: tuple[str, ...] = ()
    regex: str | None = None
    present: bool | None = None

    def holds(self, value: str | None) -> bool:
        if self.present is not None and (bool(value) is not self.present):
            return False
        if self.values and value not in self.values:
            return False
        return self.regex is None or (value is not None and _compiled(self.regex).fullmatch(value[:LOOKED_AT]) is not None)

    def said(self) -> str:
        """As people read it: `= a or b`, `~ prod.*`, `is there`."""
        parts = [f"= {' or '.join(self.values)}"] if self.values else []
        parts += [f"~ {self.regex}"] if self.regex is not None else []
        parts += [] if self.present is None else ["is there" if self.present else "is not there"]
        return " and ".join(parts)


@lru_cache(maxsize=1_000)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


class Said(Value):
    """What a rule, or a service's table, says; None and empty say nothing."""

    action: Action | None = None
    always: bool | None = None
    service: str | None = None
    environment: str | None = None
    severity: Severity | None = None
    factors: Factors | None = None
    customer_facing: bool | None = None
    owner: str | None = None
    runbook: str | None = None
    queries: tuple[Query, ...] = ()
    attach: bool | None = None


class Route(Said):
    """One rule: it speaks where all labels of one of `match` are as they must be. `{label}` in its texts is that label's value."""

    name: str
    match: tuple[dict[str, Matcher], ...] = ({},)
    stop: bool = False

    def applies(self, labels: Mapping[str, str]) -> bool:
        return any(all(matcher.holds(labels.get(label)) for label, matcher in wanted.items()) for wanted in self.match)


class Service(Said):
    """What is known of one service, whatever the alert."""

    depends_on: tuple[str, ...] = ()


class Flapping(Value):
    """An alert that changes this often within this time flaps: it counts as firing until it has been still for as long."""

    changes: int = Field(default=6, ge=2, le=50)
    within: timedelta = timedelta(minutes=15)


class Storm(Value):
    """Once so many alert groups have opened an incident each within this time, more of them join the newest of those.

    It holds for groups without a service; a service's groups join its open incident anyway. `every_service`: for those too,
    where that one is not open. It goes on until there has been no such group for as long as `within` says.
    """

    groups: int = Field(default=20, ge=2, le=1_000)
    within: timedelta = timedelta(minutes=5)
    every_service: bool = False


class Routes(Value):
    """The rules in force. `digest` names this very text of them."""

    routes: tuple[Route, ...] = ()
    services: dict[str, Service] = Field(default_factory=dict)
    windows: tuple[Window, ...] = ()
    calendars: tuple[Calendar, ...] = ()
    attach: bool = True
    flapping: Flapping = Flapping()
    storm: Storm = Storm()
    digest: str = ""

    def related(self, service: str) -> tuple[str, ...]:
        """The services that this one depends on, and those that depend on it."""
        own = self.services.get(service)
        up = own.depends_on if own is not None else ()
        down = [name for name, other in self.services.items() if service in other.depends_on]
        return tuple(dict.fromkeys(name for name in (*up, *down) if name != service))[:RELATED_LIMIT]


class Routed(Value):
    """What the rules make of one alert.

    `planned` is the planned work that holds it back; `calendars`: there are feeds to ask whether there is any. `why`
    names the rules that spoke, `rules` the text of the file that they stood in. `binds`: verification goes by its queries,
    also where nobody can be asked them; the alerts of earlier versions do not say so, and theirs were only shown there.
    """

    action: Action = "incident"
    why: str = ""
    rules: str = ""
    service: str = ""
    environment: str = ""
    presumed: Severity | None = None
    factors: Factors | None = None
    customer_facing: bool | None = None
    owner: str = ""
    runbook: str = ""
    queries: tuple[Query, ...] = ()
    attach: bool = True
    related: tuple[str, ...] = ()
    planned: Window | None = None
    calendars: bool = False
    flapping: Flapping = Flapping()
    binds: bool = False
    storm: Storm | None = None


_TRUE = {"regex": f"(?i){'|'.join(TRUE)}"}


def _labelled(labels: Sequence[str], matcher: dict[str, Any]) -> tuple[dict[str, Matcher], ...]:
    return tuple({label: Matcher(**matcher)} for label in labels)


BUILT_IN: tuple[Route, ...] = (
    Route(
        name="security incident",
        match=(
            *_labelled(("security", "security_incident", "security_breach"), _TRUE),
            *_labelled(("category", "type"), {"regex": "(?i)security"}),
        ),
        action="incident",
        always=True,
    ),
    Route(
        name="planned maintenance, as a label says",
        match=_labelled(("maintenance", "planned_maintenance"), {"regex": f"(?i){'|'.join((*TRUE, 'planned'))}"}),
        action="note",
    ),
    Route(
        name="customer impact",
        match=_labelled(("customer_impact", "customer_impacting", "customer_facing"), _TRUE),
        action="incident",
        customer_facing=True,
    ),
    Route(name="risk to an SLA", match=_labelled(("sla_risk", "sla_breach", "slo_breach"), _TRUE), action="incident"),
    Route(
        name="a test of Grafana's",
        match=({"alertname": Matcher(values=("TestAlert",)), "instance": Matcher(values=("Grafana",))},),
        action="note",
    ),
    Route(name="not production", match=_labelled(ENVIRONMENT_LABELS, {"regex": f"(?i){'|'.join(NOT_PRODUCTION)}"}), action="ticket"),
    Route(name=PRODUCTION, action="incident"),
)
"""The process's triggers and skip rules: production, customer impact, security and the risk of breaking an SLA open an
incident; what is not production becomes a ticket; planned maintenance is noted."""

_FIELDS = tuple(name for name in Said.model_fields)
_TEXTS = ("service", "environment", "owner", "runbook")


def route(rules: Routes, labels: Mapping[str, str], now: datetime, annotations: Mapping[str, str] | None = None) -> Routed:
    """What the rules make of an alert with these labels, at this moment."""
    said: dict[str, Any] = {}
    why: list[str] = []
    for rule in _speaking(rules, labels):
        if _say(said, rule, labels):
            why.append(rule.name)
    service = said.get("service") or _first(labels, SERVICE_LABELS)
    own = rules.services.get(service)
    if own is not None and _say(said, own, labels):
        why.append(f"service {service}")
    environment = said.get("environment") or _first(labels, ENVIRONMENT_LABELS) or PRODUCTION
    factors = said.get("factors")
    action: Action = said.get("action") or "incident"
    presumed = said.get("severity") or (decide(factors) if factors is not None else None)
    if factors is not None and presumed is None and action == "incident":
        action = "ticket"
        why.append("nobody is affected, by its factors")
    held = action == "incident" and not said.get("always")
    return Routed(
        action=action,
        why="; ".join(why)[:LINE_LIMIT],
        rules=rules.digest,
        service=service,
        environment=environment,
        presumed=presumed,
        factors=factors,
        customer_facing=said.get("customer_facing"),
        owner=said.get("owner", ""),
        runbook=said.get("runbook") or _line((annotations or {}).get(RUNBOOK_ANNOTATION, ""), URL_LIMIT),
        queries=said.get("queries", ()),
        attach=said.get("attach", rules.attach),
        related=rules.related(service),
        planned=latest(rules.windows, service, environment, now) if held else None,
        calendars=held and bool(rules.calendars),
        flapping=rules.flapping,
        binds=bool(said.get("queries")),
        storm=rules.storm if action == "incident" else None,
    )


def likeness(rules: Routes) -> Callable[[Mapping[str, str], Mapping[str, str]], tuple[object, ...]]:
    """What tells alerts apart for these rules: two with the same labels' and annotations' likeness are routed alike.

    Of most labels it is only whether they are one of the values that a rule names; so a thousand nodes are alike.
    """
    named = sorted(_telling(rules).items())

    def alike(labels: Mapping[str, str], annotations: Mapping[str, str]) -> tuple[object, ...]:
        values = ((labels.get(label), wanted) for label, wanted in named)
        told = (value if wanted is None or value in wanted else bool(value) for value, wanted in values)
        return (*told, annotations.get(RUNBOOK_ANNOTATION))

    return alike


def _telling(rules: Routes) -> dict[str, frozenset[str] | None]:
    """The labels that any rule looks at, each with the values that are named; None where every value may matter."""
    spoken = (*rules.routes, *BUILT_IN)
    texts = [getattr(said, name) or "" for said in (*spoken, *rules.services.values()) for name in _TEXTS]
    whole = {*SERVICE_LABELS, *ENVIRONMENT_LABELS, *(label for text in texts for label in _PLACE.findall(text))}
    found: dict[str, frozenset[str] | None] = dict.fromkeys(whole)
    for label, matcher in ((label, matcher) for rule in spoken for wanted in rule.match for label, matcher in wanted.items()):
        before = found.get(label, frozenset())
        found[label] = None if before is None or matcher.regex is not None else before | frozenset(matcher.values)
    return found


def _speaking(rules: Routes, labels: Mapping[str, str]) -> Iterator[Route]:
    for rule in (*rules.routes, *BUILT_IN):
        if rule.applies(labels):
            yield rule
            if rule.stop:
                return


def _say(said: dict[str, Any], rule: Said, labels: Mapping[str, str]) -> bool:
    """Add what the rule says of what is unsaid so far; whether it said anything."""
    spoke = False
    for name in _FIELDS:
        value = getattr(rule, name)
        if name in said or value is None or value == ():
            continue
        if name in _TEXTS:
            value = filled(value, labels)
            if value is None:
                continue
        said[name] = value
        spoke = True
    return spoke


def filled(text: str, labels: Mapping[str, str]) -> str | None:
    """`text` with each `{label}` replaced by its value; None where the alert has no such label."""
    wanted = _PLACE.findall(text)
    if any(not labels.get(label) for label in wanted):
        return None
    return _line(_PLACE.sub(lambda found: labels[found.group(1)], text), URL_LIMIT)


def _first(labels: Mapping[str, str], names: Sequence[str]) -> str:
    return next((_line(labels[name], LINE_LIMIT) for name in names if labels.get(name)), "")


def _line(text: str, limit: int) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:limit]
