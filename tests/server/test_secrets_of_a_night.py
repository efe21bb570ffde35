# ruff: noqa: SIM300 - the house writes what is expected first
"""A whole incident with a secret in every setting that can hold one, over vendors that repeat what they were told: it is nowhere.

Each adapter by itself, in every way of failing, has `tests/worker/test_secrets.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr
from temporalio.client import Client

from runtime.settings import Settings
from runtime.vendors import VENDORS
from tests.harness import eventually
from tests.live.night import PLAN
from tests.server.house import House
from tests.worker.test_secrets import MARK, Gossip, traces, variables

pytestmark = pytest.mark.server

CHOSEN = {
    "CHAT": "slack",
    "STATUSPAGE": "statuspage",
    "TICKETS": "jira",
    "PAGING": "pagerduty,email,apprise",
    "ONCALL": "icalendar",
    "CALENDAR": "email",
    "ARCHIVE": "s3",
    "SPECIALIST": "agent",
}
ROTA = "".join(f'"{role}" = "ana"\n' for role in ("primary on-call", "senior on-call", "engineering lead", "CTO", "manager"))
PEOPLE = '\n[people.ana]\nemail = "ana@example.org"\n'


def settings(gossip: Gossip, folder: Path) -> dict[str, str]:
    """Every setting that may hold a secret holds the mark, in the shape that it must have."""
    url = f"http://127.0.0.1:{gossip.port}"
    (folder / "rota.toml").write_text(f"[roles]\n{ROTA}{PEOPLE}")
    (folder / "webhooks.toml").write_text(f'[pagerduty]\nhmac = {{ secret = "{MARK}" }}\n[generic]\nbearer = "{MARK}"\n')
    return (
        variables(gossip)
        | {f"TOCSIN_{name}": value for name, value in CHOSEN.items()}
        | {
            "TOCSIN_ROTA": str(folder / "rota.toml"),
            "TOCSIN_WEBHOOKS": str(folder / "webhooks.toml"),
            "TOCSIN_LOG_LEVEL": "debug",
            "TOCSIN_PROMETHEUS_URL": url,
            "TOCSIN_ALERTMANAGER_URL": url,
            "TOCSIN_MONITORING_TOKEN": MARK,
            "TOCSIN_WEBHOOK_TOKEN": MARK,
            "TOCSIN_LINK_SECRET": MARK,
            "TOCSIN_PROXY_SECRET": MARK,
            "TOCSIN_OIDC_CLIENT_SECRET": MARK,
            "TOCSIN_SLACK_SIGNING_SECRET": MARK,
            "TOCSIN_PAGERDUTY_API_URL": url,
            "TOCSIN_PAGERDUTY_API_TOKEN": MARK,
            "TOCSIN_CHAT_WEBHOOK_STAKEHOLDERS_URL": f"{url}/hooks/{MARK}",
            "TOCSIN_AGENT_URL": url,
            "TOCSIN_AGENT_KEY": MARK,
            "TOCSIN_AGENT_MODEL": "a-model",
            "TOCSIN_S3_ACCESS_KEY": MARK,
        }
    )


def secret_variables() -> set[str]:
    """The variables of all settings that hold a secret, by their types."""
    own = {f"TOCSIN_{name.upper()}" for name, field in Settings.model_fields.items() if field.annotation in (SecretStr, SecretStr | None)}
    return own | {group.variable(name) for group in VENDORS for name in group.model_fields if group.is_secret(name)}


class Night:
    """A house, and all that it says and writes."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.http = httpx2.AsyncClient(base_url=house.url, timeout=60, trust_env=False)
        self.said: dict[str, str] = {}

    async def does(self, incident: str, verb: str, **fields: Any) -> None:
        answer = await self.http.post(f"/api/v1/incidents/{incident}/{verb}", json={"by": "ana", **fields})
        self.said[verb] = answer.text
        assert answer.status_code in (200, 409), answer.text

    async def reads(self, path: str, **headers: str) -> httpx2.Response:
        answer = await self.http.get(path, headers=headers)
        self.said[path] = f"{answer.headers} {answer.text}"
        return answer

    async def state(self, incident: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.get(f"/api/v1/incidents/{incident}")).json()
        return found

    async def histories(self) -> AsyncIterator[tuple[str, str]]:
        """Every event of every workflow; also the failures of activities that are tried again."""
        client = await Client.connect(f"127.0.0.1:{self.house.temporal}")
        async for each in client.list_workflows():
            handle = client.get_workflow_handle(each.id, run_id=each.run_id)
            history = await handle.fetch_history()
            yield f"history of {each.id}", "\n".join(map(str, history.events))
            yield f"{each.id} as it stands", str((await handle.describe()).raw_description)

    def command_lines(self) -> dict[str, str]:
        """What everybody on the machine reads of the processes."""
        pids: dict[str, int] = json.loads((self.house.folder / "run.json").read_text())["pids"]
        lines = {name: Path(f"/proc/{pid}/cmdline") for name, pid in pids.items()}
        return {f"command line of {name}": path.read_bytes().decode("latin-1") for name, path in lines.items() if path.exists()}

    def left_behind(self) -> dict[str, str]:
        """What a house that has stopped has printed, and every file that it has written, databases and logs too."""
        process = self.house.process
        assert process is not None
        assert process.stdout is not None
        printed = {"what tocsin up says": process.stdout.read().decode("utf-8", "replace")}
        files = (path for path in self.house.folder.rglob("*") if path.is_file())
        return printed | {str(path.relative_to(self.house.folder)): path.read_bytes().decode("latin-1") for path in files}


