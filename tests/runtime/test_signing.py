"""The key of links: one for all processes, kept, and never short."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runtime.settings import SettingsError, load_settings
from runtime.signing import FILE, link_key


def test_worker_and_door_have_the_same_key(tmp_path: Path) -> None:
    """Processes that start at the same moment agree on one key, which nobody else on the machine can read."""
    settings = load_settings(data=tmp_path / "new")
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: link_key(settings), range(8)))

    assert len(keys) == 1
    assert len(keys.pop()) == 64
    assert stat.S_IMODE((tmp_path / "new" / FILE).stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "new").iterdir()] == [FILE]


def test_a_secret_from_the_settings_is_taken(tmp_path: Path) -> None:
    """Several machines are given the same key."""
    settings = load_settings(data=tmp_path, link_secret="0123456789abcdef")

    assert link_key(settings) == b"0123456789abcdef"


def test_a_short_secret_is_none(tmp_path: Path) -> None:
    """What could be guessed from one link is not taken."""
    with pytest.raises(SettingsError, match="TOCSIN_LINK_SECRET must have at least 16 characters"):
        link_key(load_settings(data=tmp_path, link_secret="short"))


def test_a_folder_that_takes_no_key_is_named(tmp_path: Path) -> None:
    """A process that could not sign does not start."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="TOCSIN_DATA"):
        link_key(load_settings(data=tmp_path / "file"))
