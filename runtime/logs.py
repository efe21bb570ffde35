"""Logs: structlog for ours and the libraries' alike, to standard error, once however often a workflow is replayed."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from temporalio import activity, workflow

Fields = MutableMapping[str, Any]

NOISY = (
    "uvicorn.access",
    "httpx2",
    "httpcore2",
    "aiosqlite",
    "asyncio",
    "urllib3",
    "requests",
    "boto3",
    "botocore",
    "s3transfer",
    "aiosmtplib",
    "anthropic",
    "apprise",
    "mail.log",
)
"""Libraries whose lines hold addresses, headers or whole conversations, and with them credentials: they warn, and say no more."""


def not_while_replaying(_logger: Any, _method: str, fields: Fields) -> Fields:
    """Drop what a workflow logs while its past is replayed: it was logged when it happened."""
    if _replaying():
        raise structlog.DropEvent
    return fields


def _replaying() -> bool:
    return workflow.in_workflow() and workflow.unsafe.is_replaying_history_events()


def with_incident(_logger: Any, _method: str, fields: Fields) -> Fields:
    """Name the incident, and the workflow or activity, that the line is about."""
    if workflow.in_workflow():
        info = workflow.info()
        _name(fields, info.workflow_id)
        fields.setdefault("workflow", info.workflow_type)
    elif activity.in_activity():
        doing = activity.info()
        _name(fields, doing.workflow_id or "")
        fields.setdefault("activity", doing.activity_type)
        fields.setdefault("attempt", doing.attempt)
    return fields


def _name(fields: Fields, workflow_id: str) -> None:
    """The children of an incident (`INC-…/page-1`) are about it; other workflows, like the register, are about none."""
    incident = workflow_id.split("/")[0]
    if incident.startswith("INC-"):
        fields.setdefault("incident", incident)
    fields.setdefault("workflow_id", workflow_id)


class _Once(logging.Filter):
    """What `not_while_replaying` is for our own lines, for those of libraries."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _replaying()


def _without_bulk(_logger: Any, _method: str, fields: Fields) -> Fields:
    """The SDK adds its whole context to each line; the ids above say the same."""
    for name in ("temporal_workflow", "temporal_activity", "temporal_log", "color_message"):
        fields.pop(name, None)
    return fields


def configure_logs(format: str = "auto", level: str = "info") -> None:
    """Set logging up for this process. `format`: auto (console in a terminal, else JSON), json or console."""
    console = format == "console" or (format == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
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
        processors=[not_while_replaying, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_Once())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[_without_bulk, structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
