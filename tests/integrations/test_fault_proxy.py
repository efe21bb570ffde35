# ruff: noqa: SIM300 - the house writes what is expected first
"""Every adapter that speaks HTTP over a line that goes bad, on a real socket: what it says, and what people see in the end."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import os
import subprocess
import traceback
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

import integrations.archive.git
import integrations.archive.s3
import integrations.http
import integrations.monitoring.prometheus
import integrations.specialist.agent
from incident.effects import Post, Receipt, StoreDocument
from integrations.archive.git import GitArchive
from integrations.archive.s3 import S3Archive
from integrations.chat.layout import Rooms
from integrations.chat.matrix import KEY, MatrixChat
from integrations.errors import IntegrationError, NotFound, Refused, Rejected, Unauthorized, Unavailable
from integrations.ticketing.roundup import RoundupTracker
from tests.integrations.asks import delivery
from tests.integrations.fault_proxy import RETRY_AFTER, Fault, FaultProxy, Upstream, to_server
from tests.integrations.faulty_vendors import SECRET, VENDORS, Subject, changing, ends, filing, line
from tests.integrations.roundup_server import MOUNT, PASSWORD, USER, Roundup
from tests.integrations.synapse_server import Homeserver

FINAL: dict[Fault, type[IntegrationError]] = {
    Fault.MALFORMED: Rejected,
    Fault.REVOKED: Unauthorized,
    Fault.FORBIDDEN_PAGE: Unauthorized,
    Fault.GONE: NotFound,
    Fault.GONE_PAGE: NotFound,
    Fault.INVALID: Rejected,
}
"""What is final; the rest may be tried again."""

LATER = (Fault.TOO_MANY, Fault.TOO_MANY_PAGE)
_numbers = itertools.count(1)


async def _shown(subject: Subject) -> int | None:
    if subject.shown is None:
        return None
    found = subject.shown()
    return await found if inspect.isawaitable(found) else found


class Faults:
    """What every adapter promises of a bad line."""

    @pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.AFTER], ids=lambda fault: fault.name.lower())
    async def test_a_spoiled_answer_is_an_error_of_its_kind_and_people_see_it_once(
        self, subject: Subject, fault: Fault, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It says who, what and why, whether to ask again and when, and no secret; asked again, people see it once."""
        if fault in subject.unseen:
            pytest.skip("the library that the adapter uses does not look at it")
        subject.proxy.fail(fault, wanted=subject.decisive)
        with monkeypatch.context() as impatient:
            if fault is Fault.SLOW:
                _shorten(impatient, subject.patience)
            with pytest.raises(IntegrationError) as told:
                await subject.ask()
        text = str(told.value)
        expected = subject.errors.get(fault, FINAL.get(fault, Unavailable))

        assert subject.proxy.struck
        assert issubclass(type(told.value), expected), repr(told.value)
        assert [] == [word for word in subject.says if word not in text], text
        assert subject.secret not in "".join(traceback.format_exception(told.value))
        if fault.status is not None and fault.status != 200 and subject.hears_when:
            assert str(fault.status) in text
        if isinstance(told.value, Unavailable):
            wait = timedelta(seconds=RETRY_AFTER) if fault in LATER and subject.hears_when else None
            assert fault not in LATER or wait == told.value.retry_after
        if isinstance(told.value, Unauthorized):
            assert subject.setting in text

        first = await subject.ask()
        if subject.shown is None:
            return
        second = await subject.ask()
        lost = fault.taken and fault is not Fault.NOT_TAKEN

        assert (2 if lost and subject.twice else 1) == await _shown(subject)
        assert (first.reference, True) == (second.reference, second.repeated)
        assert first.repeated or not lost or subject.twice
        assert not first.repeated or fault.status in (None, 200), "what was refused is new the next time"

    async def test_an_answer_that_arrived_counts_however_the_line_ends(self, subject: Subject) -> None:
        """A line that breaks right after the answer has broken nothing."""
        subject.proxy.fail(Fault.AFTER, wanted=subject.decisive)
        await subject.ask()

        assert subject.proxy.struck
        assert (None if subject.shown is None else 1) == await _shown(subject)


