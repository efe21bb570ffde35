"""Every screen in every state that it can be in: which one it is stands there in words, and axe-core has nothing to object to.

Five screens and ten states make a table. A cell that is a sentence says why there is no such state of that screen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from incident import lifecycle
from incident.effects import Port
from incident.vocabulary import Phase
from integrations.errors import Unavailable
from integrations.paging.links import AckLinks, Paged
from integrations.statuspage.published import PublicPage
from starter.api import Door
from starter.channels import ChannelDesk
from starter.health import Health
from starter.problems import NoWorker
from starter.reading import Entry
from starter.web.status_page import PublicSite
from tests.browser.conftest import Site, Tab
from tests.browser.houses import DISMISSED, PHASES, Board, Guarded, House, RecordingDesk, as_one_of, begun
from tests.browser.test_accessibility import axe, objections
from tests.starter.web.publications import LAYOUT, showing, told

__all__ = ["axe"]

STATES = (
    "empty",
    "loaded without a worker",
    "without a server",
    "refused",
    "overdue",
    "closed",
    "dismissed",
    "private",
    "seen from outside",
    "not permitted",
)

MITIGATING, OVER, CLOSED = (PHASES[phase] for phase in (Phase.MITIGATION, Phase.POST_INCIDENT, Phase.CLOSED))
LATE, SECRET, STUCK, ASKED_TO_WAIT = (f"INC-2026-{number:04d}" for number in (950, 951, 952, 953))

KEY = b"a key for tests"

SECRETS = "Stolen keys of the vault"

READER, INSIDER, OUTSIDER = as_one_of("everybody", "vera"), as_one_of("leads", "ana"), as_one_of("leads", "mallory")


class Bare(Site):
    """A door on its first day: nothing has happened yet."""

    def door(self) -> Door:
        board = Board(showing(now=datetime.now(UTC)))
        return Door(user=self.user, version="0", public=PublicSite(board, LAYOUT), links=AckLinks(KEY, self.url))


class Unreadable(Board):
    """What the public would read, if it could be read."""

    async def public_page(self, remembered: timedelta | None = None) -> PublicPage:
        if self.away:
            raise Unavailable("the folder is not there")
        return self.page

    away = True


class Unattended(RecordingDesk):
    """A desk at which nobody works: lists go on, and no incident answers."""

    async def model(self, incident: str) -> dict[str, Any]:
        raise self._nobody(incident)

    async def timeline(self, incident: str, since: int = 0) -> list[Entry]:
        raise self._nobody(incident)

    def _nobody(self, incident: str) -> NoWorker:
        return NoWorker("No worker answers.", incident=incident, stale=True, last_known=self._row(self._known(incident)))


class Silent(House):
    """A house in which nobody works, and where what was published can't be read."""

    def __init__(self) -> None:
        super().__init__(Unattended)
        self.desk.working = False
        self.board: Unreadable = Unreadable(self.board.page)


class Late(House):
    """A house whose public update is late."""

    def __init__(self) -> None:
        super().__init__()
        now = datetime.now(UTC)
        late: PublicPage = showing(told(began=now - timedelta(hours=2), next_update_in=timedelta(minutes=30)), now=now)
        self.board = Board(late)


def settled(house: House) -> None:
    """A post-mortem that is late, an incident that not everybody may see, and two of which some word has not arrived."""
    now = datetime.now(UTC)
    late = begun(now - timedelta(days=20), "SEV1", title="Card payments time out", services=["payments"])
    house.records.holds(late.reaches(Phase.POST_INCIDENT), LATE)
    secret = begun(now - timedelta(minutes=9), "SEV1", title=SECRETS, services=["vault"])
    secret.reaches(Phase.TRIAGE).does("restrict", by="ana", reason="a breach")
    house.records.holds(secret, SECRET)
    for incident, vendor in ((STUCK, ""), (ASKED_TO_WAIT, "Slack")):
        walk = begun(now - timedelta(minutes=3), "SEV2", title="Login latency doubled", services=["login"])
        first, second = [effect for effect in walk.incident.outbox if effect.port is Port.CHAT][:2]
        walk.record([lifecycle.undeliverable(first, "401 revoked", walk.now)])
        walk.record([lifecycle.parked(walk.incident, second, "connection refused", timedelta(minutes=2), walk.now, vendor=vendor)])
        house.records.holds(walk, incident)


