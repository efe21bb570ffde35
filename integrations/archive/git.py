"""The archive as a Git repository: a commit for every document that is new, pushed where there is a remote.

A folder an incident, as the folder archive has it; the former versions are in the history. Where there is a remote, it is the truth:
each time the clone is brought to what stands there before anything is added, so a commit that was made and could not be pushed is made
anew, and one whose push was taken while the answer got lost is found. A repeat is recognised by its content, and one that comes
late, after a newer content, by the mark of its key in a commit's message.

What the remote's address has of credentials is given to git in its environment: what stands in its arguments is read by everybody on
this machine, and what stands in `.git/config` by whoever gets a copy of the clone.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

from pydantic import SecretStr

from incident.checkup import Checked
from incident.effects import Delivery, Receipt, StoreDocument
from integrations.archive.names import inside
from integrations.deliveries import asked
from integrations.errors import IntegrationError, NotFound, Rejected, Unauthorized, Unavailable
from integrations.once import OneAtATime

TIMEOUT = timedelta(seconds=25)
"""For everything of one document: a push over the network takes seconds. Below the half minute that the caller waits."""

FINAL = frozenset({errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EEXIST})
"""What a file system says about a name that it will never take."""

TRAILER = "Tocsin-Key"

_AUTHENTICATION = re.compile(
    r"authentication failed for '|could not read (username|password) for '|permission denied \(|permission to \S+ denied to "
    r"|the requested url returned error: 40[13]\b|rpc failed; http 40[13]\b",
    re.IGNORECASE,
)
"""What git, ssh and the large hosts say of somebody whom they don't let in; a bare number may stand in any name."""

_GONE = re.compile(r"repository .*not found|does not (appear to be a git repository|exist)", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")

QUIETLY = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=5",
    "GIT_AUTHOR_NAME": "Tocsin",
    "GIT_COMMITTER_NAME": "Tocsin",
    "LC_ALL": "C",
}
"""Nobody is there to type a password; a question would hang until time is up."""

SETTINGS = ("core.autocrlf=false", "core.hooksPath=/dev/null", "commit.gpgSign=false", "core.quotePath=false")
"""Documents are kept to the byte, and what somebody has set for themselves on this machine is not for us."""


_PASSWORD = '!f() { test "$1" = get && printf "password=%s\\n" "$GIT_REMOTE_PASSWORD"; }; f'
"""A credential helper of git: its arguments hold the name of a variable, which its shell looks up."""


def _apart(remote: str) -> tuple[str, dict[str, str]]:
    """The address without what lets us in, and the part of git's environment that has it instead."""
    scheme, separator, rest = remote.partition("://")
    authority, slash, path = rest.partition("/")
    userinfo, at, host = authority.rpartition("@")
    if not separator or not at:
        return remote, {}
    user, colon, password = userinfo.partition(":")
    if scheme.lower() not in ("http", "https"):
        # Nobody but these takes a password from an address, and ssh needs the name there.
        return f"{scheme}://{user}@{host}{slash}{path}", {}
    within = f"credential.{scheme}://{host}"
    settings = [(f"{within}.username", unquote(user))] * bool(user)
    # The empty one first: what this machine's user has set as helper would be asked before ours, and be told the password. Where there
    # is none in the address, theirs may know one; ours is the last, or git would ask for it, with the name in an argument.
    settings += [(f"{within}.helper", "")] * bool(colon) + [(f"{within}.helper", _PASSWORD)]
    first = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    environment = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (name, value) in enumerate(settings, start=first):
        environment |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    environment["GIT_REMOTE_PASSWORD"] = unquote(password)
    return f"{scheme}://{host}{slash}{path}", environment