def _shorten(monkeypatch: pytest.MonkeyPatch, patience: timedelta) -> None:
    """Wait for an answer no longer than this."""
    monkeypatch.setattr(integrations.http, "ANSWER_WITHIN", patience)
    monkeypatch.setattr(integrations.monitoring.prometheus, "TIMEOUT", patience.total_seconds())
    monkeypatch.setattr(integrations.archive.s3, "TIMEOUT", patience)
    monkeypatch.setattr(integrations.archive.git, "TIMEOUT", patience)
    monkeypatch.setattr(integrations.specialist.agent, "ONE_ANSWER", patience)


class TestVendors(Faults):
    """Those that stand in for vendors."""

    @pytest.fixture(params=VENDORS)
    async def subject(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
        async with VENDORS[request.param](tmp_path) as made:
            yield made


class TestRealRoundup(Faults):
    @pytest.fixture
    async def subject(self, roundup: Roundup) -> AsyncIterator[Subject]:
        incident = f"F{next(_numbers)}-INC-2026-0007"
        async with to_server(roundup.url.removesuffix(MOUNT)) as upstream, FaultProxy.before(upstream) as proxy:

            def tracker() -> RoundupTracker:
                url, password = f"{proxy.url}{MOUNT}", SecretStr(PASSWORD)
                return RoundupTracker(
                    url, user=USER, password=password, key_property="external_key", closed=("resolved",), transport=line()
                )

            async def shown() -> int:
                params: dict[str, str | int] = {"external_key": f"tocsin.{incident}"}
                found = await roundup.adapter().http.call("GET", "/data/issue", params=params)
                return len(found.data["data"]["collection"])

            yield Subject(
                proxy,
                filing(tracker, incident),
                ("Roundup", "POST /data/issue"),
                "TOCSIN_ROUNDUP_PASSWORD",
                shown,
                ends("POST", "/data/issue"),
                secret=PASSWORD,
                patience=timedelta(seconds=1),
            )


class TestRealRoundupChanging(Faults):
    """A change is a message, and the issue that it is hung on: the second of the two is spoiled."""

    @pytest.fixture
    async def subject(self, roundup: Roundup) -> AsyncIterator[Subject]:
        incident = f"F{next(_numbers)}-INC-2026-0007"
        made: list[Receipt] = []
        async with to_server(roundup.url.removesuffix(MOUNT)) as upstream, FaultProxy.before(upstream) as proxy:

            def tracker() -> RoundupTracker:
                url, password = f"{proxy.url}{MOUNT}", SecretStr(PASSWORD)
                return RoundupTracker(
                    url, user=USER, password=password, key_property="external_key", closed=("resolved",), transport=line()
                )

            async def shown() -> int:
                issue = await roundup.adapter().http.call("GET", f"/data/issue/{made[0].reference.removeprefix('issue')}")
                return len(issue.data["data"]["attributes"]["messages"]) - 1

            def decisive(request: httpx2.Request) -> bool:
                return request.method == "PUT" and b'"messages"' in request.content

            asking = changing(tracker, made, incident)
            says = ("Roundup", "PUT /data/issue/")
            patience = timedelta(seconds=1)
            yield Subject(proxy, asking, says, "TOCSIN_ROUNDUP_PASSWORD", shown, decisive, secret=PASSWORD, patience=patience)


@pytest.fixture(scope="module")
async def general(homeserver: Homeserver) -> tuple[str, str]:
    """A room, and the token of an account that may post there."""
    bot = await homeserver.account("faulty")
    await homeserver.call(bot, "POST", "/createRoom", {"room_alias_name": "faulty", "preset": "public_chat"})
    return "#faulty", bot.token


class TestRealSynapse(Faults):
    @pytest.fixture
    async def subject(self, homeserver: Homeserver, general: tuple[str, str]) -> AsyncIterator[Subject]:
        name, token = general
        one = delivery(Post(text="SEV1: checkout returns 5xx"), next(_numbers))
        headers = {"Authorization": f"Bearer {token}"}
        async with to_server(homeserver.url) as upstream, FaultProxy.before(upstream) as proxy:

            async def ask() -> Receipt:
                chat = MatrixChat(proxy.url, token=SecretStr(token), rooms=Rooms(general=name, stakeholders=name), transport=line())
                try:
                    return await chat.post(one)
                finally:
                    await chat.close()

            async def shown() -> int:
                async with httpx2.AsyncClient(base_url=f"{homeserver.url}/_matrix/client/v3", headers=headers, transport=line()) as client:
                    room = (await client.get(f"/directory/room/{quote(f'{name}:tocsin.test')}")).json()["room_id"]
                    params: dict[str, Any] = {"dir": "b", "limit": 100}
                    events = (await client.get(f"/rooms/{quote(room)}/messages", params=params)).json()["chunk"]
                return sum(event["content"].get(KEY) == one.key for event in events)

            def sending(request: httpx2.Request) -> bool:
                return "/send/" in request.url.path

            says = ("Matrix", "PUT /_matrix/client/v3/rooms/")
            yield Subject(proxy, ask, says, "TOCSIN_MATRIX_TOKEN", shown, sending, secret=token, patience=timedelta(seconds=1))


@pytest.fixture(scope="module")
def moto() -> Iterator[tuple[str, Any]]:
    """A store's address, and a client that looks into it past the proxy."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    yield url, S3Archive("any", endpoint=url, access_key="k", secret_key=SecretStr(SECRET)).client
    server.stop()


class TestStore(Faults):
    """A store that speaks S3, in a server of its own."""

    @pytest.fixture
    async def subject(self, moto: tuple[str, Any]) -> AsyncIterator[Subject]:
        url, looking = moto
        one = delivery(StoreDocument(name="pm.md", content="# Why\n"))
        bucket = f"faulty-{next(_numbers)}"
        looking.create_bucket(Bucket=bucket)
        async with to_server(url) as upstream, FaultProxy.before(upstream) as proxy:
            store = S3Archive(bucket, endpoint=proxy.url, access_key="k", secret_key=SecretStr(SECRET))

            async def ask() -> Receipt:
                return await store.store_document(one)

            def shown() -> int:
                found = looking.list_objects_v2(Bucket=bucket).get("Contents", [])
                return sum("/.stored/" not in each["Key"] for each in found)

            yield Subject(proxy, ask, (f"the bucket {bucket}",), "TOCSIN_S3_", shown, ends("PUT", "/pm.md"))


def _git_host(root: Path) -> Upstream:
    """Git's own program for repositories over HTTP, behind no web server."""

    async def answer(request: httpx2.Request) -> httpx2.Response:
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "bot",
            "REQUEST_METHOD": request.method,
            "PATH_INFO": request.url.path,
            "QUERY_STRING": request.url.query.decode(),
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(request.content)),
            "HTTP_GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        }
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec("git", "http-backend", env=environment, stdin=pipe, stdout=pipe)
        said, _ = await process.communicate(request.content)
        head, _, body = said.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        return httpx2.Response(int(headers.pop("Status", "200").split()[0]), headers=headers, content=body)

    return answer


