"""Whether a worker works: `worker.json` in its data folder, renewed while it polls. `python -m worker.health` asks it.

Made for a container's health check: no port to open, and a worker whose event loop hangs counts as ill.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from runtime.settings import SettingsError, load_settings

BEAT = timedelta(seconds=5)
"""How often a worker says that it works."""

LOOK = timedelta(milliseconds=200)
"""How often it looks whether it works by now."""

SILENT = timedelta(seconds=20)
"""How long it may be silent: three beats and a slow disk."""

log = structlog.get_logger("tocsin.worker")


class Pulse:
    """One worker's sign of life. A file that can't be written is logged and tried again: incidents go on without it."""

    def __init__(self, folder: Path, works: Callable[[], bool]) -> None:
        self._path = folder / "worker.json"
        self._works = works
        self._started = datetime.now(UTC)

    async def beat_for_ever(self) -> None:
        while True:
            works = self._works()
            if works:
                self.beat()
            await asyncio.sleep((BEAT if works else LOOK).total_seconds())

    def beat(self) -> None:
        signs = {"pid": os.getpid(), "started_at": self._started.isoformat(), "seen_at": datetime.now(UTC).isoformat()}
        new = self._path.with_name(f".worker.json.{os.getpid()}")
        try:
            new.write_text(json.dumps(signs) + "\n")
            new.replace(self._path)
        except OSError as error:
            log.warning("the sign of life can't be written", path=str(self._path), error=str(error))

    def stop(self) -> None:
        """Take the sign away, so that a stopped worker is not taken for a slow one; another worker's is left alone."""
        try:
            if json.loads(self._path.read_text())["pid"] == os.getpid():
                self._path.unlink(missing_ok=True)
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("the sign of life can't be taken away", path=str(self._path), error=str(error))


def problem(folder: Path, now: datetime) -> str | None:
    """What is wrong with the worker of this folder; None where it works."""
    path = folder / "worker.json"
    try:
        seen = datetime.fromisoformat(json.loads(path.read_text())["seen_at"])
    except FileNotFoundError:
        return f"no worker works on {folder}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{path} can't be read: {error}"
    return f"the worker has been silent for {(now - seen).total_seconds():.0f} s" if now - seen > SILENT else None


def main() -> int:
    try:
        found = problem(load_settings().data, datetime.now(UTC))
    except SettingsError as error:
        found = str(error)
    if found is not None:
        sys.stderr.write(f"tocsin worker: {found}\n")
    return 0 if found is None else 1


if __name__ == "__main__":
    sys.exit(main())
