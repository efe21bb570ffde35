"""Moments and lengths as people read them; the server's `now` decides what is left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def read(moment: object) -> datetime | None:
    """A moment as the server writes it; None for none."""
    if not isinstance(moment, str) or not moment:
        return None
    found = datetime.fromisoformat(moment)
    return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)


def now() -> datetime:
    return datetime.now(UTC)


def length(span: timedelta) -> str:
    """`4:12`, `1:04:12`, `2 d 4 h`."""
    seconds = max(0, int(span.total_seconds()))
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, seconds = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h"
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def clock_time(moment: datetime | None, at: datetime) -> str:
    """`03:16`, with the date where it is not the day of `at`; `-` for none."""
    if moment is None:
        return "-"
    return f"{moment:%H:%M}" if moment.date() == at.date() else f"{moment:%Y-%m-%d %H:%M}"


def left(due: datetime | None, at: datetime) -> str:
    """How long until `due`: `4:12 left`, or `OVERDUE +2:18`."""
    if due is None:
        return "-"
    return f"OVERDUE +{length(at - due)}" if due <= at else f"{length(due - at)} left"
