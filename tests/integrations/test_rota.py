# ruff: noqa: SIM300, ASYNC240 - the house writes what is expected first; a test may touch its few small files directly
"""The rota file says who is on call; a mistake in it is explained, and takes nobody off call."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from incident.policy import SEVERITY_MATRIX
from integrations.oncall.rota import DEFAULT_ROTA, FileRota, RotaUnusable, parsed
from tests.integrations.test_icalendar import ZONES

MONDAY = datetime(2026, 1, 5, 9, tzinfo=UTC)

TURNS = '[roles]\nprimary = { people = ["ana", "ben", "cem"], start = 2026-01-05T09:00:00Z, every = "1w" }\n'
SHIFTS = """\
[[roles.manager]]
person = "max"
from = 2026-01-01T00:00:00+01:00
until = 2026-02-01T00:00:00+01:00

[[roles.manager]]
person = "mia"
from = "2026-02-01T00:00:00+01:00"
until = 2026-03-01T00:00:00Z
"""


TURNS_AT_HALF_PAST_TWO = """
[roles]
primary = { people = ["ana", "ben"], start = 2026-01-01T02:30:00+01:00, every = "1d", zone = "Europe/Berlin" }
"""


def rewrite(path: Path, text: str) -> None:
    """Write the file with a time of its own, however coarse the file system's clock."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text, encoding="utf-8")
    later = max(before + 1_000_000, path.stat().st_mtime_ns)
    os.utime(path, ns=(later, later))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rota.toml"


@pytest.mark.parametrize(
    ("after", "person"),
    [
        (timedelta(seconds=-1), None),
        (timedelta(0), "ana"),
        (timedelta(days=7, seconds=-1), "ana"),
        (timedelta(days=7), "ben"),
        (timedelta(weeks=2), "cem"),
        (timedelta(weeks=3), "ana"),
        (timedelta(weeks=52 * 30 + 1), "ben"),
    ],
)
async def test_people_take_turns(path: Path, after: timedelta, person: str | None) -> None:
    """In a rotation each is on call for one turn, from the minute of the handover, for as long as the file stands."""
    rewrite(path, TURNS)

    assert person == await FileRota(path).of("primary", MONDAY + after)


@pytest.mark.parametrize(
    ("at", "person"),
    [
        (datetime(2025, 12, 31, 22, 59, tzinfo=UTC), None),
        (datetime(2025, 12, 31, 23, 0, tzinfo=UTC), "max"),
        (datetime(2026, 1, 31, 23, 0, tzinfo=UTC), "mia"),
        (datetime(2026, 2, 1, 0, 30, tzinfo=timezone(timedelta(hours=5))), "max"),
        (datetime(2026, 3, 1, tzinfo=UTC), None),
    ],
)
async def test_shifts_follow_one_another(path: Path, at: datetime, person: str | None) -> None:
    """A shift holds from its first moment to just before its last, in whatever zone it was written or is asked for."""
    rewrite(path, SHIFTS)

    assert person == await FileRota(path).of("manager", at)


@pytest.mark.parametrize(("zone", "moments"), ZONES)
async def test_a_rotation_with_a_zone_keeps_its_hour_when_clocks_change(path: Path, zone: str, moments: list[str]) -> None:
    """Handed over at nine on Mondays where the people live, in summer and in winter, as a calendar's rotation is."""
    start = datetime(2026, 1, 5, 9, tzinfo=ZoneInfo(zone)).isoformat()
    rewrite(path, f'[roles]\nprimary = {{ people = ["ana", "ben"], start = {start}, every = "1w", zone = "{zone}" }}')
    found = [await FileRota(path).of("primary", datetime.fromisoformat(f"{moment}+00:00")) for moment in moments]

    assert found[0] == found[3]
    assert found[1] == found[2]
    assert {"ana", "ben"} == set(found)


@pytest.mark.parametrize(
    ("moments", "people"),
    [
        # Half past two comes twice on 25 October: the first time counts, and nobody takes over twice.
        (["2026-10-25T00:29:59", "2026-10-25T00:30:00", "2026-10-25T01:00:00", "2026-10-25T01:30:00"], ["ana", "ben", "ben", "ben"]),
        # It is left out on 29 March: the hour that stands in its place begins the turn.
        (["2026-03-29T01:29:59", "2026-03-29T01:30:00", "2026-03-30T00:29:59", "2026-03-30T00:30:00"], ["ana", "ben", "ben", "ana"]),
    ],
)
async def test_a_handover_in_the_hour_of_the_change_happens_once(path: Path, moments: list[str], people: list[str]) -> None:
    """Every day at half past two in Berlin, ana and ben in turn."""
    rewrite(path, TURNS_AT_HALF_PAST_TWO)
    found = [await FileRota(path).of("primary", datetime.fromisoformat(f"{moment}+00:00")) for moment in moments]

    assert people == found


async def test_the_default_rota_fills_every_role_of_the_policy(path: Path) -> None:
    """A new installation has somebody to page on every rung, under names that stand for the roles."""
    rewrite(path, DEFAULT_ROTA)
    rota = FileRota(path)
    rungs = {role for rule in SEVERITY_MATRIX.values() for role in (*rule.escalation_chain, *rule.commander)}

    assert {role: role.replace(" ", "-").lower() for role in rungs} == {role: await rota.of(role, MONDAY) for role in rungs}


async def test_roles_are_found_whatever_their_case(path: Path) -> None:
    """`vp  Engineering` is the VP engineering."""
    rewrite(path, DEFAULT_ROTA)

    assert "vp-engineering" == await FileRota(path).of("vp  Engineering", MONDAY)


