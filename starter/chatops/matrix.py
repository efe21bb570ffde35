"""Matrix's door: `!tocsin …` in any room where our account is, and 👀 or ✅ on a message that asks for an acknowledgement.

There is no request to answer: the door listens, from the place that it has kept, and keeps the next one only once everything before
it is dealt with. So what is said is heard at least once, also over a restart in the middle; and since each command is asked
under the event's own id, it is carried out once. Its answer goes out under that id as well.

The answer is for the one who asked alone, in their direct room; in the room where they asked stands no more than a mark: ✅ for
what was done, ✉️ for all else. So a refusal is read by nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx2
import structlog
from pydantic import SecretStr

from integrations.chat.matrix_inbound import Invited, MatrixInbound, PositionLost, Said
from integrations.chat.positions import Positions
from integrations.deliveries import defused
from integrations.errors import IntegrationError, Refused, Unavailable
from starter.chatops.people import Known, People
from starter.chatops.talk import Talk, as_somebody, worded
from starter.chatops.words import INCIDENT
from starter.desk import Desk
from starter.health import Finding
from starter.identity.arrangement import Arrangement
from starter.identity.store import Store
from starter.problems import NotPermitted

log = structlog.get_logger("tocsin.chat")

WORD = "!tocsin"
ACKNOWLEDGES = frozenset({"👀", "✅"})
ASKS = "tocsin ack "
"""What a message says that asks for an acknowledgement, before the incident's id."""

DONE, LOOK = "✅", "✉️"

LATE = timedelta(minutes=15)
"""What was said longer ago while nobody listened is not carried out any more: by now it may be the wrong thing to do."""

PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(seconds=60)
"""Between two tries where the homeserver is not there; doubled each time."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class MatrixDoor:
    """How Matrix comes in: the account's homeserver and token, and who is who, by their accounts."""

    url: str
    token: SecretStr
    people: Mapping[str, Known] = field(default_factory=dict)
    transport: httpx2.AsyncBaseTransport | None = None
    now: Callable[[], datetime] = _now