class GitArchive:
    """A clone in `folder`, its branch `branch`, and where it is pushed to."""

    def __init__(self, folder: Path, *, remote: SecretStr | None = None, branch: str = "main", author: str = "tocsin@localhost") -> None:
        self._folder = folder
        self._remote: str | None = None
        self._let_in: dict[str, str] = {}
        if remote is not None:
            self._remote, self._let_in = _apart(remote.get_secret_value())
        self._branch = branch
        self._author = author
        self._one_at_a_time = OneAtATime()

    async def store_document(self, delivery: Delivery) -> Receipt:
        ask = asked(delivery, StoreDocument)
        path = inside(delivery.incident, "incident", deep=False) / inside(ask.name, "document", deep=True)
        try:
            content = ask.content.encode()
        except UnicodeEncodeError as error:
            raise Rejected(f"{path} is no text that can be stored: {error}") from error
        mark = hashlib.sha256(f"{delivery.key}\n{path}\n{hashlib.sha256(content).hexdigest()}".encode()).hexdigest()
        async with self._working():
            repeated = await self._store(path, content, mark, delivery)
        return Receipt(reference=path.as_posix(), repeated=repeated)

    async def _store(self, path: Path, content: bytes, mark: str, delivery: Delivery) -> bool:
        """Commit and push what is new; True where nothing is."""
        target = self._folder / path
        if target.is_file() and (target.read_bytes() == content or await self._stored_before(path, mark)):
            if self._remote is None or await self._has(self._there):
                return True
            # The remote is empty: what stands here was never pushed, or somebody has begun a new one.
            await self._push()
            return False
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        except OSError as error:
            kind = Rejected if error.errno in FINAL else Unavailable
            raise kind(f"the archive {self._folder} does not take {path}: {error.strerror}") from error
        await self._git("add", "--", path.as_posix())
        message = f"{delivery.incident}: {path.name}\n\n{TRAILER}: {mark}"
        await self._git("commit", "--quiet", "--allow-empty", "-m", message)
        if self._remote is not None:
            await self._push()
        return False

    async def _push(self) -> None:
        await self._git("push", "--quiet", "origin", f"HEAD:refs/heads/{self._branch}")

    @property
    def _there(self) -> str:
        return f"refs/remotes/origin/{self._branch}"

    async def _stored_before(self, path: Path, mark: str) -> bool:
        found = await self._git("log", "--format=%H", "-1", "--fixed-strings", f"--grep={TRAILER}: {mark}", "--", path.as_posix())
        return bool(found.strip())

    @asynccontextmanager
    async def _working(self) -> AsyncIterator[None]:
        """Hold the clone alone, brought to what the remote has."""
        try:
            async with self._one_at_a_time.of(""), asyncio.timeout(TIMEOUT.total_seconds()):
                self._folder.mkdir(parents=True, exist_ok=True)
                with (self._folder.parent / f".{self._folder.name}.lock").open("w") as lock:
                    await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
                    await self._prepare()
                    yield
        except TimeoutError as error:
            raise Unavailable(f"the archive {self._folder} took no document within {TIMEOUT.total_seconds():g} s") from error
        except OSError as error:
            raise Unavailable(f"the archive {self._folder} can't be used: {error.strerror}") from error

    async def _prepare(self) -> None:
        if not (self._folder / ".git").exists():
            await self._git("init", "--quiet", f"--initial-branch={self._branch}")
        # A process that died half way leaves its lock, and what it had written.
        (self._folder / ".git" / "index.lock").unlink(missing_ok=True)
        if self._remote is not None:
            await self._fetch(self._remote)
        elif await self._has("HEAD"):
            await self._git("reset", "--quiet", "--hard")
        if not await self._has("HEAD"):
            await self._git("read-tree", "--empty")
        # What a broken-off try has written is in no commit, and must not pass for stored.
        await self._git("clean", "--quiet", "--force", "-d", "-x")

    async def _fetch(self, remote: str) -> None:
        known = "origin" in (await self._git("remote")).split()
        await self._git("remote", "set-url" if known else "add", "origin", remote)
        await self._git("fetch", "--quiet", "--prune", "origin")
        if await self._has(self._there):
            await self._git("checkout", "--quiet", "--force", "-B", self._branch, self._there)

    async def _has(self, name: str) -> bool:
        return bool(await self._git("rev-parse", "--verify", "--quiet", name, fails=True))

    async def _git(self, *arguments: str, fails: bool = False) -> str:
        """Run git and give what it says; where it fails, nothing if that `fails` too, else one of our errors."""
        settings = [part for each in SETTINGS for part in ("-c", each)]
        environment = {**os.environ, **QUIETLY, **self._let_in, "GIT_AUTHOR_EMAIL": self._author, "GIT_COMMITTER_EMAIL": self._author}
        try:
            process = await asyncio.create_subprocess_exec(
                "git",
                *settings,
                *arguments,
                cwd=self._folder,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise Unavailable("git is not installed on this machine") from error
        try:
            out, told = await process.communicate()
        except asyncio.CancelledError:
            if process.returncode is None:
                # With all that it has started: the helper that speaks to the host would wait for it for ever.
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
            raise
        if process.returncode == 0:
            return out.decode("utf-8", "replace")
        if fails:
            return ""
        raise self._translated(arguments[0], told.decode("utf-8", "replace"))

    def _translated(self, what: str, told: str) -> IntegrationError:
        words = " ".join(_USERINFO.sub("", told).split())[:300]
        text = f"git {what} of the archive {self._folder} failed: {words}"
        if _AUTHENTICATION.search(" ".join(told.split())):
            return Unauthorized(f"{text} (renew what TOCSIN_GIT_REMOTE is let in with; `tocsin doctor` tries it)")
        return NotFound(text) if _GONE.search(told) else Unavailable(text)

    async def _nothing(self) -> str:
        """A commit of no document, to be pushed nowhere: to fetch, any web page that is there can pass for an empty repository."""
        tree = (await self._git("mktree")).strip()
        return (await self._git("commit-tree", "-m", "to see whether it could be pushed", tree)).strip()

    async def check(self) -> Checked:
        """Bring the clone to what the remote has; nothing is added."""
        try:
            async with self._working():
                pass
            if self._remote is not None:
                what = "HEAD" if await self._has("HEAD") else await self._nothing()
                await self._git("push", "--quiet", "--dry-run", "origin", f"{what}:refs/heads/{self._branch}")
        except IntegrationError as error:
            fix = "Check TOCSIN_GIT_REMOTE, and that this user may push there without being asked for a password."
            return Checked(name="archive: Git", ok=False, detail=str(error), fix=fix)
        where = "pushed to its remote" if self._remote is not None else "not pushed anywhere"
        return Checked(name="archive: Git", ok=True, detail=f"{self._folder}, {where}")
