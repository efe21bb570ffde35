# ruff: noqa: SIM300, ASYNC240 - the house writes what is expected first; a test may touch its few small files directly
"""The folder archive keeps every version, stays inside its folder, and says what is wrong with the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from incident.effects import StoreDocument
from integrations.archive.folder import FolderArchive
from integrations.errors import Rejected, Unavailable
from tests.integrations.asks import INCIDENT, delivery


def document(content: str, name: str = "postmortem.md") -> StoreDocument:
    return StoreDocument(name=name, content=content)


async def test_every_version_is_kept(tmp_path: Path) -> None:
    """A post-mortem that is filed again stands beside its former versions, and none is lost or kept twice."""
    archive = FolderArchive(tmp_path)
    for number, content in enumerate(("one", "two", "two", "three"), start=1):
        await archive.store_document(delivery(document(content), number))
    folder = tmp_path / INCIDENT

    assert {"postmortem.md": "three", "postmortem.md.1": "one", "postmortem.md.2": "two"} == {
        file.name: file.read_text() for file in folder.iterdir() if file.is_file()
    }


async def test_a_try_that_broke_off_half_way_leaves_no_double(tmp_path: Path) -> None:
    """A process that died after keeping the former version does not keep it again when it is back."""
    archive = FolderArchive(tmp_path)
    await archive.store_document(delivery(document("one"), 1))
    (tmp_path / INCIDENT / "postmortem.md.1").write_text("one")
    await archive.store_document(delivery(document("two"), 2))

    assert ["postmortem.md", "postmortem.md.1"] == sorted(file.name for file in (tmp_path / INCIDENT).iterdir() if file.is_file())


async def test_a_document_that_was_deleted_is_stored_again(tmp_path: Path) -> None:
    """A receipt means that the document is there, so a repeat brings back what somebody has removed."""
    archive = FolderArchive(tmp_path)
    one = delivery(document("one"))
    await archive.store_document(one)
    (tmp_path / INCIDENT / "postmortem.md").unlink()
    receipt = await archive.store_document(one)

    assert not receipt.repeated
    assert "one" == (tmp_path / INCIDENT / "postmortem.md").read_text()


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../x", "a/../../x", "a/..", ".", "a/.hidden", ".stored/lock", "a\\b", "a\x00b", "a\nb", "a/", "x" * 300],
)
async def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    """A name that could reach another file than its own is refused, and nothing is written."""
    root = tmp_path / "archive"
    with pytest.raises(Rejected):
        await FolderArchive(root).store_document(delivery(document("evil", name)))

    assert [] == [file for file in tmp_path.rglob("*") if file.is_file() and ".stored" not in file.parts]


@pytest.mark.parametrize("incident", ["..", "a/b", "", ".stored", "/"])
async def test_no_incident_leads_out_of_the_folder(tmp_path: Path, incident: str) -> None:
    """Neither does an incident's name."""
    with pytest.raises(Rejected):
        await FolderArchive(tmp_path / "archive").store_document(delivery(document("evil"), incident=incident))

    assert [] == list(tmp_path.iterdir())


async def test_no_link_leads_out_of_the_folder(tmp_path: Path) -> None:
    """A link that somebody put into the archive is not followed."""
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "archive"
    root.mkdir()
    (root / INCIDENT).symlink_to(outside)
    with pytest.raises(Rejected, match="does not follow"):
        await FolderArchive(root).store_document(delivery(document("evil")))

    assert [] == list(outside.iterdir())


async def test_a_folder_that_takes_nothing_may_be_mended(tmp_path: Path) -> None:
    """Where the archive itself is unusable, the document waits, and the message says what to look at."""
    (tmp_path / "archive").write_text("a file where the folder should be")
    with pytest.raises(Unavailable, match="may write to it"):
        await FolderArchive(tmp_path / "archive").store_document(delivery(document("one")))
