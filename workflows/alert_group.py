"""One group of alerts, while any of them fires and a while longer: opens an incident or joins one, and forwards.

What the rules make of an alert comes along with it. What is not production becomes a ticket; what is only to be noted
is noted in the general channel; planned work holds alerts back until it ends. Monitoring delivers at least once and
out of order, so every step here has a key of its own, or is harmless to repeat.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from incident import alerts, carrying, flapping, messages, parcels
    from incident.alerts import AlertInput
    from incident.effects import Delivery, OpenTicket, Port, Post, Receipt
    from incident.registration import Registered, Registration
    from incident.routing import Action, Flapping, Planned, PlannedWork, Window
    from workflows import contract, options, patches
    from workflows.steadfast import steadfast, wait


ELSEWHERE: dict[Action, str] = {"ticket": "by the rules a ticket", "note": "by the rules a note", "drop": "by the rules left out"}


@workflow.defn(name="AlertGroup")
class AlertGroup:
    """Alerts of one group on their way to one incident."""

    @workflow.init
    def __init__(self, start: contract.AlertGroupInput) -> None:
        self.group = start.group
        self.general_channel = start.general_channel
        self.incident = start.incident
        self.firing = dict(start.firing)
        self.ticketed = start.ticketed
        self.noted = start.noted
        self.tracks = dict(start.tracks)
        self.latest = dict(start.latest)
        self.held = dict(start.held)
        self.joined = start.joined
        self.known = start.known
        self.taken = start.taken
        self.asides: set[asyncio.Task[None]] = set()
        self.asked = 0
        self.inbox: list[AlertInput] = []
        self.returned: list[AlertInput] = []
        self.unreadable = list(start.unreadable)
        self.elsewhere = list(start.elsewhere)

    @workflow.run
    async def run(self, start: contract.AlertGroupInput) -> str | None:
        """Take alerts until none fires and none is remembered; answers with the incident that they went to, if any."""
        return await steadfast(self._gather())

    async def _gather(self) -> str | None:
        while True:
            await self._wait()
            while self.inbox or self.returned:
                batch, self.inbox = self.inbox, []
                back, self.returned = self.returned, []
                await self._take(batch, back)
                self.taken += len(batch)
            await self._release(self._due(self.held))
            await self._settle()
            if self.inbox or self.returned or self.asides:
                continue
            if not self.firing and not self.held and not self.tracks:
                return self.incident
            if self._long_enough():
                workflow.continue_as_new(self._carried())

    async def _wait(self) -> None:
        """Until something arrives, or the earliest end of planned work or of a silence that says it is over.

        What is told aside goes on meanwhile; the run ends only after it.
        """
        wake = self._next_wake()
        timeout = None if wake is None else max(timedelta(0), wake - workflow.now())
        aside = bool(self.asides)

        def disturbed() -> bool:
            if self.inbox or self.returned or (aside and not self.asides):
                return True
            return not self.asides and self._long_enough()

        try:
            await wait(disturbed, timeout=timeout, timeout_summary="the next look")
        except TimeoutError:
            return

    def _next_wake(self) -> datetime | None:
        moments = [held.until for held in self.held.values()]
        for track in self.tracks.values():
            if track.flapping or not track.firing:
                moments.append(track.changed_at + self._rule.within)
        return min(moments, default=None)

    def _carried(self) -> contract.AlertGroupInput:
        """All that the next run needs: of an alert that flaps its newest word and change, of one that does not, no word."""
        latest = {name: alert for name, alert in self.latest.items() if name in self.tracks and self.tracks[name].flapping}
        held = carrying.waiting({name: held.alert for name, held in self.held.items()}, options.ALERTS_BYTES_CARRIED // 2)
        return contract.AlertGroupInput(
            group=self.group,
            general_channel=self.general_channel,
            incident=self.incident,
            firing=self.firing,
            ticketed=self.ticketed,
            noted=self.noted,
            tracks={name: flapping.brief(track) for name, track in self.tracks.items()},
            latest=carrying.waiting(latest, options.ALERTS_BYTES_CARRIED // 2),
            held={name: kept.model_copy(update={"alert": held[name]}) for name, kept in self.held.items()},
            joined=self.joined,
            known=self.known,
            taken=self.taken,
            unreadable=tuple(self.unreadable),
            elsewhere=tuple(self.elsewhere),
        )

    def _long_enough(self) -> bool:
        info = workflow.info()
        return info.get_current_history_length() >= options.ALERT_GROUP_HISTORY_LIMIT or info.is_continue_as_new_suggested()

    @workflow.signal(dynamic=True)
    def told(self, name: str, args: Sequence[RawValue]) -> None:
        """Take what monitoring posted; what can't be read is kept aside, and the rest goes on."""
        for arg in args:
            try:
                payload: Any = workflow.payload_converter().from_payload(arg.payload, Any)
            except Exception as error:  # noqa: BLE001  whatever a converter makes of foreign bytes, it is the sender's mistake
                self._set_aside(f"signal {name[:60]!r} is not JSON ({type(error).__name__})")
                continue
            raw = payload.get("alerts", payload) if isinstance(payload, dict) else payload
            good, bad = alerts.parse(alerts.with_routes(raw, payload))
            if isinstance(payload, dict) and payload.get(contract.RETURNED_BY):
                self.returned += [alert.model_copy(update={"routed": self.known}) for alert in good]
                self.incident = None if self.incident == payload[contract.RETURNED_BY] else self.incident
            else:
                self.inbox += good
            refused = payload.get("invalid") if isinstance(payload, dict) else None
            for problem in [*bad, *(refused if isinstance(refused, list) else [])]:
                self._set_aside(str(problem))

    def _set_aside(self, problem: str) -> None:
        self.unreadable = [*self.unreadable, problem[:500]][-options.ASIDE_KEPT :]
        workflow.logger.warning("an alert could not be read", extra={"problem": problem[:500]})

    def _went_elsewhere(self, batch: Sequence[AlertInput], why: str) -> None:
        """Say why alerts went to no incident: whoever looks for one finds the reason here."""
        said = [f"{alert.name} ({alert.identity}), {alert.status} since {alert.starts_at.isoformat()}: {why}" for alert in batch]
        self.elsewhere = [*self.elsewhere, *said][-options.ASIDE_KEPT :]

    @workflow.query(name="state")
    def state(self) -> dict[str, Any]:
        """`firing` is by monitoring's own clock; `elsewhere` says what went to no incident, and why."""
        firing = {name: at for name, at in self.firing.items() if name not in self.tracks}
        firing |= {name: track.starts_at for name, track in self.tracks.items() if track.firing}
        return {
            "group": self.group,
            "incident": self.incident,
            "firing": {fingerprint: at.isoformat() for fingerprint, at in firing.items()},
            "held": {fingerprint: held.until.isoformat() for fingerprint, held in self.held.items()},
            "flapping": {fingerprint: track.count for fingerprint, track in self.tracks.items() if track.flapping},
            "taken": self.taken,
            "unreadable": self.unreadable,
            "elsewhere": self.elsewhere,
        }

    # ------------------------------------------------------------------ sorting

    async def _take(self, batch: list[AlertInput], back: list[AlertInput]) -> None:
        """Sort one batch by where it goes. More alerts may arrive meanwhile; they wait in the inbox."""
        now = workflow.now()
        fresh = [noted for alert in batch if (noted := self._note(self._believed(alert, now), now)) is not None]
        by_action: dict[Action, list[AlertInput]] = {}
        for alert in fresh:
            by_action.setdefault(alerts.action_of(alert), []).append(alert)
        to_incident = await self._held_back(self._damped(by_action.get("incident", [])))
        if to_incident or back:
            await self._forward([*back, *to_incident])
        for action, why in ELSEWHERE.items():
            self._went_elsewhere(by_action.get(action, []), why)
        tickets = [alert for alert in by_action.get("ticket", []) if alert.status == "firing"]
        if tickets and not self.ticketed:
            self.ticketed = True
            await self._file_ticket(tickets)
        notes = [alert for alert in by_action.get("note", []) if alert.status == "firing"]
        if notes and not self.noted:
            self.noted = True
            text = messages.noted if notes[0].routed is not None else messages.maintenance_note
            await self._tell_everybody(notes, text(self.group, notes))

    def _believed(self, alert: AlertInput, now: datetime) -> AlertInput:
        """The door says which beginnings lie ahead; what comes by another way, or came from an earlier door, is looked at here."""
        believed = alerts.believed(alert, now)
        return believed if believed is not alert and workflow.patched(patches.CLOCKS_AHEAD) else alert

    def _note(self, alert: AlertInput, now: datetime) -> AlertInput | None:
        """Keep what is known of the alert, and answer with it as it goes on; None where it is no news."""
        name = alert.identity
        track = self._heard(alert, now)
        if track is None:
            if not self.tracks[name].firing:
                self.firing.pop(name, None)
            return None
        if (alert.starts_at, alert.said_at) != (track.starts_at, track.said_at):
            alert = alert.model_copy(update={"starts_at": track.starts_at, "said_at": track.said_at})
        self.known = alert.routed or self.known
        if name in self.tracks or len(self.tracks) < options.TRACKS_KEPT:
            self.tracks[name] = track
        if len(track.changes) > 1:
            self.latest[name] = alerts.compact(alert)
        return alert

    def _heard(self, alert: AlertInput, now: datetime) -> flapping.Track | None:
        before, after = (
            flapping.heard(
                self.tracks.get(alert.identity),
                firing=alert.status == "firing",
                starts_at=alert.starts_at,
                now=now,
                rule=alerts.flapping_rule(alert),
                said_at=alert.said_at,
                in_their_order=in_order,
            )
            for in_order in (False, True)
        )
        return after if after == before or workflow.patched(patches.AHEAD_IN_ORDER) else before

    @property
    def _rule(self) -> Flapping:
        return self.known.flapping if self.known is not None else Flapping()

    def _damped(self, fresh: list[AlertInput]) -> list[AlertInput]:
        """Without the changes of alerts that flap, but for the first word of it: that says so, and counts as firing."""
        passed = []
        for alert in fresh:
            track = self.tracks.get(alert.identity)
            if track is None or not track.flapping:
                passed.append(alert)
            elif track.flapping_since == track.changed_at:
                passed.append(alert.model_copy(update={"status": "firing", "ends_at": None, "flapping": track.count}))
        return passed

    async def _settle(self) -> None:
        """Say of alerts that flap no more how they stand, and forget what has been silent for long enough."""
        now = workflow.now()
        over = [name for name, track in self.tracks.items() if flapping.still(track, now, self._rule)]
        calm = [self.latest[name] for name in over if self.tracks[name].flapping and alerts.action_of(self.latest[name]) == "incident"]
        for name in over:
            if self.tracks[name].flapping:
                self.tracks[name] = flapping.calmed(self.tracks[name])
            self.latest.pop(name, None)
        if calm and workflow.patched(patches.CALM_IS_HELD):
            calm = await self._held_back(calm)
        for name in over:
            if self._has_ended(name):
                self._let_go(name)
                del self.tracks[name]
        if calm:
            await self._forward(calm)

    # ------------------------------------------------------------------ planned work

    async def _held_back(self, batch: list[AlertInput]) -> list[AlertInput]:
        """Hold back what planned work explains; answers with the rest. What ends meanwhile is held no longer."""
        passed: list[AlertInput] = []
        kept: dict[str, tuple[Window, list[AlertInput]]] = {}
        asked: dict[tuple[str, str], Window | None] = {}
        for alert in batch:
            if alert.status == "resolved":
                held = self.held.pop(alert.identity, None)
                # Before the work it may have been told to fire: only its end takes that back.
                if held is None or (self.incident is not None and workflow.patched(patches.CALM_IS_HELD)):
                    passed.append(alert)
                continue
            window = await self._window(alert, asked)
            if window is None:
                passed.append(alert)
                continue
            self.held[alert.identity] = contract.HeldAlert(alert=alerts.compact(alert), until=window.until, work=window.name)
            kept.setdefault(window.name, (window, []))[1].append(alert)
        for window, each in kept.values():
            text = messages.held_note(self.group, each, window.name, window.until)
            await self._tell_everybody(each, text, f":{window.until.isoformat()}")
        return passed

    async def _window(self, alert: AlertInput, asked: dict[tuple[str, str], Window | None]) -> Window | None:
        routed = alert.routed
        if routed is None or (routed.planned is None and not routed.calendars):
            return None
        if routed.planned is not None and routed.planned.until > workflow.now():
            return routed.planned
        about = (routed.service, routed.environment)
        if about not in asked:
            asked[about] = await self._planned_work(*about)
        return asked[about]

    async def _planned_work(self, service: str, environment: str) -> Window | None:
        """The planned work that is going on; None where there is none, or nobody can say: then the alert goes on."""
        request = PlannedWork(service=service, environment=environment, at=workflow.now())
        try:
            found: Planned = await workflow.execute_activity(
                contract.FIND_MAINTENANCE,
                request,
                result_type=Planned,
                start_to_close_timeout=options.TEN_SECONDS,
                schedule_to_close_timeout=options.PLANNED_WORK_WITHIN,
                retry_policy=options.RETRY,
            )
        except ActivityError as error:
            workflow.logger.warning("planned work can't be looked up; the alert goes on", extra={"cause": str(error.cause)})
            return None
        return found.window if found.window is not None and found.window.until > workflow.now() else None

    def _due(self, held: dict[str, contract.HeldAlert]) -> list[str]:
        return [name for name, each in held.items() if each.until <= workflow.now()]

    def _has_ended(self, name: str) -> bool:
        """Whether the alert is silent, and flaps no more: it is known to have ended, whichever way its last word went."""
        track = self.tracks.get(name)
        if track is None or track.firing:
            return False
        return not track.flapping or flapping.still(track, workflow.now(), self._rule)

    def _let_go(self, name: str) -> bool:
        """Hold back no longer what has ended: at the end of the work it would be told to fire still."""
        if name not in self.held or not workflow.patched(patches.CALM_IS_HELD):
            return False
        del self.held[name]
        return True

    async def _release(self, names: list[str]) -> None:
        """Planned work should be over: what still fires goes on, unless the work was prolonged."""
        asked: dict[tuple[str, str], Window | None] = {}
        free: list[AlertInput] = []
        for name in names:
            if self._has_ended(name) and self._let_go(name):
                continue
            routed = self.held[name].alert.routed
            about = (routed.service, routed.environment) if routed is not None else ("", "")
            if about not in asked:
                asked[about] = await self._planned_work(*about)
            window = asked[about]
            held = self.held.get(name)
            if held is None:
                continue
            if window is not None:
                self.held[name] = contract.HeldAlert(alert=held.alert, until=window.until, work=window.name)
                continue
            del self.held[name]
            free.append(alerts.after_planned_work(held.alert, held.work))
        if free:
            await self._forward(free)

    # ------------------------------------------------------------------ to the incident

    async def _forward(self, batch: list[AlertInput]) -> None:
        """Hand the alerts to the group's incident; where that one is closed, to the one that the register names."""
        if await self._told_its_own(batch):
            return
        self.incident = None
        for part in self._parts(batch):
            if not await self._told_its_own(part):
                await self._placed(part)

    async def _told_its_own(self, batch: list[AlertInput]) -> bool:
        return self.incident is not None and await self._told_incident(self.incident, batch)

    def _parts(self, batch: list[AlertInput]) -> list[list[AlertInput]]:
        """The batch, in parts where it is more than an incident can be opened with: the others follow the first one there."""
        sizes = [len(alert.model_dump_json().encode()) for alert in batch]
        found = list(parcels.parts(batch, sizes, most_bytes=options.BYTES_A_REGISTRATION))
        return found if len(found) > 1 and workflow.patched(patches.FEW_SIGNALS) else [batch]

    async def _placed(self, batch: list[AlertInput]) -> None:
        """Hand the alerts to the incident that the register names; say where they went if there is none."""
        self.incident = None
        self.joined = False
        registered = await self._register(batch)
        if await self._handed_over(registered, batch):
            self.incident = registered.incident
        elif registered.open:
            # The register thinks that it is open and it has ended: by force, or at this very moment. It is told, and asked again.
            registered = await self._register(batch, gone=registered.incident)
            if await self._handed_over(registered, batch):
                self.incident = registered.incident
        if self.incident is None:
            known = f"{registered.incident} knew it, and is closed"
            self._went_elsewhere(batch, known if registered.incident is not None else "no incident is open that it could end")

    async def _handed_over(self, registered: Registered, batch: list[AlertInput]) -> bool:
        """Whether the registered incident has the alerts: it was opened with them, the register tells it, or it is told here."""
        if registered.incident is None or not registered.open:
            return False
        return self.joined or await self._told_incident(registered.incident, batch)

    async def _told_incident(self, incident: str, batch: list[AlertInput]) -> bool:
        """False where the incident takes no more. The first word of a group says all that its rules know."""
        handle = workflow.get_external_workflow_handle(incident)
        for wave in self._waves(alerts.forwarded(batch, self._id, joins=not self.joined)):
            heard = await asyncio.gather(*(handle.signal(contract.ALERT, part) for part in wave), return_exceptions=True)
            for outcome in heard:
                if isinstance(outcome, ApplicationError):
                    return False
                if outcome is not None:
                    raise outcome
        self.joined = True
        return True

    def _waves(self, wire: list[parcels.Wire]) -> Iterable[list[list[parcels.Wire]]]:
        before = options.ALERTS_A_SIGNAL_BEFORE
        few = list(parcels.waves(wire, options.ALERTS_A_SIGNAL, options.SIGNALS_IN_FLIGHT, options.BYTES_A_SIGNAL))
        if (len(wire) > before or len(few) > 1 or len(few[0]) > 1) and workflow.patched(patches.FEW_SIGNALS):
            return few
        several = len(wire) > before and workflow.patched(patches.ALERTS_IN_WAVES)
        return parcels.waves(wire, before, options.SIGNALS_IN_FLIGHT if several else 1)

    @property
    def _id(self) -> str:
        """What the incident calls this group: where alerts that it can't take come back to."""
        return workflow.info().workflow_id

    async def _register(self, batch: list[AlertInput], gone: str | None = None) -> Registered:
        """Open the group's incident, or find it. Tried until it works: an alert that is held here must not be lost."""
        firing = [alert for alert in batch if alert.status == "firing"]
        # Of several, the newest decides whether it is a new episode.
        episode = max(alert.starts_at for alert in firing or batch)
        request = Registration(
            key=self._key(episode),
            request=messages.opening_for(firing or batch),
            source="alert",
            group=self.group,
            episode_at=episode,
            alerts=alerts.marked(batch, self._id),
            routed=alerts.worst_routed(firing or batch),
            connect=True,
            existing_only=not firing,
            gone=gone,
        )
        registered: Registered = await workflow.execute_activity(
            "open_incident",
            request,
            result_type=Registered,
            start_to_close_timeout=options.TEN_SECONDS,
            retry_policy=options.PATIENT_RETRY,
        )
        self.joined = registered.new or registered.attached
        return registered

    def _key(self, episode: datetime) -> str:
        """One for every time that the register is asked: the same episode may be asked about again, after a merge or an end."""
        info = workflow.info()
        self.asked += 1
        return f"{info.workflow_id}@{episode.isoformat()} {info.run_id[:8]}-{self.asked}"

    # ------------------------------------------------------------------ aside

    async def _file_ticket(self, batch: list[AlertInput]) -> None:
        title, body = messages.not_production_ticket(self.group, batch)
        await self._aside(self._carry_out(Port.TICKETS, _earliest(batch), OpenTicket(ref="alert", title=title, body=body)))

    async def _tell_everybody(self, batch: list[AlertInput], text: str, about: str = "") -> None:
        await self._aside(self._carry_out(Port.CHAT, _earliest(batch), Post(room="general", text=text), about))

    async def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        """Beside the rest: a chat that is down must not keep an alert from its incident."""
        task = asyncio.create_task(self._said(work))
        self.asides.add(task)
        task.add_done_callback(self.asides.discard)

    async def _said(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except ActivityError as error:
            workflow.logger.error("what should have been told aside was refused", extra={"cause": str(error.cause)})

    async def _carry_out(self, port: Port, episode: datetime, ask: OpenTicket | Post, about: str = "") -> None:
        """Done under a key made of the group and its episode, so that the same alert posted again adds nothing."""
        id = workflow.info().workflow_id
        if isinstance(ask, Post):
            ask = ask.model_copy(update={"channel": self.general_channel})
        delivery = Delivery(incident=id, key=f"{id}@{episode.isoformat()}:{ask.action}{about}", at=workflow.now(), ask=ask)
        how = options.DELIVERY[port]
        await workflow.execute_activity(
            ask.action,
            delivery,
            result_type=Receipt,
            task_queue=contract.port_queue(workflow.info().task_queue, port),
            start_to_close_timeout=how.start_to_close,
            retry_policy=options.PATIENT_RETRY,
        )


def _earliest(batch: list[AlertInput]) -> datetime:
    return min(alert.starts_at for alert in batch)
