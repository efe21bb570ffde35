# ruff: noqa: SIM300 - the house writes what is expected first
"""Logs: one JSON object a line on standard error, with the incident on it, and nothing twice."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import structlog
from temporalio import activity
from temporalio.testing import ActivityEnvironment

from runtime.logs import configure_logs


@pytest.fixture(autouse=True)
def _undo() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capture: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capture.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_ours_and_the_libraries_lines_look_alike(capsys: pytest.CaptureFixture[str]) -> None:
    """A line of ours and one of a library are both JSON with level, time and event, and go to standard error."""
    configure_logs("json")
    structlog.get_logger("ours").warning("the pager is down", port="paging")
    logging.getLogger("uvicorn.error").warning("bound %s", "late")

    ours, theirs = lines(capsys)

    assert ("the pager is down", "warning", "paging") == (ours["event"], ours["level"], ours["port"])
    assert ("bound late", "warning") == (theirs["event"], theirs["level"])
    assert {"timestamp"} <= ours.keys() & theirs.keys()


def test_what_is_below_the_level_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """The level set is the least that is logged, for ours and for libraries."""
    configure_logs("json", "error")
    structlog.get_logger("ours").warning("quiet")
    logging.getLogger("theirs").warning("quiet")

    assert [] == lines(capsys)


async def test_a_line_from_an_activity_names_its_incident(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever greps for an incident finds what its activities logged, also those of its paging."""
    configure_logs("json")

    @activity.defn
    async def page() -> None:
        structlog.get_logger("ours").info("paging")

    environment = ActivityEnvironment()
    environment.info = replace(environment.info, workflow_id="INC-2026-0001/page-2", activity_type="page", attempt=3)
    await environment.run(page)

    [line] = lines(capsys)

    assert ("INC-2026-0001", "INC-2026-0001/page-2", "page", 3) == tuple(
        line[name] for name in ("incident", "workflow_id", "activity", "attempt")
    )


async def test_a_line_about_no_incident_names_none(capsys: pytest.CaptureFixture[str]) -> None:
    """The register and the alert groups are no incidents, and their lines do not pretend to be about one."""
    configure_logs("json")

    @activity.defn
    async def open_incident() -> None:
        logging.getLogger("theirs").info("asking the register")

    environment = ActivityEnvironment()
    environment.info = replace(environment.info, workflow_id="alerts/0123")
    await environment.run(open_incident)

    [line] = lines(capsys)

    assert "incident" not in line
    assert "alerts/0123" == line["workflow_id"]
