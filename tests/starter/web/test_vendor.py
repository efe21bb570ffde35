"""The scripts of others are the ones that were locked."""

from __future__ import annotations

from tests.vendor import VENDOR, integrity, kept, locked


def test_every_vendored_file_is_the_locked_one() -> None:
    """A changed byte in somebody else's script fails here; nothing unlocked lies beside them."""
    shipped = {package: entry for package, entry in locked().items() if entry["shipped"]}
    expected = {name: file["hash"] for entry in shipped.values() for name, file in entry["files"].items()}

    assert {name: integrity(kept(entry, name).read_bytes()) for entry in shipped.values() for name in entry["files"]} == expected
    assert {path.name for path in VENDOR.iterdir()} == {*expected, "vendor.lock"}
