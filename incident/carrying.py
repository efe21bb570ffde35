"""Alerts that a workflow takes along into its next run, or shows: all of them as they are, while that is not too much for one payload."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from pydantic import BaseModel

from incident import parcels
from incident.alerts import AlertInput, compact
from incident.model import Alert, Incident

SHORT = 60
"""Characters of a text where there is no room for all of it."""


def lighter(incident: Incident, most_bytes: int) -> Incident:
    """The incident with alerts that take `most_bytes` when packed, where there are more than that.

    First the texts of those that are over go, then those of the others; then the longest over are forgotten. None that fires is.
    """
    found = incident.alerts
    for known in _lighter_and_lighter(found):
        found = known
        if _packed(found) <= most_bytes:
            break
    return incident if found is incident.alerts else incident.model_copy(update={"alerts": found})


def _lighter_and_lighter(known: dict[str, Alert]) -> Iterator[dict[str, Alert]]:
    yield known
    known = {name: alert if alert.firing else _short(alert) for name, alert in known.items()}
    yield known
    known = {name: _short(alert) for name, alert in known.items()}
    yield known
    over = [name for name, alert in known.items() if not alert.firing]
    for share in (4, 2, 1):
        gone = set(over[: len(over) // share])
        yield {name: alert for name, alert in known.items() if name not in gone}


def _short(alert: Alert) -> Alert:
    return alert.model_copy(update={"summary": "", "name": alert.name[:SHORT], "service": alert.service[:SHORT]})


SURELY_SHOWN = 400
"""Alerts that are shown without counting their bytes: the texts of each are cut when it comes."""


def shown(alerts: Sequence[Alert], most_bytes: int) -> list[Alert]:
    """As many of the alerts as an answer takes, in their order: those that fire first, and the newest of those that are over."""
    if len(alerts) <= SURELY_SHOWN:
        return list(alerts)
    urgent = [number for number, alert in enumerate(alerts) if alert.firing]
    others = [number for number, alert in enumerate(alerts) if not alert.firing]
    chosen: set[int] = set()
    room = most_bytes
    for number in (*urgent, *reversed(others)):
        room -= len(alerts[number].model_dump_json())
        if room < 0:
            break
        chosen.add(number)
    return [alert for number, alert in enumerate(alerts) if number in chosen]


def waiting(alerts: Mapping[str, AlertInput], most_bytes: int) -> dict[str, AlertInput]:
    """Alerts that wait in their group, with as much of their labels as `most_bytes` take when packed."""
    levels: tuple[Callable[[AlertInput], AlertInput], ...] = (
        lambda alert: alert,
        lambda alert: compact(alert, most_characters=SHORT),
        lambda alert: compact(alert, 1, SHORT),
    )
    found = dict(alerts)
    for level in levels:
        found = {name: level(alert) for name, alert in alerts.items()}
        if _packed(found) <= most_bytes:
            break
    return found


def _packed(values: Mapping[str, BaseModel]) -> int:
    return len(parcels.packed("".join(value.model_dump_json() for value in values.values())))
