"""The data folder of `tocsin up`: whose it is, what version wrote it, and whether the server's file is the one it was.

The embedded server starts on an empty file without a word where its file is gone, and takes a second server on the
same file without complaint. So the folder is locked, by `tocsin up` and by the server that it starts: the lock is free
only once both are gone. And an epoch is counted on both sides: in `epoch`, a file beside the server's, and in the
server itself. A server that knows of a lower epoch than the file was replaced or rolled back.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import IO, Any

FORMAT = 1
"""The layout of the folder; raised when an older version could not read it any more."""


LEFTOVERS_WITHIN = 20.0
"""Seconds that the server of a killed `tocsin up` gets to end; 3 s is usual."""


class FolderProblem(Exception):
    """The folder can't be used; the text says why and what to do."""


class FileLost(FolderProblem):
    """The server's file is gone or was rolled back: going on would serve a world without what happened since."""


class DataFolder:
    """A locked data folder. `close` gives it free again; so does the end of the process, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: IO[str] | None = None

    def open(self) -> None:
        """Create, lock and check the folder; waits for the leftovers of a `tocsin up` that was killed.

        Raises:
            FolderProblem: it can't be written, is in use, or was written by a newer version.
        """
        try:
            for folder in (self.path, self.path / "logs", self.path / "archive"):
                folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / ".lock").open("a+")
        except OSError as error:
            raise FolderProblem(
                f"the data folder {self.path} can't be written ({error.strerror}). Choose another with --data DIR (TOCSIN_DATA)."
            ) from error
        self._take(self._lock)
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()
        self._check_format()

    def _take(self, lock: IO[str]) -> None:
        deadline = time.monotonic() + LEFTOVERS_WITHIN
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                lock.seek(0)
                owner = lock.read().strip()
                if _lives(owner) or time.monotonic() > deadline:
                    self.close()
                    raise FolderProblem(self._in_use(owner)) from error
            time.sleep(0.1)

    def _in_use(self, owner: str) -> str:
        who = f"process {owner}" if _lives(owner) else f"what process {owner or 'unknown'}, which was killed, had started"
        return f"the data folder {self.path} is in use by {who}. Stop that `tocsin up` first, or choose another with --data DIR."

    @property
    def lock(self) -> int:
        """The open file of the lock, for a child to hold as well."""
        if self._lock is None:
            raise FolderProblem(f"the data folder {self.path} is not open")
        return self._lock.fileno()

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _check_format(self) -> None:
        marker = self.path / "version.json"
        if not marker.exists():
            self.write("version.json", json.dumps({"format": FORMAT}) + "\n")
            return
        try:
            found = int(json.loads(marker.read_text())["format"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FolderProblem(f"{marker} can't be read; restore it from a backup, or start in an empty folder (--data DIR).") from error
        if found > FORMAT:
            raise FolderProblem(
                f"the data folder {self.path} was written by a newer version of tocsin (format {found}, this one knows {FORMAT}). "
                "Upgrade tocsin, or choose another folder with --data DIR."
            )

    @property
    def epoch(self) -> int:
        """The epoch that this folder has seen; 0 for a new one."""
        try:
            return int((self.path / "epoch").read_text())
        except FileNotFoundError:
            return 0
        except (OSError, ValueError) as error:
            raise FolderProblem(f"{self.path / 'epoch'} can't be read ({error}); restore it from a backup.") from error

    @epoch.setter
    def epoch(self, value: int) -> None:
        self.write("epoch", str(value))

    def check_still_there(self, name: str) -> None:
        """Refuse, before the server makes an empty file, where one with incidents was.

        Raises:
            FileLost: an epoch has been counted here, and the server's file is gone.
        """
        if self.epoch > 0 and not (self.path / name).exists():
            raise FileLost(
                f"{self.path / name} is gone, and with it every open incident. Restore its newest copy, with the -wal file that belongs "
                "to it; or, to start empty: tocsin up --accept-rollback"
            )

    def write(self, name: str, content: str) -> None:
        """Write a file at once or not at all.

        Raises:
            FolderProblem: the disk is full or read-only.
        """
        temporary = self.path / f".{name}.new"
        try:
            with temporary.open("w") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path / name)
        except OSError as error:
            raise FolderProblem(f"{self.path / name} can't be written: {error.strerror}.") from error

    def write_run(self, run: dict[str, Any]) -> None:
        """Say what runs here: process ids and addresses, for the drill and for people."""
        self.write("run.json", json.dumps(run, indent=1) + "\n")

    def fold_in(self, name: str) -> None:
        """Bring a database's write-ahead log into its one file, so that a copy of that file holds everything.

        Only for a file that no server has open any more. sqlite3.Error: it can't be done; nothing is lost by that.
        """
        path = self.path / name
        if path.exists():
            with closing(sqlite3.connect(path)) as database:
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def forget_run(self) -> None:
        (self.path / "run.json").unlink(missing_ok=True)


def _lives(pid: str) -> bool:
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
