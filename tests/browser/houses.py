"""Doors with something behind every page: incidents in each phase, a record with its histories, numbers, a public page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory

from incident.vocabulary import Phase
from integrations.ledger import Ledger
from integrations.statuspage.published import PublicPage
from runtime.settings import load_settings
from starter.api import Door
from starter.drafts import Version
from starter.health import Health
from starter.identity.actor import NOT_A_PERSON
from starter.identity.arrangement import arranged
from starter.identity.store import Store
from starter.reading import Entry
from starter.web.status_page import PublicSite
from tests.browser.conftest import Site
from tests.incident.walk import Walk, opening_of
from tests.starter.test_origins import recorded, shape
from tests.starter.web.memory import MemoryDesk
from tests.starter.web.publications import LAYOUT, showing, told

RECORDED = "INC-2026-0901"
"""An incident that was recorded from a real workflow, so that each entry has its event."""

DISMISSED = "INC-2026-0902"
"""One that was none."""

PHASES = {phase: f"INC-2026-{910 + phase.number:04d}" for phase in Phase}
"""An incident in each phase."""

ROLES = {"sre": ["responder"], "leads": ["commander"], "auditors": ["auditor"], "everybody": ["viewer"]}


class RecordingDesk(MemoryDesk):
    """Holds incidents in memory, and those that were recorded with their histories."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.runs: dict[str, list[WorkflowHistory]] = {}
        self.told: dict[str, list[Entry]] = {}

    def holds(self, walk: Walk, incident: str) -> Walk:
        """This incident exists. Its id is written over the walk's own."""
        self.incidents[incident] = walk.incident.model_copy(update={"id": incident})
        self.entries[incident] = walk.timeline
        return walk

    def recalls(self, name: str, walk: Walk, incident: str) -> None:
        """One was recorded under this name; `walk` is what lists know of it."""
        runs = [recorded(path) for path in shape(name)]
        self.holds(walk, incident)
        self.runs[incident] = [history for history, _ in runs]
        self.told[incident] = [through_a_door(entry) for entry in runs[-1][1]]

    async def timeline(self, incident: str, since: int = 0) -> list[Entry]:
        if incident in self.told:
            return [entry for entry in self.told[incident] if entry["seq"] > since]
        return await super().timeline(incident, since)

    async def own_timeline(self, incident: str, since: int = 0) -> list[Entry]:
        return await self.timeline(incident, since)

    async def follow_up_timeline(self, incident: str) -> list[Entry]:
        self._known(incident)
        return []

    async def histories(self, incident: str) -> list[WorkflowHistory]:
        self._known(incident)
        return self.runs.get(incident, [])


def through_a_door(entry: Entry) -> Entry:
    """An entry as it is when people come through doors; what was recorded reached Temporal without one."""
    data = entry.get("data") or {}
    return entry if entry["by"] in NOT_A_PERSON else {**entry, "data": {**data, "via": ("web", "cli", "chat")[entry["seq"] % 3]}}


class Board:
    """What the public reads."""

    def __init__(self, page: PublicPage) -> None:
        self.page = page

    async def public_page(self, remembered: timedelta | None = None) -> PublicPage:
        return self.page


class House(Site):
    """A door with everything behind it."""

    def __init__(self, desk: type[RecordingDesk] = RecordingDesk) -> None:
        super().__init__(desk)
        now = datetime.now(UTC)
        filled(self.records, now)
        self.drafts.versions = written(now)
        self.board = Board(published(now))

    @property
    def records(self) -> RecordingDesk:
        assert isinstance(self.desk, RecordingDesk)
        return self.desk

    def door(self) -> Door:
        return Door(user=self.user, version="0", public=PublicSite(self.board, LAYOUT), temporal_ui="http://127.0.0.1:8233")


class Guarded(House):
    """The same where people sign in: a proxy on this machine says who is there, or, with `oidc`, a provider would."""

    def __init__(self, folder: Path, mode: str = "proxy") -> None:
        super().__init__()
        provider = {"oidc_issuer": "http://127.0.0.1:9", "oidc_client_id": "tocsin", "oidc_client_secret": "secret", "public_url": self.url}
        self.arrangement = arranged(load_settings(auth=mode, roles=ROLES, **(provider if mode == "oidc" else {"proxies": "127.0.0.1"})))
        self.store = Store(Ledger(folder / "embedded.db"))

    def door(self) -> Door:
        return Door(user="tocsin", version="0", arrangement=self.arrangement, identity=self.store, public=PublicSite(self.board, LAYOUT))


def as_one_of(group: str, name: str) -> dict[str, str]:
    """What the proxy says of somebody."""
    return {"X-Forwarded-User": name, "X-Forwarded-Groups": group}


