"""The archive that comes with Tocsin: a folder of files, one folder an incident.

archive/INC-2026-0001/postmortem.md        what was stored last under this name
archive/INC-2026-0001/postmortem.md.1      what stood there before, oldest first
archive/INC-2026-0001/.stored/…            which keys were stored, and with what content
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from incident.effects import Delivery, Receipt, StoreDocument
from integrations.archive.names import inside
from integrations.deliveries import asked
from integrations.errors import Rejected, Unavailable

STORED = ".stored"

TIMEOUT = timedelta(seconds=10)
"""What every adapter keeps to (see `ports`)."""

_FINAL = {errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EEXIST}
"""What a file system says about a name that it will never take."""


class FolderArchive:
    """Files in a folder, each put in place whole and on disk before the receipt.

    A repeat is recognised by its content, and one that comes late, after a newer content, by its key. A content that
    is replaced is kept beside the new one with a number. Documents are kept to the byte, a drill's as well.
    """

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)

    async def store_document(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, StoreDocument)
        folder = self._root / inside(delivery.incident, "incident", deep=False)
        relative = inside(ask.name, "document", deep=True)
        try:
            async with asyncio.timeout(TIMEOUT.total_seconds()):
                # A thread, because files block. When time is up it still runs to its end: that is but a lost answer.
                repeated = await asyncio.to_thread(self._store, folder, relative, delivery.key, ask.content)
        except TimeoutError as error:
            raise Unavailable(f"the archive {self._root} did not take {relative} within {TIMEOUT.total_seconds():g} s") from error
        return Receipt(reference=f"{delivery.incident}/{relative.as_posix()}", repeated=repeated)

    def _store(self, folder: Path, relative: Path, key: str, content: str) -> bool:
        """Put the document in place; True where it was there."""
        try:
            data = content.encode()
            target = folder / relative
            self._refuse_links(target)
            target.parent.mkdir(parents=True, exist_ok=True)
            mark = folder / STORED / hashlib.sha256(f"{key}\n{relative}".encode()).hexdigest()
            mark.parent.mkdir(exist_ok=True)
            with _locked(folder / STORED / "lock"):
                return _store_alone(target, mark, data)
        except UnicodeEncodeError as error:
            raise Rejected(f"{relative} is no text that can be stored: {error}") from error
        except OSError as error:
            if error.errno in _FINAL and self._root.is_dir():
                raise Rejected(f"the archive can't have a document named {relative}: {error.strerror}") from error
            raise Unavailable(
                f"the archive {self._root} does not take {relative}: {error.strerror}. Check that the folder is on a disk "
                "with space, and that this user may write to it"
            ) from error

    def _refuse_links(self, target: Path) -> None:
        """Refuse a name that a link would carry out of the archive."""
        if not target.resolve().is_relative_to(self._root.resolve()):
            raise Rejected(f"the archive does not follow {target} out of {self._root}")


def _store_alone(target: Path, mark: Path, data: bytes) -> bool:
    """Write what is new, while nobody else writes in this incident's folder; True where nothing is."""
    digest = hashlib.sha256(data).hexdigest()
    marked = mark.exists() and mark.read_text() == digest
    if target.exists():
        former = target.read_bytes()
        if marked:
            return True
        if former == data:
            _write(mark, digest.encode())
            return True
        _keep(target, former)
    _write(target, data)
    _write(mark, digest.encode())
    return False


def _keep(target: Path, former: bytes) -> None:
    """Keep a content that is about to be replaced under the next free number, unless a broken-off try has done so."""
    number = 1
    while (version := target.with_name(f"{target.name}.{number}")).exists():
        number += 1
    if number > 1 and target.with_name(f"{target.name}.{number - 1}").read_bytes() == former:
        return
    _write(version, former)


def _write(target: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all, also when the machine stops in the middle."""
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".writing-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that other processes and threads wait for; the system lets go of a dead process's."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
