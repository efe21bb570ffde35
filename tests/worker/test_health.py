# ruff: noqa: SIM300 - the house writes what is expected first
"""A worker that works says so; one that hangs or has gone does not."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from worker import health
from worker.health import SILENT, Pulse, problem


def test_a_worker_that_works_is_well(tmp_path: Path) -> None:
    """A fresh sign of life is enough."""
    Pulse(tmp_path, lambda: True).beat()

    assert problem(tmp_path, datetime.now(UTC)) is None


def test_a_silent_worker_is_ill(tmp_path: Path) -> None:
    """A worker whose event loop hangs has its file, but does not renew it."""
    Pulse(tmp_path, lambda: True).beat()

    assert "silent for" in str(problem(tmp_path, datetime.now(UTC) + SILENT * 2))


def test_a_stopped_worker_leaves_no_sign(tmp_path: Path) -> None:
    """After an orderly stop nothing claims that a worker works; stopping twice is no error."""
    pulse = Pulse(tmp_path, lambda: True)
    pulse.beat()
    pulse.stop()
    pulse.stop()

    assert f"no worker works on {tmp_path}" == problem(tmp_path, datetime.now(UTC))


def test_a_stopped_worker_leaves_anothers_sign_alone(tmp_path: Path) -> None:
    """Several workers may share a folder; one that stops does not make the others look ill."""
    pulse = Pulse(tmp_path, lambda: True)
    signs = {"pid": os.getpid() + 1, "seen_at": datetime.now(UTC).isoformat()}
    (tmp_path / "worker.json").write_text(json.dumps(signs))
    pulse.stop()

    assert problem(tmp_path, datetime.now(UTC)) is None


def test_a_spoilt_sign_is_told(tmp_path: Path) -> None:
    """A file that says nothing readable is not taken for a sign of life."""
    (tmp_path / "worker.json").write_text("[]")

    assert "can't be read" in str(problem(tmp_path, datetime.now(UTC)))


def test_the_check_answers_with_its_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A container's health check needs no more than the exit code; a person gets the sentence."""
    monkeypatch.setenv("TOCSIN_DATA", str(tmp_path))
    without = health.main()
    Pulse(tmp_path, lambda: True).beat()

    assert (1, 0) == (without, health.main())
    assert "no worker works" in capsys.readouterr().err
