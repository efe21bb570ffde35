# ruff: noqa: SIM300 - the house writes what is expected first
"""Archives outside: a real Git repository with a remote, and a real S3-compatible store on this machine."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from incident.effects import Delivery, Port, Receipt, StoreDocument
from integrations.archive.git import GitArchive
from integrations.archive.s3 import S3Archive
from integrations.errors import NotFound, Rejected, Unauthorized, Unavailable
from tests.integrations.asks import INCIDENT, delivery
from tests.integrations.contract import ArchiveContract, Contract, Stage


def document(content: str, name: str = "pm.md") -> StoreDocument:
    return StoreDocument(name=name, content=content)


def git(folder: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True).stdout


class GitStage(Stage):
    """A clone, and a bare repository that it pushes to. Troubles are those of a hook at the remote."""

    port = Port.ARCHIVE
    drills_are_marked = False

    def __init__(self, folder: Path, clone: str = "clone") -> None:
        self.folder, self.bare = folder, folder / "remote.git"
        if not self.bare.exists():
            git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.bare))
        self.archive = GitArchive(folder / clone, remote=SecretStr(f"file://{self.bare}"))

    def call(self, action: str) -> Callable[[Delivery], Awaitable[Receipt]]:
        method: Callable[[Delivery], Awaitable[Receipt]] = getattr(self.archive, action)
        return method

    def names(self) -> list[str]:
        if not git(self.bare, "branch", "--list", "main").strip():
            return []
        return git(self.bare, "ls-tree", "-r", "--name-only", "-z", "main").decode().strip("\0").split("\0")

    async def shown(self) -> list[str]:
        """What the remote has, to the byte."""
        return [git(self.bare, "show", f"main:{name}").decode() for name in self.names()]

    async def again(self) -> Stage:
        """Another machine, with a clone of its own."""
        return GitStage(self.folder, "another")

    def hook(self, name: str, script: str) -> None:
        path = self.bare / "hooks" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    async def lose_an_answer(self) -> None:
        """The remote takes the push, and the connection is cut before it can say so."""
        self.hook("post-update", 'rm "$0"; kill -9 $PPID')

    async def go_down(self, *, retry_after: timedelta | None = None) -> None:
        self.hook("pre-receive", "echo the disk is full; exit 1")

    async def refuse(self) -> None:
        raise AssertionError("a Git remote refuses by its credentials: see test_a_refusal_is_final")

    async def mend(self) -> None:
        (self.bare / "hooks" / "pre-receive").unlink()


class TestGit(Contract, ArchiveContract):
    @pytest.fixture
    def stage(self, tmp_path: Path) -> Stage:
        return GitStage(tmp_path)

    async def test_an_outage_may_be_tried_again(self, stage: Stage) -> None:
        """A remote that takes no push is asked again, and the document is not lost meanwhile."""
        one = delivery(document("x"))
        await stage.go_down()
        with pytest.raises(Unavailable, match="the disk is full"):
            await stage.tell(one)
        during = await stage.shown()
        await stage.mend()
        receipt = await stage.tell(one)

        assert ([], False, ["x"]) == (during, receipt.repeated, await stage.shown())

    async def test_a_refusal_is_final(self, stage: Stage) -> None:
        """A remote that does not let us in is told from one that is away; one that is gone is named without the password."""
        assert isinstance(stage, GitStage)
        stage.hook("pre-receive", "echo Permission to acme/archive.git denied to tocsin.; exit 1")
        with pytest.raises(Unauthorized):
            await stage.tell(delivery(document("x")))
        gone = GitArchive(stage.folder / "third", remote=SecretStr(f"file://tocsin:s3cret@{stage.folder}/none.git"))
        with pytest.raises((NotFound, Unavailable)) as told:
            await gone.store_document(delivery(document("x")))
        found = await gone.check()

        assert not found.ok
        assert "s3cret" not in f"{told.value} {found}"


class Bouncer(BaseHTTPRequestHandler):
    """A Git host that asks for a password, and answers whoever has one with `status`."""

    shown: ClassVar[list[str]] = []
    status: ClassVar[int] = 403

    def do_GET(self) -> None:
        told = self.headers.get("Authorization")
        if told is not None:
            self.shown.append(base64.b64decode(told.removeprefix("Basic ")).decode())
        self.send_response(401 if told is None else self.status)
        self.send_header("WWW-Authenticate", "Basic realm=archive")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def bouncer() -> Iterator[str]:
    Bouncer.shown.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bouncer)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("userinfo", "known"), [("tocsin:s3cret%2F%40", "tocsin:s3cret/@"), ("s3cret", "s3cret:")])
async def test_what_lets_us_in_stands_in_no_argument_and_no_file(
    tmp_path: Path, bouncer: str, monkeypatch: pytest.MonkeyPatch, userinfo: str, known: str
) -> None:
    """Everybody on a machine reads its processes' arguments, and a clone is copied; also what a former version left there is gone."""
    clone, trace = tmp_path / "clone", tmp_path / "trace"
    git(tmp_path, "init", "--quiet", "clone")
    git(clone, "remote", "add", "origin", f"http://{userinfo}@{bouncer}/archive.git")
    monkeypatch.setenv("GIT_TRACE", str(trace))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "none"))
    archive = GitArchive(clone, remote=SecretStr(f"http://{userinfo}@{bouncer}/archive.git"))
    with pytest.raises(Unauthorized):
        await archive.store_document(delivery(document("x")))
    written = [path.read_bytes() for path in (trace, *clone.rglob("*")) if path.is_file()]

    assert {known} == set(Bouncer.shown)
    assert b"git-remote-http" in written[0]
    assert not any(b"s3cret" in each for each in written)


