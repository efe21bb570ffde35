"""Which names a document may have: the same in every archive, so that one can be exchanged for another."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from integrations.errors import Rejected


def inside(name: str, what: str, *, deep: bool) -> Path:
    """Read a name as a path below a folder, `deep` or of one part. Rejected where it could lead elsewhere, or hide."""
    parts = PurePosixPath(name).parts
    clean = name.isprintable() and "\\" not in name and not name.startswith("/") and not name.endswith("/")
    if not parts or not clean or any(part.startswith(".") for part in parts) or (len(parts) > 1 and not deep):
        raise Rejected(f"the archive takes no {what} named {name!r}: it must be a plain relative path without hidden parts")
    return Path(*parts)
