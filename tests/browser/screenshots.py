"""Pictures of the pages, from one night that is played in memory: `python -m tests.browser.screenshots [FOLDER]`."""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from playwright.sync_api import sync_playwright

from incident.vocabulary import Phase
from starter.health import Health
from tests.browser.conftest import ARGUMENTS, CHROMIUM, LAPTOP, PHONE, Site
from tests.browser.houses import PHASES, RECORDED, Guarded, House, as_one_of, well

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"

SIZES = {"laptop": LAPTOP, "phone": PHONE}

SHOWN: tuple[tuple[Literal["light", "dark"], str], ...] = (("light", "laptop"), ("dark", "phone"))
"""Each page once light on a laptop and once dark on a phone."""


def night(site: Site) -> dict[str, str]:
    """A SEV1 in mitigation whose internal update is late, and what else is open; the paths of the pages to show."""
    desk = site.desk
    desk.ahead = timedelta(minutes=-21)
    burning = site.open(summary="Card payments in the EU fail since the release of api-v248.", users_affected="18 % of EU checkouts")
    desk.ahead = timedelta(minutes=-20)
    steps: list[tuple[str, str, dict[str, Any]]] = [
        ("priya", "acknowledge", {}),
        ("priya", "assign", {"role": "commander", "person": "priya"}),
        ("priya", "assign", {"role": "communications", "person": "dana"}),
        ("priya", "check", {"item": "channel_created"}),
        ("dana", "post_update", {"audience": "external", "text": "We are looking into failed card payments.", "status": "investigating"}),
        ("priya", "advance", {"reason": "the people are there"}),
    ]
    plan = {
        "option": "rollback",
        "rationale": "the errors began with the release",
        "owner": "wei",
        "action": "Roll back api-v248 in eu-west",
        "verification": ["error rate under 1 %", "p99 under 400 ms"],
        "rollback_plan": "Deploy api-v248 again; the schema has not changed",
    }
    later: list[tuple[str, str, dict[str, Any]]] = [
        ("wei", "hypothesize", {"text": "api-v248 changed the retry policy and overloads the payment gateway"}),
        (
            "dana",
            "post_update",
            {
                "audience": "external",
                "text": "EU card payments fail for about 18 % of attempts. We are rolling back.",
                "status": "identified",
            },
        ),
        ("priya", "mitigate", plan),
        ("priya", "advance", {"reason": "the rest can wait"}),
        ("priya", "check", {"item": "rollback_plan_ready"}),
    ]
    for by, verb, fields in steps:
        site.does(burning, verb, by, **fields)
    desk.ahead = timedelta(minutes=-9)
    for by, verb, fields in later:
        site.does(burning, verb, by, **fields)
    desk.ahead = timedelta(0)
    desk.tick(burning)
    site.open("Login latency doubled after the 14:00 deploy", severity="SEV2", services=["login", "session-store"])
    site.open("Slow search indexing", severity="SEV3", customer_facing=False, services=["search"])
    site.open("Practice: payment timeouts", severity="SEV2", drill=True, services=["payments"])
    site.open("Strange errors in the EU queue", severity=None, customer_facing=None, services=[])
    return {"home": "/", "room": f"/incidents/{burning}", "declare": "/declare", "postmortem": f"/incidents/{burning}/postmortem"}


RECORD = {
    "analytics": "/analytics?days=0",
    "audit": f"/incidents/{RECORDED}/audit?who=people",
    "actions": "/actions",
    "status": "/status",
}
"""Pages that are about many incidents, or about one that is over."""


FLAT = 128
"""So many of a picture's 256 colours are its most frequent ones, to the bit: cards stay lighter than what they lie on."""


def kept(picture: bytes, file: Path) -> None:
    """Write a picture with 256 colours: enough for flat pages, and a third of the bytes."""
    whole = Image.open(io.BytesIO(picture)).convert("RGB")
    counted: Any = whole.getcolors(whole.width * whole.height)
    flat = [colour for _, colour in sorted(counted, reverse=True)[:FLAT]]
    blended = whole.quantize(256 - len(flat), method=Image.Quantize.MEDIANCUT).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*(channel for colour in flat for channel in colour), *blended][:768])
    whole.quantize(palette=palette, dither=Image.Dither.NONE).save(file, optimize=True)


def of_the_night(page: Any, paths: dict[str, str], shoot: Callable[[str], None]) -> None:
    """The pages of an incident that goes on, and a refusal in it."""
    for name, path in paths.items():
        page.goto(path)
        if name == "room":
            page.wait_for_selector("#live-state.on")
        shoot(name)
    page.goto(paths["room"])
    page.wait_for_selector("#live-state.on")
    page.keyboard.press("r")
    page.keyboard.type("The retry policy of api-v248 had no limit")
    page.locator("#f-resolve-fix_applied").fill("Rolled back to api-v247")
    page.locator("#do-resolve button").click()
    page.wait_for_selector("#answer .bad")
    page.locator("#answer").scroll_into_view_if_needed()
    shoot("refusal")


def of_the_record(page: Any, shoot: Callable[[str], None]) -> None:
    """What is told of many nights."""
    for name, path in RECORD.items():
        page.goto(path)
        shoot(name)


def main(folder: Path) -> int:
    if CHROMIUM is None:
        sys.stderr.write("chromium is not installed: make browser\n")
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    site, house = Site(), House()
    guarded, outside = (Guarded(Path(tempfile.mkdtemp(prefix="tocsin-screenshots-")), mode) for mode in ("proxy", "oidc"))
    Health.ready = well  # type: ignore[method-assign, assignment]  # the desk is in memory: there is no worker to look for
    for door in (site, house, guarded, outside):
        door.start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        paths = night(site)
        for scheme, size in SHOWN:

            def window(door: Site, scheme: Any = scheme, size: Any = size, **more: Any) -> Any:
                of_it: Any = SIZES[size]
                more |= {"has_touch": True, "is_mobile": True} if size == "phone" else {}
                return browser.new_context(viewport=of_it, color_scheme=scheme, base_url=door.url, locale="en-GB", **more).new_page()

            def shooting(page: Any, scheme: str = scheme, size: str = size) -> Callable[[str], None]:
                return lambda name: kept(page.screenshot(), folder / f"{name}-{size}-{scheme}.png")

            page = window(site)
            of_the_night(page, paths, shooting(page))
            page = window(house)
            of_the_record(page, shooting(page))
            page = window(outside)
            page.goto(f"/incidents/{PHASES[Phase.MITIGATION]}")
            shooting(page)("sign-in")
            page = window(guarded, extra_http_headers=as_one_of("everybody", "vera"))
            page.goto(f"/incidents/{PHASES[Phase.MITIGATION]}")
            shooting(page)("reader")
            site.desk.working = False
            page = window(site)
            page.goto(paths["room"])
            shooting(page)("no-worker")
            site.desk.working = True
        browser.close()
    for door in (site, house, guarded, outside):
        door.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))
