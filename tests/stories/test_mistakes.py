# ruff: noqa: SIM300 - the house writes what is expected first
"""What happens on the night on which the mistake is ours."""

from __future__ import annotations

from datetime import datetime

import pytest

from incident import lifecycle
from incident.effects import Effect, Receipt
from incident.events import Event
from incident.model import Incident
from tests.harness import Stage, Story, eventually


@pytest.mark.mistake("date value out of range")
async def test_a_mistake_of_ours_stops_one_incident_alone_until_it_is_mended(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are answered meanwhile; once it is mended the incident goes on, and nothing is lost or told twice."""
    story, other = await Story.open(stage, "SEV2"), await Story.open(stage, "SEV2")
    await story.settled()
    delivered, failed = lifecycle.delivered, []

    def mistaken(incident: Incident, effect: Effect, receipt: Receipt, now: datetime) -> list[Event]:
        if incident.id == story.id and effect.purpose == "update":
            failed.append(effect.number)
            raise OverflowError("date value out of range")
        return delivered(incident, effect, receipt, now)

    with monkeypatch.context() as broken:
        broken.setattr(lifecycle, "delivered", mistaken)
        await story.does("post_update", audience="internal", text="Rolling back")
        await eventually(lambda: bool(failed), what="the mistake")
        await other.does("acknowledge")
        tries = len(failed)
    await story.does("note", text="mended")
    await story.told_everything_once()

    assert (await other.state())["acknowledged_at"] is not None
    assert tries < 20, "it spins"
    assert 1 == sum("Rolling back" in text for text in story.posts())