async def test_an_edit_is_in_force_at_once(path: Path) -> None:
    """Whoever changes the file need not restart anything."""
    rewrite(path, '[roles]\nmanager = "max"\n')
    rota = FileRota(path)
    before = await rota.of("manager", MONDAY)
    rewrite(path, '[roles]\nmanager = "mia"\n')

    assert ("max", "mia") == (before, await rota.of("manager", MONDAY))


@pytest.mark.parametrize("broken", ["[roles", None], ids=["a broken edit", "the file gone"])
async def test_a_broken_edit_takes_nobody_off_call(path: Path, broken: str | None) -> None:
    """The last good rota stays in force while the file is broken, and it is said what is wrong until it is mended."""
    rewrite(path, '[roles]\nmanager = "max"\n')
    rota = FileRota(path)
    await rota.refresh()
    if broken is None:
        path.unlink()
    else:
        rewrite(path, broken)
    during = await rota.of("manager", MONDAY)
    problem = rota.problem
    rewrite(path, '[roles]\nmanager = "mia"\n')

    assert "max" == during
    assert str(path) in (problem or "")
    assert ("mia", None) == (await rota.of("manager", MONDAY), rota.problem)


async def test_without_any_good_rota_the_lookup_may_be_tried_again(path: Path) -> None:
    """A missing file is no empty rota: nobody is told that nobody is on call."""
    with pytest.raises(RotaUnusable, match="there is no rota at"):
        await FileRota(path).of("manager", MONDAY)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("roles = 3", "has no table"),
        ('manager = "max"', "has no table"),
        ("[roles]\n[polices]\n", "polices stands outside"),
        ("[roles]\na = 3", "role 'a' must be a name"),
        ('[roles]\na = ""', "role 'a' has '' where a person's name must be"),
        ("[roles]\na = []", "role 'a' has no shift"),
        ('[roles]\na = "x"\nA = "y"', "role 'A' is there twice"),
        ("[roles]\na = ['x']", "role 'a' has 'x' where a shift must be, with from, person, until"),
        ("[roles]\na = [{ person = 'x', from = 2026-01-01T00:00:00Z }]", "it must have from, person, until"),
        ("[roles]\na = [{ person = 'x', from = 2026-01-02T00:00:00Z, until = 2026-01-01T00:00:00Z }]", "ends before it begins"),
        ("[roles]\na = [{ person = 'x', from = 2026-01-01T00:00:00, until = 2026-01-02T00:00:00Z }]", "needs its zone"),
        ("[roles]\na = { people = ['x'], start = 2026-01-01T00:00:00Z, zone = 'Mars/Phobos' }", "none that this machine knows"),
        ("[roles]\na = { people = ['x'], start = 2026-01-01T00:00:00Z, every = '2h', zone = 'Europe/Berlin' }", "clocks may change"),
        ("[roles]\na = [{ person = 'x', from = 2026-01-01, until = 2026-01-02T00:00:00Z }]", "needs its zone"),
        ("[roles]\na = [{ person = 'x', from = 'soon', until = 2026-01-02T00:00:00Z }]", "is no time"),
        ("[roles]\na = { people = [], start = 2026-01-01T00:00:00Z }", "at least one name"),
        ("[roles]\na = { people = ['x', 3], start = 2026-01-01T00:00:00Z }", "has 3 where a person's name must be"),
        ("[roles]\na = { people = ['x'], start = 2026-01-01T00:00:00Z, every = '0w' }", "every = '0w'"),
        ("[roles]\na = { people = ['x'], start = 2026-01-01T00:00:00Z, each = '1w' }", "it must have every, people, start"),
    ],
)
def test_a_mistake_names_the_file_the_role_and_the_rule(text: str, rule: str) -> None:
    """Whoever made the mistake can mend it from the message alone."""
    with pytest.raises(RotaUnusable) as caught:
        parsed(text, "/etc/rota.toml")

    assert str(caught.value).startswith("/etc/rota.toml")
    assert rule in str(caught.value)


async def test_two_people_at_once_is_a_mistake(path: Path) -> None:
    """Shifts that overlap would leave it to chance who is paged; the file is refused, with both names."""
    rewrite(path, SHIFTS.replace('from = "2026-02-01', 'from = "2026-01-15'))
    with pytest.raises(RotaUnusable, match="max and mia"):
        await FileRota(path).refresh()


PEOPLE = """\
[roles]
manager = "Max"

[people.max]
email = "max@example.org"
"""


async def test_the_rota_says_how_people_are_reached(tmp_path: Path) -> None:
    """Names are found whatever their case, addresses lead back to names, and nobody's address is made up."""
    path = tmp_path / "rota.toml"
    path.write_text(PEOPLE)
    rota = FileRota(path)

    assert ("max@example.org", None) == (await rota.email_of("MAX"), await rota.email_of("zoe"))
    assert ("max", None) == (await rota.name_of("Max@Example.org"), await rota.name_of("zoe@example.org"))


@pytest.mark.parametrize(
    "people",
    [
        "[people]\nmax = 1",
        "people = 3",
        "[people.max]",
        '[people.max]\nemail = "max"',
        '[people.max]\nemail = "a@b.org"\nphone = "1"',
        '[people.max]\nemail = "a@b.org"\n[people.MAX]\nemail = "a@b.org"',
        '[people.max]\nemail = "a@b.org, c@d.org"',
    ],
)
def test_a_mistake_in_the_people_is_told_with_the_rule(people: str) -> None:
    """Whoever edits the file hears at once what is wrong with it."""
    text = people + "\n[roles]\n" if people.startswith("people =") else "[roles]\n" + people
    with pytest.raises(RotaUnusable, match="people"):
        parsed(text, "rota.toml")
