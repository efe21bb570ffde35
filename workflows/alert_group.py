"""One group of alerts, while any of them fires: opens an incident or attaches to the group's own, and forwards.

What is not production becomes a ticket; planned maintenance is noted in the general channel. Monitoring delivers at
least once, so every step here has a key of its own, or is harmless to repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from incident import alerts, messages
    from incident.alerts import AlertInput
    from incident.effects import Delivery, OpenTicket, Port, Post, Receipt
    from incident.registration import Registered, Registration
    from workflows import contract, options
    from workflows.steadfast import steadfast


@workflow.defn(name="AlertGroup")
class AlertGroup:
    """Alerts of one group on their way to one incident."""

    @workflow.init
    def __init__(self, start: contract.AlertGroupInput) -> None:
        self.group = start.group
        self.incident = start.incident
        self.firing = dict(start.firing)
        self.ticketed = start.ticketed
        self.noted = start.noted
        self.inbox: list[AlertInput] = []
        self.unreadable: list[str] = []

    @workflow.run
    async def run(self, start: contract.AlertGroupInput) -> str | None:
        """Take alerts until none fires; answers with the incident that they went to, if any."""
        return await steadfast(self._gather())

    async def _gather(self) -> str | None:
        while True:
            await workflow.wait_condition(lambda: bool(self.inbox) or self._long_enough())
            while self.inbox:
                batch, self.inbox = self.inbox, []
                await self._take(batch)
            if not self.firing:
                return self.incident
            if self._long_enough():
                carried = contract.AlertGroupInput(
                    group=self.group, incident=self.incident, firing=self.firing, ticketed=self.ticketed, noted=self.noted
                )
                workflow.continue_as_new(carried)

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
            good, bad = alerts.parse(raw)
            self.inbox += good
            refused = payload.get("invalid") if isinstance(payload, dict) else None
            for problem in [*bad, *(refused if isinstance(refused, list) else [])]:
                self._set_aside(str(problem))

    def _set_aside(self, problem: str) -> None:
        self.unreadable = [*self.unreadable, problem[:500]][-100:]
        workflow.logger.warning("an alert could not be read", extra={"problem": problem[:500]})

    @workflow.query(name="state")
    def state(self) -> dict[str, Any]:
        return {
            "group": self.group,
            "incident": self.incident,
            "firing": {fingerprint: at.isoformat() for fingerprint, at in self.firing.items()},
            "unreadable": self.unreadable,
        }

    async def _take(self, batch: list[AlertInput]) -> None:
        """Sort one batch by where it goes. More alerts may arrive meanwhile; they wait in the inbox."""
        for alert in batch:
            self._note(alert)
        to_incident = [alert for alert in batch if alerts.routed(alert.labels) == "incident"]
        if to_incident:
            await self._forward(to_incident)
        aside = [alert for alert in batch if alert.status == "firing"]
        not_production = [alert for alert in aside if alerts.routed(alert.labels) == "not_production"]
        if not_production and not self.ticketed:
            self.ticketed = True
            await self._file_ticket(not_production)
        planned = [alert for alert in aside if alerts.routed(alert.labels) == "planned_maintenance"]
        if planned and not self.noted:
            self.noted = True
            await self._note_maintenance(planned)

    def _note(self, alert: AlertInput) -> None:
        known = self.firing.get(alert.identity)
        if alert.status == "firing":
            if known is None or alert.starts_at > known:
                self.firing[alert.identity] = alert.starts_at
        elif known is None or alert.starts_at >= known:
            self.firing.pop(alert.identity, None)

    async def _forward(self, batch: list[AlertInput]) -> None:
        """Hand the alerts to the group's incident; where that one is closed, to the one that the register names."""
        if self.incident is not None and await self._told_incident(self.incident, batch):
            return
        self.incident = None
        firing = [alert for alert in batch if alert.status == "firing"]
        registered = await self._register(batch, find_only=not firing)
        if not registered.open and registered.closed_at is not None:
            batch = [alert for alert in firing if alert.starts_at > registered.closed_at]
            if not batch:
                return  # the incident that was closed has had these, and monitoring only repeats them
            registered = await self._register(batch)
        if registered.incident is None or not registered.open:
            return
        if registered.new or await self._told_incident(registered.incident, batch):
            self.incident = registered.incident

    async def _told_incident(self, incident: str, batch: list[AlertInput]) -> bool:
        """False where the incident takes no more."""
        handle = workflow.get_external_workflow_handle(incident)
        wire = alerts.wire(batch)
        for start in range(0, len(wire), options.ALERTS_A_SIGNAL):
            try:
                await handle.signal(contract.ALERT, wire[start : start + options.ALERTS_A_SIGNAL])
            except ApplicationError:
                return False
        return True

    async def _register(self, batch: list[AlertInput], *, find_only: bool = False) -> Registered:
        """Open the group's incident, or find it. Tried until it works: an alert that is held here must not be lost."""
        episode = min(alert.starts_at for alert in batch)
        firing = [alert for alert in batch if alert.status == "firing"] or batch
        request = Registration(
            key=f"{workflow.info().workflow_id}@{episode.isoformat()}",
            request=messages.opening_for(firing),
            source="alert",
            group=self.group,
            episode_at=episode,
            find_only=find_only,
            alerts=tuple(batch),
        )
        registered: Registered = await workflow.execute_activity(
            "open_incident",
            request,
            result_type=Registered,
            start_to_close_timeout=options.TEN_SECONDS,
            retry_policy=options.PATIENT_RETRY,
        )
        return registered

    async def _file_ticket(self, batch: list[AlertInput]) -> None:
        title, body = messages.not_production_ticket(self.group, batch)
        await self._carry_out(Port.TICKETS, _earliest(batch), OpenTicket(ref="alert", title=title, body=body))

    async def _note_maintenance(self, batch: list[AlertInput]) -> None:
        await self._carry_out(Port.CHAT, _earliest(batch), Post(room="general", text=messages.maintenance_note(self.group, batch)))

    async def _carry_out(self, port: Port, episode: datetime, ask: OpenTicket | Post) -> None:
        """Done under a key made of the group and its episode, so that the same alert posted again adds nothing."""
        id = workflow.info().workflow_id
        if isinstance(ask, Post):
            ask = ask.model_copy(update={"channel": "#incidents"})
        delivery = Delivery(incident=id, key=f"{id}@{episode.isoformat()}:{ask.action}", at=workflow.now(), ask=ask)
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
