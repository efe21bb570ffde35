"""Logs: structlog for ours and the libraries' alike, to standard error, once however often a workflow is replayed."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from temporalio import activity, workflow

Fields = MutableMapping[str, Any]


def not_while_replaying(_logger: Any, _method: str, fields: Fields) -> Fields:
    """Drop what a workflow logs while its past is replayed: it was logged when it happened."""
    if workflow.in_workflow() and workflow.unsafe.is_replaying_history_events():
        raise structlog.DropEvent
    return fields


def with_incident(_logger: Any, _method: str, fields: Fields) -> Fields:
    """Name the incident, and the workflow or activity, that the line is about."""
    if workflow.in_workflow():
        info = workflow.info()
        fields.setdefault("incident", info.workflow_id.split("/")[0])
        fields.setdefault("workflow", info.workflow_type)
    elif activity.in_activity():
        doing = activity.info()
        fields.setdefault("incident", (doing.workflow_id or "").split("/")[0])
        fields.setdefault("activity", doing.activity_type)
        fields.setdefault("attempt", doing.attempt)
    return fields


def _without_bulk(_logger: Any, _method: str, fields: Fields) -> Fields:
    """The SDK adds its whole context to each line; the ids above say the same."""
    for name in ("temporal_workflow", "temporal_activity", "color_message"):
        fields.pop(name, None)
    return fields


def configure_logs(format: str = "auto", level: str = "info") -> None:
    """Set logging up for this process. `format`: auto (console in a terminal, else JSON), json or console."""
    console = format == "console" or (format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        not_while_replaying,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        with_incident,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[Any] = (
        [structlog.dev.ConsoleRenderer()] if console else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[_without_bulk, structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in ("uvicorn.access", "httpx2", "httpcore2", "aiosqlite", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
