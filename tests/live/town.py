"""A small town of real servers around one real Tocsin, and what each of them says it was told.

Synapse, Roundup and aiosmtpd are processes on fixed ports, so that each can be frozen, killed and started again. Before the first
two stands a line that can lose an answer. They are asked what they hold with calls of their own, past our adapters and the lines.
"""

from __future__ import annotations

import asyncio
import email
import importlib.util
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.integrations import roundup_server, synapse_server
from tests.integrations.fault_proxy import FaultProxy, to_server
from tests.integrations.roundup_server import MOUNT, PASSWORD, USER, Roundup
from tests.integrations.synapse_server import Homeserver
from tests.live.programs import Program, answers
from tests.server.house import free_ports

PEOPLE = {
    "primary on-call": "ana",
    "senior on-call": "ben",
    "engineering lead": "eva",
    "VP engineering": "vic",
    "CTO": "cleo",
    "CEO": "zoe",
    "manager": "max",
}
SENDER = "tocsin@town.test"
GENERAL, STAKEHOLDERS = "#incidents", "#incident-stakeholders"


class Town:
    """`chat`, `tracker` and `mail` are the programs; `settings` is what a user would set to use them, by their lines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._chat_port, self._tracker_port, self._mail_port = free_ports(3)
        self._mailbox = folder / "mailbox"
        self._homeserver = Homeserver(f"http://127.0.0.1:{self._chat_port}")
        self._roundup = Roundup(f"http://127.0.0.1:{self._tracker_port}{MOUNT}")
        self._bot = self._owner = synapse_server.Account("", "")
        self._lines = AsyncExitStack()
        self.chat_line: FaultProxy
        self.tracker_line: FaultProxy
        self.chat: Program
        self.tracker: Program
        self.mail: Program

    async def build(self) -> None:
        """Make the servers and start them, all at once; skips the test where one is not installed."""
        for package in ("synapse", "roundup", "aiosmtpd"):
            if importlib.util.find_spec(package) is None:
                pytest.skip(f"the package {package} is not installed; no incident is led over a real chat, tracker and mail server")
        self.folder.mkdir(parents=True)
        command: tuple[str, ...] = (sys.executable, "-m", "aiosmtpd", "-n", "-l", f"127.0.0.1:{self._mail_port}")
        command += ("-c", "aiosmtpd.handlers.Mailbox", str(self._mailbox))
        self.mail = Program("aiosmtpd", command, self.folder, self._greets)
        await asyncio.gather(self.mail.start(), self._build_chat(), self._build_tracker())
        self.chat_line = await self._line(self._homeserver.url)
        self.tracker_line = await self._line(self._roundup.url.removesuffix(MOUNT))

    async def _line(self, url: str) -> FaultProxy:
        upstream = await self._lines.enter_async_context(to_server(url))
        return await self._lines.enter_async_context(FaultProxy.before(upstream))

    async def _build_chat(self) -> None:
        folder = self.folder / "synapse"
        folder.mkdir()
        command = synapse_server.make(folder, self._chat_port)
        self.chat = Program("synapse", command, self.folder, answers(f"{self._homeserver.url}/health"), cwd=folder)
        await self.chat.start()
        self._owner = await self._homeserver.account("ana")
        self._bot = await self._homeserver.account("tocsin")
        for name in (GENERAL, STAKEHOLDERS):
            room = {"room_alias_name": name.removeprefix("#"), "preset": "public_chat"}
            await self._homeserver.call(self._owner, "POST", "/createRoom", room)

    async def _build_tracker(self) -> None:
        home = await roundup_server.make(self.folder)
        command = (sys.executable, "-m", "tests.integrations.roundup_server", str(home), str(self._tracker_port))
        # The library's own start page answers without a login.
        self.tracker = Program("roundup", command, self.folder, answers(f"{self._roundup.url}/"), cwd=Path.cwd())
        await self.tracker.start()

    async def _greets(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._mail_port)
        except OSError:
            return False
        greeting = await asyncio.wait_for(reader.readline(), 2)
        writer.close()
        return greeting.startswith(b"220")

    async def stop(self) -> None:
        await self._homeserver.close()
        await self._lines.aclose()
        for name in ("chat", "tracker", "mail"):
            if hasattr(self, name):
                getattr(self, name).kill()

    def settings(self) -> Mapping[str, str]:
        """The variables of the worker and the door; secrets are in files."""
        token, password, rota = self.folder / "matrix-token", self.folder / "roundup-password", self.folder / "rota.toml"
        token.write_text(f"{self._bot.token}\n")
        password.write_text(f"{PASSWORD}\n")
        roles = "\n".join(f'"{role}" = "{person}"' for role, person in PEOPLE.items())
        addresses = "\n".join(f'[people.{person}]\nemail = "{person}@town.test"' for person in PEOPLE.values())
        rota.write_text(f"[roles]\n{roles}\n{addresses}\n")
        return {
            "TOCSIN_ROTA": str(rota),
            "TOCSIN_CHAT": "matrix",
            "TOCSIN_MATRIX_URL": self.chat_line.url,
            "TOCSIN_MATRIX_TOKEN_FILE": str(token),
            "TOCSIN_MATRIX_PEOPLE": f"ana={self._owner.id}",
            "TOCSIN_TICKETS": "roundup",
            "TOCSIN_ROUNDUP_URL": f"{self.tracker_line.url}{MOUNT}",
            "TOCSIN_ROUNDUP_USER": USER,
            "TOCSIN_ROUNDUP_PASSWORD_FILE": str(password),
            "TOCSIN_PAGING": "email",
            "TOCSIN_CALENDAR": "email",
            "TOCSIN_MAIL_HOST": "127.0.0.1",
            "TOCSIN_MAIL_PORT": str(self._mail_port),
            "TOCSIN_MAIL_SECURITY": "none",
            "TOCSIN_MAIL_SENDER": SENDER,
        }

    async def messages(self) -> list[dict[str, Any]]:
        """Every message in every room that our account is in, as the homeserver has it, with its `room`."""
        found: list[dict[str, Any]] = []
        for room in (await self._homeserver.call(self._bot, "GET", "/joined_rooms"))["joined_rooms"]:
            page: dict[str, Any] = {"dir": "f", "limit": 100}
            while True:
                answer = await self._homeserver.call(self._bot, "GET", f"/rooms/{quote(room)}/messages", **page)
                found += [{**event["content"], "room": room} for event in answer["chunk"] if event["type"] == "m.room.message"]
                if "end" not in answer:
                    break
                page["from"] = answer["end"]
        return found

    async def rooms(self) -> list[str]:
        """The key that opened each room of an incident."""
        found: list[str] = []
        for room in (await self._homeserver.call(self._bot, "GET", "/joined_rooms"))["joined_rooms"]:
            events = await self._homeserver.call(self._bot, "GET", f"/rooms/{quote(room)}/state")
            found += [event["content"]["key"] for event in events if event["type"] == "io.tocsin.incident"]
        return found

    async def tickets(self) -> list[dict[str, Any]]:
        """Every ticket, with its status and the texts that hang on it."""
        tracker = self._roundup.adapter().http
        params: dict[str, str | int] = {"@fields": "external_key,title,status,messages", "@verbose": 2}
        issues: list[dict[str, Any]] = (await tracker.call("GET", "/data/issue", params=params)).data["data"]["collection"]
        for issue in issues:
            texts = [(await tracker.call("GET", f"/data/msg/{each['id']}")).data["data"]["attributes"] for each in issue["messages"]]
            issue["texts"] = [text["content"]["link"] if isinstance(text["content"], dict) else text["content"] for text in texts]
        await tracker.close()
        return issues

    def mails(self) -> Counter[str]:
        """How often each mail lies in the mailbox, by its Message-ID."""
        found = [email.message_from_bytes(path.read_bytes()) for path in (self._mailbox / "new").iterdir()]
        return Counter(str(message["Message-ID"]) for message in found)