@pytest.mark.parametrize(("status", "kind"), [(401, Unauthorized), (403, Unauthorized), (500, Unavailable), (503, Unavailable)])
async def test_only_a_remote_that_does_not_let_us_in_is_final(
    tmp_path: Path, bouncer: str, monkeypatch: pytest.MonkeyPatch, status: int, kind: type[Exception]
) -> None:
    """A trouble that passes is asked again, also where 401 or 403 stands in a name."""
    monkeypatch.setattr(Bouncer, "status", status)
    archive = GitArchive(tmp_path / "clone", remote=SecretStr(f"http://tocsin:s3cret@{bouncer}/team-403/401.git"))
    with pytest.raises(kind):
        await archive.store_document(delivery(document("x")))

    assert Bouncer.shown


async def test_two_machines_add_to_one_repository(tmp_path: Path) -> None:
    """Each brings its clone to what the remote has before it adds: nothing is pushed away, and each document is one commit."""
    first, second = GitStage(tmp_path), GitStage(tmp_path, "second")
    for number, (stage, name) in enumerate(((first, "a.md"), (second, "b.md"), (first, "c.md"), (second, "a.md")), start=1):
        await stage.tell(delivery(document(name, name), number))

    assert ["a.md", "b.md", "c.md"] == sorted(await first.shown())
    assert b"3" == git(first.bare, "rev-list", "--count", "main").strip()


async def test_a_remote_that_begins_anew_gets_everything_again(tmp_path: Path) -> None:
    """Somebody puts an empty repository in the place of the remote: what the clone has is pushed there, and nothing is lost."""
    stage = GitStage(tmp_path)
    for number, name in enumerate(("a.md", "b.md"), start=1):
        await stage.tell(delivery(document(name, name), number))
    stage.bare.rename(tmp_path / "lost.git")
    renewed = GitStage(tmp_path)
    await renewed.tell(delivery(document("c.md", "c.md"), 3))

    assert ["a.md", "b.md", "c.md"] == sorted(await renewed.shown())


async def test_what_a_dead_process_left_behind_is_not_taken_for_stored(tmp_path: Path) -> None:
    """A file that was written and never committed, and a lock that nobody holds any more, are cleared away."""
    clone = tmp_path / "clone"
    archive = GitArchive(clone)
    await archive.store_document(delivery(document("a", "a.md")))
    (clone / INCIDENT / "b.md").write_text("b")
    (clone / ".git" / "index.lock").write_text("")
    receipt = await archive.store_document(delivery(document("b", "b.md"), 2))

    assert not receipt.repeated
    assert f"{INCIDENT}/b.md" in git(clone, "ls-tree", "-r", "--name-only", "HEAD").decode()


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", ".git/config", "a/.git/hooks/x"])
async def test_no_name_leads_out_of_the_archive(tmp_path: Path, s3: S3Stage, name: str) -> None:
    """A name that could reach another file than its own is refused by both."""
    for archive in (GitArchive(tmp_path / "clone"), s3.archive):
        with pytest.raises(Rejected):
            await archive.store_document(delivery(document("x", name)))

    assert [] == await s3.shown()


async def test_the_doctor_looks_at_the_repository(tmp_path: Path) -> None:
    """Whether documents can be pushed is known before the first one must be; nothing is added by looking."""
    stage = GitStage(tmp_path)
    before = await stage.archive.check()
    await stage.tell(delivery(document("a")))
    after = await stage.archive.check()

    assert (True, True, ["a"]) == (before.ok, after.ok, await stage.shown())


