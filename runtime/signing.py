"""The key with which links are signed: from the settings, else made once and kept in the data folder, for worker and door alike."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from runtime.settings import Settings, SettingsError

FILE = "link.key"

SHORTEST = 16
"""Characters; a shorter secret could be guessed from one link."""


def link_key(settings: Settings) -> bytes:
    """The key.

    Raises:
        SettingsError: the secret is too short, or the data folder can't hold one.
    """
    said = settings.secret("link_secret")
    if said is not None:
        if len(said) < SHORTEST:
            raise SettingsError(f"TOCSIN_LINK_SECRET must have at least {SHORTEST} characters")
        return said.encode()
    path = settings.data / FILE
    try:
        if not path.exists():
            _make(path)
        return path.read_text(encoding="utf-8").strip().encode()
    except OSError as error:
        raise SettingsError(f"TOCSIN_DATA: {path} can't be written ({error.strerror}); choose another folder") from error


def _make(path: Path) -> None:
    """Put a key in place whole, unless another process was quicker."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".link-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
        try:
            os.link(name, path)
        except FileExistsError:
            return
    finally:
        Path(name).unlink()
