"""`/metrics`: what Prometheus scrapes, in its text format."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from starter.reading import Row

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[tuple[str, str], ...]


class Requests:
    """Counts what a door answers and how long it takes, by route (never by address: those are endless)."""

    def __init__(self) -> None:
        self.answered: Counter[Labels] = Counter()
        self.seconds: defaultdict[Labels, float] = defaultdict(float)

    def counting(self, app: ASGIApp) -> ASGIApp:
        """Wrap an application so that its answers are counted here."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            status = "500"
            started = time.monotonic()

            async def noted(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = str(message["status"])
                await send(message)

            try:
                await app(scope, receive, noted)
            finally:
                route = getattr(scope.get("route"), "path", "none")
                labels = (("method", scope["method"]), ("route", route), ("status", status))
                self.answered[labels] += 1
                self.seconds[labels] += time.monotonic() - started

        return counted

    def exposition(self) -> list[str]:
        return [
            *family("tocsin_http_requests_total", "counter", "Requests answered.", self.answered),
            *family("tocsin_http_request_seconds_total", "counter", "Time taken to answer them.", self.seconds),
        ]


def incidents(rows: Iterable[Row], now: datetime) -> list[str]:
    """What is open, by severity, phase and whether it is a drill, and how many of them have an overdue clock."""
    open_ones: Counter[Labels] = Counter()
    overdue: Counter[Labels] = Counter()
    for row in rows:
        if not row["open"]:
            continue
        severity = str(row.get("severity") or "undeclared")
        drill = str(bool(row.get("drill"))).lower()
        open_ones[(("drill", drill), ("phase", str(row["phase"])), ("severity", severity))] += 1
        late = row.get("next_due") is not None and datetime.fromisoformat(row["next_due"]) <= now
        overdue[(("drill", drill), ("severity", severity))] += int(late)
    return [
        *family("tocsin_incidents_open", "gauge", "Incidents that are not closed.", open_ones),
        *family("tocsin_incidents_overdue", "gauge", "Open incidents of which a clock is overdue.", overdue),
    ]


def family(name: str, kind: str, meaning: str, values: Mapping[Labels, float]) -> list[str]:
    """One metric with all its series, as lines."""
    lines = [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
    for labels, value in sorted(values.items()):
        shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
        # All digits that a float keeps: a counter of millions that were cut to six would stand still, and then jump.
        lines.append(f"{name}{{{shown}}} {value:.15g}" if shown else f"{name} {value:.15g}")
    return lines


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
