"""How long something takes, as people say it: one function for every sentence that names a length."""

from __future__ import annotations

from datetime import timedelta


def spoken(length: timedelta) -> str:
    """`15 min`, `1 h 30 min`, `15 s`; never negative and never a fraction, the words around it say late or left."""
    seconds = max(0, round(length.total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{number} {unit}" for number, unit in ((hours, "h"), (minutes, "min"), (seconds, "s")) if number]
    return " ".join(parts) or "0 s"


def roughly(length: timedelta) -> str:
    """The same for an age, of which nobody wants the seconds of an hour: `40 s`, `12 min`, `5 h`, `3 d`."""
    seconds = max(0, round(length.total_seconds()))
    if seconds >= 2 * 86_400:
        return f"{seconds // 86_400} d"
    unit = 3600 if seconds >= 6 * 3600 else 60 if seconds >= 120 else 1
    return spoken(timedelta(seconds=seconds // unit * unit))


def lasted(value: timedelta | float) -> str:
    """How long something took, told and not counted down: `42 s`, `4 min 30 s`, `1 h 22 min`, `2 d 4 h`."""
    seconds = round(abs(value.total_seconds() if isinstance(value, timedelta) else value))
    for first, of_it, second, of_that in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= first:
            rest = seconds % first // second
            return f"{seconds // first} {of_it}" + (f" {rest} {of_that}" if rest else "")
    return f"{seconds} s"