class MatrixDesk:
    """What is said on Matrix becomes a command."""

    def __init__(self, desk: Desk, door: MatrixDoor, arrangement: Arrangement, store: Store | None, positions: Positions) -> None:
        self._talk = Talk(desk)
        self._sees_all = arrangement.mode == "dev"
        self._people = People(door.people, arrangement, store, "TOCSIN_MATRIX_PEOPLE")
        self._matrix = MatrixInbound(door.url, token=door.token, since_at_most=LATE, transport=door.transport)
        self._positions = positions
        self._now = door.now
        self._problem = "it has not answered yet"

    async def listen(self) -> None:
        """Listen until cancelled. What goes wrong is told in the log and by the doctor, and tried again."""
        pause = PAUSE
        try:
            while True:
                try:
                    await self.turn()
                except IntegrationError as error:
                    if self._problem != str(error):
                        log.warning("Matrix can't be listened to; trying again", error=str(error))
                    self._problem = str(error)
                    told = error.retry_after if isinstance(error, Unavailable) else None
                    await asyncio.sleep(max(pause, told or PAUSE).total_seconds())
                    pause = min(pause * 2, LONGEST_PAUSE)
                except Exception as error:
                    # An answer of no shape that we know, or a mistake of ours: neither may end the listening for good.
                    log.exception("Matrix could not be listened to; trying again")
                    self._problem = f"{type(error).__name__} while listening; the log of this door has the rest"
                    await asyncio.sleep(LONGEST_PAUSE.total_seconds())
                else:
                    self._problem, pause = "", PAUSE
        finally:
            await self._matrix.close()

    async def turn(self) -> None:
        """Hear once, deal with all of it, and keep the place.

        Raises:
            IntegrationError: it is to be heard again, from the same place.
        """
        stream = f"matrix {await self._matrix.whoami()}"
        since = await self._positions.of(stream)
        try:
            heard = await self._matrix.listen(since, self._now())
        except PositionLost as error:
            log.warning("what was said on Matrix meanwhile can't be heard any more; listening from now on", error=str(error))
            await self._positions.keep(stream, None)
            return
        for invited in heard.invited:
            await self._asked_in(invited)
        # Room by room at the same time, in its order within each: a slow answer in one holds up no other.
        dealt = await asyncio.gather(*(self._room(said) for said in heard.said.values()), return_exceptions=True)
        for failure in dealt:
            if isinstance(failure, BaseException):
                raise failure
        if heard.next != since:
            await self._positions.keep(stream, heard.next)

    async def _room(self, all_said: Sequence[Said]) -> None:
        for said in all_said:
            try:
                await (self._typed(said) if said.about is None else self._reacted(said))
            except Unavailable:
                raise
            except Refused as error:
                log.warning("an answer could not be told on Matrix", event_id=said.event, error=str(error))
            except Exception:
                # Heard again it would fail again, and nothing after it would ever be heard.
                log.exception("something that was said on Matrix could not be dealt with", event_id=said.event)
                await self._own_up(said)

    async def _own_up(self, said: Said) -> None:
        """Whoever asked must not take silence for done."""
        text = (
            f"Something went wrong at Tocsin's end. See in the incident whether this was done, and type it again if not: {said.text[:200]}"
        )
        try:
            await self._answer(said, text, done=False)
        except Refused as error:
            log.warning("an answer could not be told on Matrix", event_id=said.event, error=str(error))

    async def _typed(self, said: Said) -> None:
        word, _, line = said.text.replace("\n", " ").partition(" ")
        if word.lower() != WORD:
            return
        if self._now() - said.at > LATE:
            minutes = round((self._now() - said.at).total_seconds() / 60)
            text = f"Tocsin reads this {minutes} minutes late and carries nothing out so late. Type it again if it holds: {said.text[:200]}"
            return await self._answer(said, text, done=False)
        try:
            actor = await self._people.actor(said.sender)
        except NotPermitted as problem:
            return await self._turn_away(said, worded(problem))
        with as_somebody(actor, sees_all=self._sees_all):
            told = await self._talk.typed(line, await self._matrix.names(said.room), actor, f"matrix:{said.event}"[:200])
        await self._answer(said, told.text, done=told.done)

    async def _reacted(self, said: Said) -> None:
        """A reaction on a message of ours that asks for it is an acknowledgement; any other says nothing to us."""
        if said.text.replace("\ufe0f", "") not in ACKNOWLEDGES or self._now() - said.at > LATE:
            return
        text, incident = await self._matrix.our_words(said.room, said.about or "")
        # By the message's own key, and not by what a title in it says: that may name any incident.
        if not INCIDENT.fullmatch(incident) or f"{ASKS}{incident}" not in text:
            return
        try:
            actor = await self._people.actor(said.sender)
        except NotPermitted as problem:
            return await self._turn_away(said, worded(problem))
        with as_somebody(actor, sees_all=self._sees_all):
            told = await self._talk.typed(f"acknowledge {incident}", (), actor, f"matrix:{said.event}"[:200])
        await self._matrix.tell(said.sender, defused(told.text), f"answer.{said.event}", quiet=told.done)

    async def _answer(self, said: Said, text: str, *, done: bool) -> None:
        """Tell the one who asked; the mark comes last, so that it is true."""
        await self._matrix.tell(said.sender, defused(text), f"answer.{said.event}", quiet=done)
        await self._matrix.mark(said.room, said.event, DONE if done else LOOK)

    async def _turn_away(self, said: Said, text: str) -> None:
        """Somebody whom nobody knows is told so where their account is one of our homeserver's; strangers are not written to."""
        if said.sender.partition(":")[2] == (await self._matrix.whoami()).partition(":")[2]:
            await self._matrix.tell(said.sender, text, f"answer.{said.event}", quiet=False)
        log.warning("somebody unknown asks on Matrix", sender=said.sender[:100])

    async def _asked_in(self, invited: Invited) -> None:
        """Follow those whom we know, and nobody else."""
        try:
            await self._people.actor(invited.by)
        except NotPermitted:
            log.info("somebody unknown asks us into a room on Matrix", sender=invited.by[:100])
            return
        try:
            if not (invited.direct and invited.encrypted):
                return await self._matrix.join(invited)
            await self._matrix.decline(invited)
            text = "Tocsin can't read encrypted rooms. Write here instead, like: !tocsin help"
            await self._matrix.tell(invited.by, text, f"declined.{invited.room}", quiet=False)
        except Refused as error:
            log.warning("an invitation on Matrix could not be followed", room=invited.room, error=str(error))

    async def look(self) -> Finding:
        """How listening goes, for the doctor."""
        if not self._problem:
            return Finding(name="matrix commands", ok=True, detail=f"listening as {await self._matrix.whoami()}")
        fix = "Check TOCSIN_MATRIX_URL and TOCSIN_MATRIX_TOKEN at this door; until it answers, nobody can command from Matrix."
        return Finding(name="matrix commands", ok=False, detail=self._problem, fix=fix)