# --- S3


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def _store(endpoint: str, bucket: str, prefix: str = "tocsin") -> S3Archive:
    return S3Archive(bucket, endpoint=endpoint, access_key="k", secret_key=SecretStr("s3cret"), prefix=prefix)


class S3Stage(Stage):
    port = Port.ARCHIVE
    drills_are_marked = False
    _made = 0

    def __init__(self, endpoint: str, bucket: str = "") -> None:
        self.endpoint = endpoint
        self.looking: Any = _store(endpoint, "any").client
        if not bucket:
            S3Stage._made += 1
            bucket = f"archive-{S3Stage._made}"
            self.looking.create_bucket(Bucket=bucket)
        self.bucket = bucket
        self.archive = _store(endpoint, bucket)
        self.handler: Callable[..., Any] | None = None

    def call(self, action: str) -> Callable[[Delivery], Awaitable[Receipt]]:
        method: Callable[[Delivery], Awaitable[Receipt]] = getattr(self.archive, action)
        return method

    def contents(self) -> dict[str, bytes]:
        keys = [each["Key"] for each in self.looking.list_objects_v2(Bucket=self.bucket).get("Contents", [])]
        return {key: self.looking.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys if "/.stored/" not in key}

    async def shown(self) -> list[str]:
        return [content.decode() for key, content in self.contents().items() if key.endswith((".md", ".json"))]

    async def again(self) -> Stage:
        return S3Stage(self.endpoint, self.bucket)

    def strike(self, handler: Callable[..., Any]) -> None:
        self.handler = handler
        self.archive.client.meta.events.register("before-send.s3", handler)

    async def lose_an_answer(self) -> None:
        session = self.archive.client._endpoint.http_session

        def lost(request: Any, **_: Any) -> None:
            if request.method == "PUT" and "/.stored/" not in request.url:
                self._mend()
                session.send(request)
                raise ReadTimeoutError(endpoint_url=request.url)

        self.strike(lost)

    async def answer(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.strike(lambda request, **_: AWSResponse(request.url, status, headers or {}, _Nothing()))

    async def go_down(self, *, retry_after: timedelta | None = None) -> None:
        await self.answer(503, {} if retry_after is None else {"retry-after": str(int(retry_after.total_seconds()))})

    async def refuse(self) -> None:
        await self.answer(400)

    async def mend(self) -> None:
        self._mend()

    def _mend(self) -> None:
        if self.handler is not None:
            self.archive.client.meta.events.unregister("before-send.s3", self.handler)
            self.handler = None


class _Nothing:
    """The body of an answer without one."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        return iter((b"",))


@pytest.fixture
def s3(server: str) -> S3Stage:
    return S3Stage(server)


class TestS3(Contract, ArchiveContract):
    @pytest.fixture
    def stage(self, s3: S3Stage) -> Stage:
        return s3


async def test_a_content_that_is_replaced_is_kept(s3: S3Stage) -> None:
    """The former version stands beside the new one, also in a bucket that keeps no versions."""
    for number, content in enumerate(("one", "two"), start=1):
        await s3.tell(delivery(document(content), number))
    found = s3.contents()

    assert {b"one", b"two"} == set(found.values())
    assert b"two" == found[f"tocsin/{INCIDENT}/pm.md"]


@pytest.mark.parametrize(
    ("status", "kind"), [(401, Unauthorized), (403, Unauthorized), (400, Rejected), (429, Unavailable), (500, Unavailable)]
)
async def test_a_status_is_an_error_of_its_kind(s3: S3Stage, status: int, kind: type[Exception]) -> None:
    """What is final and what may work later are told apart, and the key is shown by nobody."""
    await s3.answer(status)
    with pytest.raises(kind) as told:
        await s3.tell(delivery(document("x")))

    assert "s3cret" not in str(told.value)


async def test_a_bucket_that_is_gone_is_named(server: str, s3: S3Stage) -> None:
    """The doctor finds it by day; a store that is not there at all may come back."""
    gone = _store(server, "never-made")
    with pytest.raises(NotFound, match="never-made"):
        await gone.store_document(delivery(document("x")))
    with pytest.raises(Unavailable):
        await _store("http://127.0.0.1:1", "away").store_document(delivery(document("x")))

    assert (False, True) == ((await gone.check()).ok, (await s3.archive.check()).ok)
