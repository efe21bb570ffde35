"""The archive that comes with Tocsin: a folder of files, one folder an incident.

archive/INC-2026-0001/postmortem.md        what was stored last under this name
archive/INC-2026-0001/postmortem.md.1      what stood there before, oldest first
archive/INC-2026-0001/.stored/…            which keys were stored, and with what content
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from incident.effects import Delivery, Receipt, StoreDocument
from integrations.deliveries import asked
from integrations.errors import Rejected, Unavailable

STORED = ".stored"


class FolderArchive:
    """Files in a folder, each put in place whole and on disk before the receipt.

    A repeat is recognised by its content, and one that comes late, after a newer content, by its key. A content that
    is replaced is kept beside the new one with a number. Documents are kept to the byte, a drill's as well.
    """

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)

    async def store_document(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, StoreDocument)
        folder = self._root / _inside(delivery.incident, "incident")
        relative = _inside(ask.name, "name")
        if len(PurePosixPath(delivery.incident).parts) != 1:
            raise Rejected(f"the archive takes no incident named {delivery.incident!r}")
        # A thread, because files block; a cancelled call's thread runs to its end, which is as good as a lost answer.
        repeated = await asyncio.to_thread(self._store, folder, relative, delivery.key, ask.content)
        return Receipt(reference=f"{delivery.incident}/{relative}", repeated=repeated)

    def _store(self, folder: Path, relative: Path, key: str, content: str) -> bool:
        """Put the document in place; True where it was there."""
        try:
            data = content.encode()
            target = folder / relative
            self._refuse_links(target)
            target.parent.mkdir(parents=True, exist_ok=True)
            mark = folder / STORED / hashlib.sha256(f"{key}\n{relative}".encode()).hexdigest()
            mark.parent.mkdir(exist_ok=True)
            digest = hashlib.sha256(data).hexdigest()
            with _locked(folder / STORED / "lock"):
                return self._store_alone(target, mark, digest, data)
        except UnicodeEncodeError as error:
            raise Rejected(f"{relative} is no text that can be stored: {error}") from error
        except OSError as error:
            if isinstance(error, NotADirectoryError | IsADirectoryError) or error.errno == 36:
                raise Rejected(f"the archive can't have a document named {relative}: {error.strerror}") from error
            raise Unavailable(f"the archive {self._root} does not take {relative}: {error.strerror}") from error

    def _store_alone(self, target: Path, mark: Path, digest: str, data: bytes) -> bool:
        if target.exists():
            former = target.read_bytes()
            late = mark.exists() and mark.read_text() == digest
            if former == data or late:
                return True
            _keep(target, former)
        _write(target, data)
        _write(mark, digest.encode())
        return False

    def _refuse_links(self, target: Path) -> None:
        """Refuse a name that a link would carry out of the archive."""
        if not target.resolve().is_relative_to(self._root.resolve()):
            raise Rejected(f"the archive does not follow {target} out of {self._root}")


def _inside(name: str, what: str) -> Path:
    """Read a name as a path below a folder. Rejected where it could lead elsewhere, or hide."""
    parts = PurePosixPath(name).parts
    clean = name.isprintable() and "\\" not in name and not name.startswith("/") and not name.endswith("/")
    if not parts or not clean or any(part.startswith(".") for part in parts):
        raise Rejected(f"the archive takes no {what} {name!r}: it must be a plain relative path without hidden parts")
    return Path(*parts)


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