class TestRepository(Faults):
    """A Git repository over HTTP, served by git itself."""

    @pytest.fixture
    def bare(self, tmp_path: Path) -> Path:
        bare = tmp_path / "archive.git"
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True)
        subprocess.run(["git", "config", "http.receivepack", "true"], cwd=bare, check=True)
        return bare

    @pytest.fixture
    async def subject(self, bare: Path, tmp_path: Path) -> AsyncIterator[Subject]:
        one = delivery(StoreDocument(name="pm.md", content="# Why\n"))
        async with FaultProxy.before(_git_host(tmp_path)) as proxy:
            address = proxy.url.replace("://", f"://bot:{SECRET}@")

            async def ask() -> Receipt:
                return await GitArchive(tmp_path / "clone", remote=SecretStr(f"{address}/archive.git")).store_document(one)

            def shown() -> int:
                found = subprocess.run(["git", "rev-list", "--count", "main"], cwd=bare, check=True, capture_output=True)
                return int(found.stdout)

            # What git says of a status is no word on whether it is for good, but where nobody is let in.
            errors: dict[Fault, type[IntegrationError]] = dict.fromkeys(
                (Fault.MALFORMED, Fault.INVALID, Fault.GONE, Fault.GONE_PAGE), Unavailable
            )
            yield Subject(
                proxy,
                ask,
                ("the archive",),
                "TOCSIN_GIT_REMOTE",
                shown,
                ends("POST", "/git-receive-pack"),
                hears_when=False,
                errors=errors,
                # To git one 401 is the question for its password; a second one is final: `test_archives_outside`.
                unseen=frozenset({Fault.REVOKED}),
                patience=timedelta(seconds=4),
            )


def test_what_is_final_and_what_is_not_are_told_apart() -> None:
    """The table covers every fault, and nothing final may be tried again."""
    assert all(issubclass(kind, Refused) for kind in FINAL.values())
    assert {400, 401, 403, 404, 422} == {fault.status for fault in FINAL}
