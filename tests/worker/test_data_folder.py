# ruff: noqa: SIM300 - the house writes what is expected first
"""The data folder has one owner, one format and one history."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker import data_folder
from worker.data_folder import DataFolder, FolderProblem


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    made = DataFolder(tmp_path / "data")
    made.open()
    yield made
    made.close()


def test_a_new_folder_is_made_with_all_that_belongs_in_it(folder: DataFolder) -> None:
    """The first `up` needs nothing to be there."""
    assert {".lock", "archive", "logs", "version.json"} == {path.name for path in folder.path.iterdir()}
    assert 0 == folder.epoch


def test_a_folder_has_one_owner(folder: DataFolder) -> None:
    """A second `up` on the same folder is refused, and told which process has it."""
    with pytest.raises(FolderProblem, match=f"in use by process {os.getpid()}"):
        DataFolder(folder.path).open()


def test_a_folder_is_free_once_its_owner_has_gone(folder: DataFolder) -> None:
    """What one `up` has closed the next can open."""
    folder.close()
    again = DataFolder(folder.path)

    again.open()

    assert str(os.getpid()) == (folder.path / ".lock").read_text()
    again.close()


def test_what_a_killed_owner_left_running_still_has_the_folder(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server outlives a killed `up` by some seconds; until it has gone nobody starts a second one on its file."""
    monkeypatch.setattr(data_folder, "LEFTOVERS_WITHIN", 0.2)
    leftover = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(folder.lock,))
    (folder.path / ".lock").write_text(str(_pid_of_nobody()))
    folder.close()

    with pytest.raises(FolderProblem, match="which was killed, had started"):
        DataFolder(folder.path).open()
    leftover.communicate(b"\n", timeout=10)
    again = DataFolder(folder.path)
    again.open()
    again.close()


def _pid_of_nobody() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


@pytest.mark.parametrize("inside", [True, False])
def test_a_folder_that_cannot_be_written_is_told(inside: bool, tmp_path: Path) -> None:
    """A file where the folder should be, like a disk that can't be written, is a sentence with the way out."""
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(FolderProblem, match=r"can't be written \(.*\)\. Choose another with --data DIR"):
        DataFolder(tmp_path / "file" / "data" if inside else tmp_path / "file").open()


def test_a_folder_of_a_newer_version_is_left_alone(folder: DataFolder) -> None:
    """An older Tocsin does not touch what a newer one has written."""
    folder.close()
    (folder.path / "version.json").write_text(json.dumps({"format": data_folder.FORMAT + 1}))

    with pytest.raises(FolderProblem, match=r"newer version of tocsin .* Upgrade tocsin"):
        DataFolder(folder.path).open()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": "new"}'])
def test_a_spoilt_version_is_told(content: str, folder: DataFolder) -> None:
    """A marker that says nothing readable is not taken for an old version."""
    folder.close()
    (folder.path / "version.json").write_text(content)

    with pytest.raises(FolderProblem, match="restore it from a backup"):
        DataFolder(folder.path).open()


def test_the_epoch_outlives_the_process(folder: DataFolder) -> None:
    """What the folder last saw is still known after a restart; nonsense in its place is told."""
    folder.epoch = 7
    assert 7 == DataFolder(folder.path).epoch
    (folder.path / "epoch").write_text("many")

    with pytest.raises(FolderProblem, match=r"epoch can't be read .* backup"):
        _ = folder.epoch


def test_a_servers_file_that_has_gone_is_noticed(folder: DataFolder) -> None:
    """The server would start empty without a word; where there were incidents, its missing file is told instead."""
    folder.check_still_there("temporal.db")
    folder.epoch = 1

    with pytest.raises(FolderProblem, match=r"is gone, .* --accept-rollback"):
        folder.check_still_there("temporal.db")
    (folder.path / "temporal.db").touch()
    folder.check_still_there("temporal.db")


def test_a_file_is_written_whole_or_not_at_all(folder: DataFolder) -> None:
    """Where a file can't be written, the one that was there stays as it was."""
    folder.write_run({"pids": {"up": 1}})
    (folder.path / ".run.json.new").mkdir()

    with pytest.raises(FolderProblem, match="can't be written"):
        folder.write_run({"pids": {"up": 2}})
    assert {"pids": {"up": 1}} == json.loads((folder.path / "run.json").read_text())


def test_a_stopped_servers_file_holds_everything(folder: DataFolder) -> None:
    """After an orderly stop a copy of the one database file is a whole backup."""
    path = folder.path / "temporal.db"
    server = sqlite3.connect(path)
    server.execute("PRAGMA journal_mode=WAL")
    reader = sqlite3.connect(path)
    server.execute("CREATE TABLE executions AS SELECT 1 AS run")
    server.commit()
    assert path.with_name("temporal.db-wal").stat().st_size > 0

    folder.fold_in("temporal.db")
    folder.fold_in("never-made.db")

    assert 0 == path.with_name("temporal.db-wal").stat().st_size
    assert [(1,)] == sqlite3.connect(f"file:{path}?immutable=1", uri=True).execute("SELECT run FROM executions").fetchall()
    reader.close()
    server.close()