class Cell(NamedTuple):
    """Where a state is seen, the words that say it, and what brings it about; `never` are words that would be wrong."""

    house: str
    path: str
    says: tuple[str, ...]
    act: Callable[[Any, Site], None] = lambda page, site: None
    who: Mapping[str, str] = {}
    never: tuple[str, ...] = ()


def server_away(page: Any, site: Site) -> None:
    """The server stops under an open page."""
    site.stop()
    page.wait_for_selector("#live-state.off")


def writes_without_a_server(page: Any, site: Site) -> None:
    site.stop()
    page.locator("#text-root-cause").fill("The retry had no limit")
    page.wait_for_selector("[data-saved].late, [data-saved]:has-text('not')")


def resolves_too_early(page: Any, site: Site) -> None:
    page.locator("#do-resolve summary").click()
    page.locator("#f-resolve-root_cause").fill("The retry had no limit")
    page.locator("#f-resolve-fix_applied").fill("Rolled back")
    page.locator("#do-resolve button").click()
    page.wait_for_selector("#answer .bad")


def files_too_early(page: Any, site: Site) -> None:
    page.locator("button[value=file]").click()
    page.wait_for_selector("main .bad")


STATIC = "the page asks nothing of the server by itself: what it shows stays, and the browser says that a link leads nowhere"
PUBLIC = "the public page is everybody's"

