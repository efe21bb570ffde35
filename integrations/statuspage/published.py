"""What the public is told, as values: incidents with their updates, components with their states, and the page's layout.

The layout is a TOML file (`TOCSIN_STATUS_PAGE`):

    [page]
    name = "Example"
    url = "https://status.example.org"

    [[components]]
    name = "Checkout"
    group = "Shop"
    services = ["checkout-api", "payments"]

The names of services are the engineers'; what the public reads are the components that they are part of. A service that
no component names is left out. Without any component in the file, each service that was affected is shown by its own name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from incident.invisible import for_the_public
from incident.vocabulary import PublicStatus, Severity

ComponentState = Literal["operational", "degraded_performance", "partial_outage", "major_outage"]

STATE_OF: dict[Severity, ComponentState] = {
    Severity.SEV1: "major_outage",
    Severity.SEV2: "partial_outage",
    Severity.SEV3: "degraded_performance",
}

DAYS_SHOWN = 90


def _seen(value: Any) -> Any:
    """A text from outside as the public may read it, also where it was published before this was looked at."""
    return for_the_public(value) if isinstance(value, str) else value


Words = Annotated[str, BeforeValidator(_seen)]


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class PublicUpdate(_Shown):
    """One publication: what it said, and what it said of the components."""

    at: datetime
    status: PublicStatus
    text: Words
    severity: Severity = Severity.SEV3
    components: tuple[Words, ...] = ()
    next_update_by: datetime | None = None


class PublicIncident(_Shown):
    """An incident as the public knows it; its updates newest first."""

    incident: str
    title: Words
    status: PublicStatus
    severity: Severity
    components: tuple[Words, ...]
    started_at: datetime
    updated_at: datetime
    resolved_at: datetime | None
    next_update_by: datetime | None
    updates: tuple[PublicUpdate, ...]

    def late(self, now: datetime) -> bool:
        """Whether the promised next update has not come."""
        return self.resolved_at is None and self.next_update_by is not None and self.next_update_by < now


class Component(_Shown):
    """A part of the product that the public knows by name, as bad as the worst incident that names it."""

    name: Words
    state: ComponentState
    group: Words = ""
    description: Words = ""


class PublicPage(_Shown):
    """The whole page. Current and past incidents, newest first. `since` is when anything was first on record."""

    at: datetime
    current: tuple[PublicIncident, ...]
    past: tuple[PublicIncident, ...]
    components: tuple[Component, ...]
    since: datetime | None = None

    @property
    def worst(self) -> Severity | None:
        """The worst severity among what is going on; None where all is well."""
        return min((incident.severity for incident in self.current), key=lambda severity: severity.rank, default=None)


class ComponentRule(BaseModel):
    """One component of the layout, and the services that it stands for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    group: str = Field(default="", max_length=100)
    description: str = Field(default="", max_length=300)
    services: tuple[str, ...] = ()


class Layout(BaseModel):
    """How the page is called, where the public finds it, and its components in their order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="Service", min_length=1, max_length=100)
    url: str = Field(default="", max_length=300)
    components: tuple[ComponentRule, ...] = ()

    @field_validator("url")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if value and not value.startswith(("https://", "http://")):
            raise ValueError("must begin with https:// or http://")
        return value.rstrip("/")

    def named(self, services: Iterable[str]) -> tuple[str, ...]:
        """The components that these services are part of, in the page's order."""
        affected = tuple(dict.fromkeys(services))
        if not self.components:
            return affected
        folded = {service.strip().casefold() for service in affected}
        return tuple(rule.name for rule in self.components if folded & {name.strip().casefold() for name in (rule.name, *rule.services)})


class LayoutProblem(ValueError):
    """The layout can't be used; the text has a sentence for each mistake."""


def layout_from(tables: dict[str, Any]) -> Layout:
    """Read a layout from its tables.

    Raises:
        LayoutProblem: for every unknown table or field, every value that breaks its rule, and names that come twice.
    """
    unknown = sorted(set(tables) - {"page", "components"})
    if unknown:
        raise LayoutProblem(f"there is no table {unknown[0]!r}; the tables are [page] and [[components]]")
    page = tables.get("page", {})
    try:
        layout = Layout.model_validate({**(page if isinstance(page, dict) else {"name": page}), "components": tables.get("components", ())})
    except ValidationError as error:
        raise LayoutProblem(
            "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg'].removeprefix('Value error, ')}" for item in error.errors())
        ) from error
    names = [rule.name for rule in layout.components]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LayoutProblem(f"components: {twice[0]!r} is there twice")
    return layout


def components(layout: Layout, current: Sequence[PublicIncident], past: Sequence[PublicIncident]) -> tuple[Component, ...]:
    """The components to show, each with the state of the worst current incident that names it."""
    worst: dict[str, Severity] = {}
    for incident in current:
        for name in incident.components:
            worst[name] = min(worst.get(name, incident.severity), incident.severity, key=lambda severity: severity.rank)
    rules = layout.components
    if not rules:
        seen = {*worst, *(name for incident in past for name in incident.components)}
        rules = tuple(ComponentRule(name=name[:100] or "-") for name in sorted(seen))
    return tuple(
        Component(
            name=rule.name,
            group=rule.group,
            description=rule.description,
            state=STATE_OF[worst[rule.name]] if rule.name in worst else "operational",
        )
        for rule in rules
    )


class Day(_Shown):
    """A day (UTC) on which a component was not well: its worst state, and for how long it was not operational."""

    day: date
    state: ComponentState
    length: timedelta


_WORSE = {state: rank for rank, state in enumerate(("operational", "degraded_performance", "partial_outage", "major_outage"))}


def bad_days(name: str, incidents: Iterable[PublicIncident], now: datetime, days: int = DAYS_SHOWN) -> tuple[Day, ...]:
    """The days of the last `days` on which the component was not operational, oldest first."""
    first = now.date() - timedelta(days=days - 1)
    found: dict[date, tuple[ComponentState, timedelta]] = {}
    for begin, end, state in _stretches(name, incidents, now):
        day = max(begin.date(), first)
        while day <= end.date():
            midnight = datetime.combine(day, time.min, tzinfo=now.tzinfo)
            length = min(end, midnight + timedelta(days=1)) - max(begin, midnight)
            if length > timedelta(0):
                before, so_far = found.get(day, ("operational", timedelta(0)))
                found[day] = (max(before, state, key=lambda one: _WORSE[one]), min(so_far + length, timedelta(days=1)))
            day += timedelta(days=1)
    return tuple(Day(day=day, state=state, length=length) for day, (state, length) in sorted(found.items()))


def _stretches(name: str, incidents: Iterable[PublicIncident], now: datetime) -> Iterator[tuple[datetime, datetime, ComponentState]]:
    """From when to when each publication held that said that the component is not well."""
    for incident in incidents:
        told = incident.updates[::-1]
        for number, update in enumerate(told):
            if update.status is PublicStatus.RESOLVED or name not in update.components:
                continue
            end = told[number + 1].at if number + 1 < len(told) else now
            yield update.at, end, STATE_OF[update.severity]
