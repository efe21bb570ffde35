# ruff: noqa: SIM300 - the house writes what is expected first
"""One incident led over the town's servers, and the balance in the end: what our record says against what each server holds."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from integrations.chat.matrix import KEY
from integrations.mail import Mailer
from tests.harness import eventually
from tests.integrations.fault_proxy import Fault, FaultProxy
from tests.live.programs import Program
from tests.live.town import SENDER, Town
from tests.server.house import House

REPEATS = "repeats that an adapter recognised"
ARRIVED = ("delivered", "channel_opened")
PLAN = {
    "option": "restart",
    "rationale": "the process is gone",
    "owner": "ben",
    "action": "start it again",
    "verification": ["it answers"],
    "rollback_plan": "stop it",
}


class Night:
    """`outages` says what was taken away, and how often an attempt had failed by the time that it came back."""

    def __init__(self, house: House, town: Town, incident: str) -> None:
        self.house, self.town, self.id = house, town, incident
        self.outages: list[str] = []
        self._temporal: Client | None = None

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.house.call("GET", f"/api/v1/incidents/{self.id}").json()
        return state

    def timeline(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.house.call("GET", f"/api/v1/incidents/{self.id}/timeline").json()["timeline"]
        return found

    def does(self, verb: str, **fields: Any) -> None:
        answer = self.house.does(self.id, verb, **fields)

        assert answer.get("accepted"), f"{verb}: {answer}"

    async def until(self, seen: Callable[[], Any], what: str, within: float = 60) -> None:
        await eventually(lambda: bool(seen()), within=within, every=0.1, what=what)

    async def settled(self) -> None:
        """Wait until everybody has what they are to be told."""
        await self.until(lambda: not self.state()["deliveries"]["waiting"], "everything is delivered", within=90)

    @asynccontextmanager
    async def without(self, program: Program, *, frozen: bool = False) -> AsyncIterator[None]:
        """Take a server away for what is done within, and until a delivery to it has failed at least once."""
        await self.settled()
        program.freeze() if frozen else program.kill()
        yield
        await self.missed(program, frozen=frozen)
        if frozen:
            program.thaw()
        else:
            program.launch()
        await program.serves()
        await self.settled()

    @asynccontextmanager
    async def cut_off(self, line: FaultProxy, name: str) -> AsyncIterator[None]:
        """Take the line to a server away, for what is done within, and until a delivery over it has failed."""
        await self.settled()
        line.fail(Fault.NOT_TAKEN, lasting=True)
        yield
        await self._missed(f"the line to {name} cut")
        line.mend()
        await self.settled()

    @asynccontextmanager
    async def losing_an_answer(self, line: FaultProxy, method: str, path: str) -> AsyncIterator[None]:
        """Let the server take the next such request of what is done within, and its answer get lost."""
        await self.settled()
        line.fail(Fault.BEFORE, wanted=lambda request: request.method == method and path in request.url.path)
        yield
        await self.until(lambda: line.struck, f"{method} {path} is taken")
        self.outages.append(f"the answer to {method} {path} lost")
        await self.settled()

    async def missed(self, program: Program, *, frozen: bool = False) -> None:
        """Wait until an attempt that needs the server has failed."""
        await self._missed(f"{program.name} {'frozen' if frozen else 'killed'}")

    async def _missed(self, outage: str) -> None:
        failed = 0

        async def seen() -> bool:
            nonlocal failed
            failed = max(failed, await self._failed_attempts())
            return failed > 0

        await eventually(seen, within=60, every=0.1, what=f"{outage}, and missed")
        self.outages.append(f"{outage}: {failed} attempt(s) had failed when it came back")

    async def _failed_attempts(self) -> int:
        """How often the activities that are under way have failed, those of the incident's paging included."""
        if self._temporal is None:
            self._temporal = await Client.connect(f"127.0.0.1:{self.house.temporal}")
        attempts = [0]
        for id in (self.id, f"{self.id}/page-1"):
            try:
                found = await self._temporal.get_workflow_handle(id).describe()
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise
                continue
            attempts += [each.attempt - 1 for each in found.raw_description.pending_activities]
        return max(attempts)

    def works_off_the_checklist(self) -> None:
        for item in self.state()["checklist"]:
            if item["state"] == "open":
                self.does("check", item=item["item"], note="seen to")

    def files_the_postmortem(self) -> None:
        """The draft, with what its author is asked for written out."""
        draft: str = self.house.call("GET", f"/api/v1/incidents/{self.id}/postmortem").json()["document"]
        self.does("file_postmortem", document=re.sub(r"\[[^\[\]\n]+\](?!\()", "It was killed.", draft))

    async def balance(self) -> dict[str, int]:
        """Hold the record against the servers: nothing lost, nothing told twice. Answers with what was counted there."""
        await self.settled()
        # The last page of a climb is reported by another workflow.
        await asyncio.sleep(0.5)
        timeline = self.timeline()
        arrived = [entry["data"] for entry in timeline if entry["kind"] in ARRIVED]
        ended = Counter(entry["data"]["number"] for entry in timeline if entry["kind"] in (*ARRIVED, "replaced"))

        assert [] == [entry["text"] for entry in timeline if entry["kind"] in ("undeliverable", "paging_failed", "invalid")]
        assert dict.fromkeys(range(1, max(ended) + 1), 1) == dict(ended), "an effect has no end on record, or more than one"

        keys = {action: {f"{self.id}:{data['number']}" for data in arrived if data["action"] == action} for action in _actions(arrived)}
        said = Counter(message.get(KEY) for message in await self.town.messages())

        assert dict.fromkeys(keys["post"], 1) == dict(said), "what Matrix shows is not what was told"
        assert sorted(keys["open_channel"]) == sorted(await self.town.rooms())

        tickets = await self.town.tickets()
        opened = Counter(data["reference"] for data in arrived if data["action"] == "open_ticket")

        assert dict.fromkeys((f"issue{ticket['id']}" for ticket in tickets), 1) == dict(opened), "Roundup's tickets are not ours"
        assert len(tickets) == len({ticket["external_key"] for ticket in tickets})
        assert [2] * len(tickets) == [len(ticket["texts"]) for ticket in tickets], "a ticket has its text and its closing note, once each"

        paged = {entry["data"]["key"] for entry in timeline if entry["kind"] == "paged"}
        mailer = Mailer("127.0.0.1", 25, sender=SENDER, password=SecretStr(""))
        sent = {mailer.message_id(key) for key in paged | keys.get("page", set()) | keys.get("invite", set())}
        mails = self.town.mails()

        assert dict.fromkeys(sent, 1) == dict(mails), "the mailbox does not hold what was sent"
        assert keys.get("publish", set()) == set(self.house.told(self.id)), "the embedded parts hold more than the status page's updates"
        return {
            "effects": len(ended),
            REPEATS: sum(bool(data.get("repeated")) for data in arrived),
            "Matrix rooms": len(keys["open_channel"]),
            "Matrix messages": sum(said.values()),
            "Roundup tickets": len(tickets),
            "mails": sum(mails.values()),
            "status updates": len(keys.get("publish", set())),
        }


def _actions(arrived: list[dict[str, Any]]) -> set[str]:
    return {data["action"] for data in arrived}