MATRIX: dict[str, dict[str, Cell | str]] = {
    "home": {
        "empty": Cell("bare", "/", ("No open incidents.", "Declare an incident", "tocsin declare", "three-minute drill")),
        "loaded without a worker": Cell("silent", "/", ("Commands are accepted but nothing is executing", "tocsin doctor", "as of")),
        "without a server": Cell("house", "/", ("Reconnecting, data from",), server_away),
        "refused": Cell("house", "/?severity=SEV9", ("422", "severity", "tocsin list")),
        "overdue": Cell("house", "/", ("Needs you", "overdue")),
        "closed": Cell("house", "/?open=false", ("Closed incidents", "resolved")),
        "dismissed": Cell("house", "/?open=false", ("false alarm",)),
        "private": Cell("guarded", "/", (SECRETS, "Private"), who=INSIDER),
        "seen from outside": Cell("guarded", "/", ("Open incidents",), who=OUTSIDER, never=(SECRETS, "Private")),
        "not permitted": Cell("guarded", "/", ("You read as viewer", "To act"), who=READER),
    },
    "room": {
        "empty": "an incident begins with its first entry, its first clock and its next step",
        "loaded without a worker": Cell("silent", f"/incidents/{MITIGATING}", ("No worker answers.", "tocsin doctor", "Look again")),
        "without a server": Cell("house", f"/incidents/{MITIGATING}", ("Reconnecting, data from",), server_away),
        "refused": Cell("house", f"/incidents/{MITIGATING}", ("refused", "Resolution"), resolves_too_early),
        "overdue": Cell("house", f"/incidents/{MITIGATING}", ("overdue", "+")),
        "closed": Cell("house", f"/incidents/{CLOSED}", ("Closed",)),
        "dismissed": Cell("house", f"/incidents/{DISMISSED}", ("Dismissed: false alarm", "A test of the monitoring")),
        "private": Cell("guarded", f"/incidents/{SECRET}", (SECRETS, "Private"), who=INSIDER),
        "seen from outside": Cell("guarded", f"/incidents/{SECRET}", ("404", "tocsin list"), who=OUTSIDER, never=(SECRETS, "Private")),
        "not permitted": Cell("guarded", f"/incidents/{MITIGATING}", ("You read as viewer", "A press is refused, on record"), who=READER),
    },
    "post-mortem": {
        "empty": Cell("house", f"/incidents/{PHASES[Phase.TRIAGE]}/postmortem", ("Nothing to do yet.", "the template's words")),
        "loaded without a worker": Cell("silent", f"/incidents/{OVER}/postmortem", ("No worker answers", "saving works")),
        "without a server": Cell("house", f"/incidents/{OVER}/postmortem", ("not saved",), writes_without_a_server),
        "refused": Cell("house", f"/incidents/{OVER}/postmortem", ("refused",), files_too_early),
        "overdue": Cell("house", f"/incidents/{LATE}/postmortem", ("overdue, was due",)),
        "closed": Cell("house", f"/incidents/{CLOSED}/postmortem", ("filed",)),
        "dismissed": Cell("house", f"/incidents/{DISMISSED}/postmortem", ("Stale DNS",)),
        "private": Cell("guarded", f"/incidents/{SECRET}/postmortem", (SECRETS, "Private"), who=INSIDER),
        "seen from outside": Cell("guarded", f"/incidents/{SECRET}/postmortem", ("404",), who=OUTSIDER, never=(SECRETS, "Private")),
        "not permitted": Cell("guarded", f"/incidents/{OVER}/postmortem", ("You read as viewer",), who=READER),
    },
    "analytics": {
        "empty": Cell("bare", "/analytics", ("Nothing measured", "tocsin drill")),
        "loaded without a worker": Cell("silent", "/analytics", ("only the four times are known",)),
        "without a server": STATIC,
        "refused": Cell("house", "/analytics?days=soon", ("422",)),
        "overdue": Cell("house", "/analytics?days=0&behind=late:postmortem", ("Behind the number", LATE)),
        "closed": Cell("house", "/analytics?days=0", ("median", "incidents")),
        "dismissed": Cell("house", "/analytics?days=0&behind=no-incident", (DISMISSED, "left out")),
        "private": Cell("guarded", "/analytics?days=0&behind=all", (SECRETS,), who=INSIDER),
        "seen from outside": Cell("guarded", "/analytics?days=0&behind=all", ("Behind the number",), who=OUTSIDER, never=(SECRETS,)),
        "not permitted": Cell("guarded", "/analytics", ("You read as viewer",), who=READER),
    },
    "status page": {
        "empty": Cell("bare", "/status", ("All systems operational", "None in the last 14 days.")),
        "loaded without a worker": Cell("silent", "/status", ("can't be shown right now", "try again"), never=("operational",)),
        "without a server": STATIC,
        "refused": Cell("house", "/status/incidents/nothing-such", ("The status now",)),
        "overdue": Cell("late", "/status", ("is late",)),
        "closed": Cell("house", "/status/history", ("Search answers slowly",)),
        "dismissed": "what was dismissed was told to nobody, or is over there like any other",
        "private": Cell("guarded", "/status", ("Components",), who=INSIDER, never=(SECRETS, "vault")),
        "seen from outside": PUBLIC,
        "not permitted": PUBLIC,
    },
}


def follows_the_link_of_a_page(page: Any, site: Site) -> None:
    """Open what the mail of a page leads to."""
    paged = Paged(site.open(severity=None), "ana", "page-1.1")
    page.goto(AckLinks(KEY, site.url).link(paged, datetime.now(UTC)))


def presses_the_link_of_a_page(page: Any, site: Site) -> None:
    follows_the_link_of_a_page(page, site)
    page.locator("button.primary").click()


def posts_signed_out(page: Any, site: Site) -> None:
    """What a browser without scripts does with a form when the sign-in has ended meanwhile."""
    page.context.set_extra_http_headers({})
    page.locator("#f-post_update-text").fill("Half of a sentence")
    with page.expect_navigation():
        page.locator("#f-post_update-text").evaluate("field => HTMLFormElement.prototype.submit.call(field.form)")


