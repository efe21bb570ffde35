"""What was told outside, as the room shows it, and what can be done about it there."""

from __future__ import annotations

import httpx2

from incident import lifecycle
from incident.effects import Port
from tests.starter.web.memory import MemoryDesk


async def test_the_room_shows_what_has_not_arrived_and_offers_what_can_be_done(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """A parked message with its error, a refused one with the vendor's words, each with retry, replace and give up."""
    state = await desk.open({"by": "ana", "title": "Checkout returns 5xx", "severity": "SEV2", "symptom": "<b>5xx</b>"})
    incident = desk.incidents[state["incident"]]
    first, second = [effect for effect in incident.outbox if effect.port is Port.CHAT][:2]
    parked = lifecycle.parked(incident, first, "connection <refused>", None, desk.now)
    desk.incidents[state["incident"]], _ = lifecycle.record(incident, [parked, lifecycle.undeliverable(second, "401 revoked", desk.now)])
    room = (await http.get(f"/incidents/{state['incident']}")).text

    assert "Told outside" in room
    assert "401 revoked" in room
    assert "connection &lt;refused&gt;" in room or "Chat" in room
    for verb in ("retry_delivery", "replace_delivery", "give_up_delivery"):
        assert f"do={verb}&amp;delivery={second.key.replace(':', '%3A')}#do-{verb}" in room


async def test_a_refused_delivery_is_retried_from_its_form(http: httpx2.AsyncClient, desk: MemoryDesk) -> None:
    """The link opens the form filled in, with the delivery chosen; pressed, it is in the queue again."""
    state = await desk.open({"by": "ana", "title": "Checkout returns 5xx", "severity": "SEV2"})
    incident = desk.incidents[state["incident"]]
    effect = next(effect for effect in incident.outbox if effect.port is Port.CHAT)
    desk.incidents[state["incident"]], _ = lifecycle.record(incident, [lifecycle.undeliverable(effect, "401 revoked", desk.now)])
    form = (await http.get(f"/incidents/{state['incident']}?do=retry_delivery&delivery={effect.key}")).text
    answer = await http.post(f"/incidents/{state['incident']}/do/retry_delivery", data={"delivery": effect.key})

    assert f'<option value="{effect.key}" selected>' in form
    assert answer.status_code == 303
    assert effect.key in [each.key for each in desk.incidents[state["incident"]].outbox]
