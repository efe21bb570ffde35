"""The scripts of others that the pages use, and the one that the browser tests use: pinned by version and hash.

    python -m tests.vendor --check     fetch each package anew and compare it with what stands here
    python -m tests.vendor --write     take over the files of the locked versions
    python -m tests.vendor --axe       put axe-core, which is not shipped, into .cache for the browser tests

`vendor.lock` names each package as `name@version`, with the hash of the whole package and of each file. Packages
come through npm as it is set up on the developer's machine; no address of a registry stands anywhere here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
VENDOR = ROOT / "starter" / "web" / "static" / "vendor"
LOCK = VENDOR / "vendor.lock"
CACHE = ROOT / ".cache"
AXE = CACHE / "axe.min.js"


def integrity(content: bytes) -> str:
    """The hash as npm writes it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


def locked() -> dict[str, dict[str, Any]]:
    """Package to its hash, where its files are kept, and file to path in the package and hash."""
    found: dict[str, dict[str, Any]] = json.loads(LOCK.read_text())
    return found


def kept(entry: dict[str, Any], name: str) -> Path:
    """Where a file of a package stands."""
    return (VENDOR if entry["shipped"] else CACHE) / name


def fetched(package: str, entry: dict[str, Any]) -> dict[str, bytes]:
    """The files of a package, fetched through npm and checked against the lock.

    Raises:
        SystemExit: the package or a file is not the one that was locked.
    """
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", package, "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        archive = next(Path(folder).glob("*.tgz"))
        if integrity(archive.read_bytes()) != entry["package"]:
            raise SystemExit(f"{package}: the package is not the one in {LOCK.name}. Do not use it before you know why.")
        files: dict[str, bytes] = {}
        with tarfile.open(archive) as opened:
            for name, file in entry["files"].items():
                member = opened.extractfile(f"package/{file['path']}")
                files[name] = member.read() if member is not None else b""
                if integrity(files[name]) != file["hash"]:
                    raise SystemExit(f"{package}: {file['path']} is not the file in {LOCK.name}.")
    return files


def main(arguments: list[str]) -> int:
    wanted = arguments[0] if arguments else "--check"
    for package, entry in locked().items():
        if (wanted == "--axe") is entry["shipped"]:
            continue
        for name, content in fetched(package, entry).items():
            path = kept(entry, name)
            if wanted == "--check" and path.read_bytes() != content:
                raise SystemExit(f"{path.relative_to(ROOT)} is not the one of {package}: python -m tests.vendor --write")
            if wanted != "--check":
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