MORE = {
    "room, told to nobody": Cell(
        "house", f"/incidents/{STUCK}", ("Told outside", "refused", "Chat can't be reached since", "Retry", "Give up")
    ),
    "room, told later": Cell("house", f"/incidents/{ASKED_TO_WAIT}", ("Chat waits for Slack until",)),
    "channels, paused": Cell("house", "/channels", ("Paused now", "overdue", "Resume chat")),
    "page, to acknowledge": Cell("paged", "/", ("You were paged as ana",), follows_the_link_of_a_page),
    "page, acknowledged": Cell("paged", "/", ("is acknowledged", "nobody else is paged"), presses_the_link_of_a_page),
    "form, signed out": Cell(
        "guarded", f"/incidents/{MITIGATING}", ("Your sign-in has ended", "What you typed"), posts_signed_out, as_one_of("leads", "lea")
    ),
    "room, a drill": Cell("house", "/incidents/INC-2026-0890", ("Drill", "That was the whole process")),
}
"""What some screens have beside those."""

CELLS = MORE | {f"{screen}, {state}": cell for screen, cells in MATRIX.items() for state, cell in cells.items() if isinstance(cell, Cell)}


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Site]]:
    guarded = Guarded(Path(tmp_path_factory.mktemp("guarded")))
    house, silent = House(), Silent()
    made: dict[str, Site] = {"bare": Bare(), "paged": Bare(), "house": house, "silent": silent, "late": Late(), "guarded": guarded}
    settled(house)
    settled(guarded)

    async def ready(health: Health) -> dict[str, Any]:
        works = health._client is not silent.desk.client
        return {"ok": works, "checks": [{"name": "worker", "ok": works, "detail": "no worker polls", "fix": "tocsin worker starts one."}]}

    async def paused(_: ChannelDesk) -> list[dict[str, Any]]:
        ago = datetime.now(UTC) - timedelta(hours=1)
        return [{"port": "chat", "by": "ana", "since": ago.isoformat(), "until": ago.isoformat(), "reason": "an outage", "overdue": True}]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ChannelDesk, "listed", paused)
        patch.setattr(Health, "ready", ready)  # the desks are in memory: there is no worker to look for
        for each in made.values():
            each.start()
        yield made
        for each in made.values():
            each.stop()


def test_every_screen_has_every_state_or_a_reason() -> None:
    """A state that nobody has thought of on some screen is a hole in the table."""
    assert {screen: tuple(cells) for screen, cells in MATRIX.items()} == dict.fromkeys(MATRIX, STATES)


@pytest.mark.parametrize("name", CELLS)
def test_a_state_is_said_in_words_and_breaks_no_rule(browser: Any, houses: dict[str, Site], axe: str, name: str) -> None:
    """What the state is stands there for everybody to read, on any screen, light and dark, and what is not to be known does not."""
    cell = CELLS[name]
    site = houses[cell.house]
    site.start()
    page = Tab(browser, site, **({"extra_http_headers": dict(cell.who)} if cell.who else {})).page
    page.goto(cell.path)
    cell.act(page, site)
    said = page.locator("body").inner_text()
    found = objections(page, axe)
    page.context.close()
    site.start()

    assert [words for words in cell.says if words.casefold() not in said.casefold()] == [], said
    assert [words for words in cell.never if words in said] == []
    assert found == []


def test_a_public_page_that_could_not_be_read_is_there_as_soon_as_it_can_be(browser: Any, houses: dict[str, Site]) -> None:
    """Whoever has opened it meanwhile need not know that they could load it anew."""
    silent = houses["silent"]
    assert isinstance(silent, Silent)
    page = Tab(browser, silent).page
    page.goto("/status")
    before = page.locator("h1").inner_text()
    silent.board.away = False
    page.locator("main h2", has_text="Components").wait_for()
    silent.board.away = True
    page.context.close()

    assert before == "The status can't be shown right now"