def filled(desk: RecordingDesk, now: datetime) -> None:
    """Six weeks of incidents: in every phase, closed ones of known lengths, a drill, one that was none."""
    for phase, incident in PHASES.items():
        walk = begun(now - timedelta(hours=2), None, title=f"Search is slow ({phase.label})", services=["search"])
        grown(walk, phase)
        if phase is Phase.POST_INCIDENT:
            due = (now + timedelta(days=9)).date().isoformat()
            walk.does("add_action_item", item="Budget the retries of every caller of the search service", owner="ben-of-search", due=due)
        desk.holds(walk, incident)
    lengths = (("SEV1", "checkout-api", 2, 38), ("SEV1", "checkout-api", 4, 95), ("SEV1", "payments", 7, 210), ("SEV2", "search", 9, 70))
    more = (("SEV2", "checkout-api", 3, 44), ("SEV2", "session-store", 16, 380), ("SEV3", "search", 55, 900), ("SEV3", "mail", 20, 150))
    for number, (severity, service, acknowledged, lasted) in enumerate((*lengths, *more, *lengths[:3])):
        walk = begun(
            now - timedelta(days=3 * number + 2, hours=5),
            severity if number % 4 == 1 else None,
            title=TITLES[number % len(TITLES)],
            services=[service],
        )
        if walk.incident.phase is Phase.DETECTION:
            walk.forward(minutes=1 + acknowledged * 0.6)
            walk.does("declare", severity=severity, customer_facing=severity != "SEV3")
        told_of(walk, acknowledged, lasted, every=9 if number % 3 else 25)
        if number % 2:
            walk.does(
                "add_action_item",
                item="Budget the retries",
                owner=("ben", "dana")[number % 4 // 2],
                due=(now + timedelta(days=number - 4)).date().isoformat(),
            )
        if number % 3 == 0:
            walk.refused("close")
        desk.holds(walk if number % 4 else walk.reaches(Phase.CLOSED), f"INC-2026-{800 + number:04d}")
    drill = begun(now - timedelta(days=1), "SEV2", title="Practice: payment timeouts", services=["payments"], drill=True)
    desk.holds(drill.reaches(Phase.CLOSED), "INC-2026-0890")
    none = begun(now - timedelta(days=2), "SEV3", title="Stale DNS in staging", services=["dns"])
    none.does("dismiss", reason="A test of the monitoring", **{"as": "false_alarm"})
    desk.holds(none, DISMISSED)
    closed = begun(now - timedelta(hours=9), "SEV1", title="Checkout returns 5xx", services=["checkout"])
    desk.recalls("closed", grown(closed, Phase.CLOSED), RECORDED)


TITLES = ("Checkout returns 5xx in EU", "Card payments time out", "Search answers slowly", "Login latency doubled", "Mails arrive late")


def begun(at: datetime, severity: str | None, **fields: Any) -> Walk:
    return Walk(opening_of(severity, **{"customer_facing": severity != "SEV3", **fields}), at)


def grown(walk: Walk, phase: Phase) -> Walk:
    """An incident that went on to this phase, twelve minutes each."""
    if phase is not Phase.DETECTION:
        walk.forward(minutes=2)
        walk.does("acknowledge")
        walk.does("assign", role="commander", person="priya")
    for each in Phase:
        if each.number <= phase.number:
            walk.reaches(each)
            walk.forward(minutes=2 if each is Phase.DETECTION else 12)
            if Phase.DETECTION.number < each.number < Phase.POST_INCIDENT.number:
                walk.does("post_update", audience="internal", text="We are on it.")
                walk.does("post_update", audience="external", text="We are working on it.", status="identified")
    return walk


def told_of(walk: Walk, acknowledged: float, lasted: float, *, every: float) -> None:
    """An incident that was acknowledged and resolved after so many minutes, with word to everybody every so often."""
    gone = (walk.now - walk.incident.opened_at).total_seconds() / 60
    walk.forward(minutes=max(0.0, acknowledged - gone))
    walk.does("acknowledge")
    walk.reaches(Phase.MITIGATION)
    left = lasted - acknowledged - walk.incident.rule.verification.total_seconds() / 60
    while left > 0:
        step = min(every, left)
        walk.forward(minutes=step)
        left -= step
        walk.does("post_update", audience="internal", text="We are on it.")
        if walk.incident.customer_facing:
            walk.does("post_update", audience="external", text="We are working on it.", status="identified")
    walk.reaches(Phase.POST_INCIDENT)


def written(now: datetime) -> dict[tuple[str, str], list[Version]]:
    """A post-mortem in work: a section that was saved twice."""
    over = PHASES[Phase.POST_INCIDENT]
    texts = ("Search was slow.", "Search was slow for two hours: the cache was cold after the release.")
    versions = [
        Version("summary", number, 0, text, "dana", now - timedelta(minutes=20 - number)) for number, text in enumerate(texts, start=1)
    ]
    return {(over, "summary"): versions}


def published(now: datetime) -> PublicPage:
    """One incident that goes on and two that are over."""
    going_on = told(
        began=now - timedelta(minutes=35),
        texts=("We are looking into failed card payments.", "EU card payments fail for about 18 % of attempts. We are rolling back."),
    )
    over = told(
        "INC-2026-0031",
        "Search answers slowly",
        began=now - timedelta(days=9),
        names=("Search",),
        texts=("We are looking into it.", "All is well again."),
        over=True,
    )
    long_ago = told(
        "INC-2026-0019",
        "Sign-in fails for some",
        began=now - timedelta(days=27),
        names=("Sign-in",),
        texts=("We found it.", "Mended.", "It is over."),
        over=True,
    )
    return showing(going_on, over, long_ago, now=now)


async def well(_: Health) -> dict[str, Any]:
    return {"ok": True, "checks": []}
