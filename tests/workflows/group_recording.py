"""Golden histories of alert groups and of the register: one busy hour, recorded once a version and replayed by every later one.

python -m tests.workflows.group_recording      writes those of this version if they are not there yet; old ones stay as they are

What was recorded before `alerts-in-waves` and `suggestions-withdrawn` is kept as `before-…`: these runs have neither, and must
go on as they began. `few-signals-…` is what was recorded after that change; what is called without a word was recorded before it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from incident.routing import Flapping, Routes, Service, Storm, Window
from tests.harness import Stage, World, alert, ask, eventually, runs, staged
from tests.stories.test_alert_groups import Monitoring
from tests.workflows.recording import FOLDER, VERSION, impersonal
from workflows import contract

BIG = 120
"""Alerts of one post: more than one signal takes."""


async def busy_hour(stage: Stage) -> list[str]:
    """Everything that becomes of alerts; answers with the ids of the workflows that it became of."""
    stage.board.common = World()
    at = await stage.environment.get_current_time()
    window = Window(name="upgrade", since=at - timedelta(hours=1), until=at + timedelta(minutes=30), services=("database",))
    stage.board.windows = [window]
    rules = Routes(
        services={"payments": Service(depends_on=("checkout",))},
        windows=(window,),
        flapping=Flapping(changes=4, within=timedelta(minutes=10)),
        storm=Storm(groups=2),
    )
    monitoring = Monitoring(stage, rules)
    await monitoring.posts("big", alert("Big", at=at, instance="0"))
    checkout = await monitoring.story("big")
    await monitoring.posts("big", *(alert("Big", at=at, instance=str(number)) for number in range(1, BIG)))
    await monitoring.posts("joins", alert("Joins", at=at))
    await monitoring.posts("payments", alert("Down", at=at, service="payments"))
    payments = await monitoring.story("payments")
    for number in range(1, 7):
        starts = at + timedelta(seconds=number)
        await monitoring.posts("joins", alert("Joins", at=starts, firing=number % 2 == 0))
        await stage.skip(timedelta(seconds=5))
    await monitoring.posts("held", alert("Held", at=at, service="database"))
    await monitoring.posts("staging", alert("Staging", at=at, env="staging"))
    await monitoring.posts("planned", alert("Planned", at=at, maintenance="planned"))
    for number in range(5):
        await monitoring.posts(f"lone {number}", alert(f"Lone{number}", at=at, service=""))
        await monitoring.incident(f"lone {number}")
    await payments.does("dismiss", as_="false_alarm", reason="a broken probe")
    await eventually(payments.ended, what="the end of one")

    async def all_there() -> bool:
        return len((await checkout.state())["alerts"]) == BIG + 1

    await eventually(all_there, what="all alerts")
    stage.board.windows = []
    await stage.skip(timedelta(minutes=40))
    await monitoring.incident("held")
    await checkout.settled()
    names = ("big", "joins", "payments", "held", "staging", "planned", "lone 4")
    return [contract.REGISTRY_ID, *(contract.alert_group_id(f"{monitoring.name} {name}") for name in names)]


NAMES = ("register", "group-big", "group-flapping", "group-closed", "group-held", "group-ticket", "group-note", "group-storm")
"""The files, in the order of the workflows that the busy hour answers with."""


async def record_groups(folder: Path, prefix: str = "") -> list[Path]:
    """Play the busy hour; write each workflow's history and, beside it, the state that it ended in."""
    written = []
    async with staged() as stage:
        for name, id in zip(NAMES, await busy_hour(stage), strict=True):
            for number, run in enumerate(await runs(stage.client, id), start=1):
                history = await run.fetch_history()
                state: Any = await ask(run, "state")
                path = folder / f"{prefix}{name}-{number}.history.json"
                path.parent.mkdir(parents=True, exist_ok=True)
                recorded = {"workflow_id": id, "history": impersonal(json.loads(history.to_json()))}
                path.write_text(json.dumps(recorded, separators=(",", ":")) + "\n")
                path.with_name(f"{prefix}{name}-{number}.state.json").write_text(json.dumps(state, indent=0, ensure_ascii=False) + "\n")
                written.append(path)
    return written


def main() -> int:
    folder = FOLDER / VERSION / "groups"
    if not list(folder.glob("register-*.history.json")):
        for path in asyncio.run(record_groups(folder)):
            sys.stdout.write(f"{path.relative_to(FOLDER)}  {path.stat().st_size // 1024} kB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