@pytest.fixture
async def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Night]:
    async with Gossip.telling() as gossip:
        given = settings(gossip, tmp_path)
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        house = House(tmp_path / "house")
        await asyncio.to_thread(house.start)
        try:
            yield Night(house)
        finally:
            await asyncio.to_thread(house.stop)
            assert gossip.asked > 20, "the vendors were hardly asked, so nothing is proven"


def _found(where: str, text: str) -> Iterator[str]:
    for trace in traces():
        if trace in text:
            at = text.find(trace)
            yield f"{where}: {text[max(0, at - 100) : at + len(trace) + 20]!r}"


async def test_no_secret_is_in_the_record_the_logs_the_doctors_word_or_any_page(night: Night) -> None:
    """What was set is used, and shown by nothing: histories, files, logs, answers, pages of error, the command lines of processes."""
    assert set() == {name for name in secret_variables() if MARK not in os.environ.get(name, "")}, "put the mark into these as well"

    opened = await night.http.post(
        "/api/v1/incidents",
        json={"by": "ana", "title": "Checkout returns 5xx", "services": ["checkout"], "severity": "SEV1", "customer_facing": True},
    )
    incident = str(opened.json()["incident"])
    due = (datetime.now(UTC) + timedelta(days=14)).date().isoformat()
    await night.does(incident, "acknowledge")
    await night.does(incident, "post_update", audience="external", text="We are on it.", status="investigating")
    await night.does(incident, "advance", reason="service first")
    await night.does(incident, "dispatch", request="What broke?")
    await night.does(incident, "hypothesize", text="v248")
    await night.does(incident, "mitigate", **PLAN)
    await night.does(incident, "add_action_item", item="Limit the retries", owner="eva", due=due)

    async def met() -> bool:
        kinds = {entry["kind"] for entry in (await night.http.get(f"/api/v1/incidents/{incident}/timeline")).json()["timeline"]}
        return "undeliverable" in kinds

    await eventually(met, within=60, every=0.2, what="a vendor's no is on record")
    await night.reads("/api/v1/doctor")
    for path in ("", "/timeline", "/deliveries", "/postmortem"):
        await night.reads(f"/api/v1/incidents/{incident}{path}")
    for path in ("/", f"/incidents/{incident}", f"/incidents/{incident}/audit", f"/incidents/{incident}/postmortem", "/status", "/metrics"):
        await night.reads(path, Accept="text/html")
    for path in ("/nowhere", "/incidents/INC-2020-9999", "/api/v1/incidents/INC-2020-9999", "/api/v1/embedded/nothing", "/openapi.json"):
        await night.reads(path)
    for path, body in (("/webhooks/generic", b"{"), ("/webhooks/slack/commands", b"x"), ("/webhooks/pagerduty", b"{}")):
        night.said[path] = (await night.http.post(path, content=body)).text
    night.said |= {where: text async for where, text in night.histories()}
    night.said |= night.command_lines()
    await asyncio.to_thread(night.house.stop)
    night.said |= night.left_behind()

    assert "401" in night.said["/api/v1/doctor"], "the doctor met no vendor"
    assert [] == [leak for where, text in night.said.items() for leak in _found(where, text)]
