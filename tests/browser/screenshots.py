"""Pictures of the pages, from one night that is played in memory: `python -m tests.browser.screenshots [FOLDER]`."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import sync_playwright

from starter.health import Health
from tests.browser.conftest import ARGUMENTS, CHROMIUM, LAPTOP, PHONE, Site

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"

SIZES = {"laptop": LAPTOP, "phone": PHONE}


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


async def well(_: Health) -> dict[str, Any]:
    return {"ok": True, "checks": []}


def main(folder: Path) -> int:
    if CHROMIUM is None:
        sys.stderr.write("chromium is not installed: make browser\n")
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    site = Site()
    Health.ready = well  # type: ignore[method-assign, assignment]  # the desk is in memory: there is no worker to look for
    site.start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        paths = night(site)
        shown: tuple[tuple[Literal["light", "dark"], str], ...] = (("light", "laptop"), ("dark", "phone"))
        for scheme, size in shown:
            for viewport in (SIZES[size],):
                page = browser.new_context(
                    viewport={"width": viewport["width"], "height": viewport["height"]}, color_scheme=scheme, base_url=site.url
                ).new_page()
                for name, path in paths.items():
                    page.goto(path)
                    if name == "room":
                        page.wait_for_selector("#live-state.on")
                    page.screenshot(path=folder / f"{name}-{size}-{scheme}.png")
                page.goto(paths["room"])
                page.wait_for_selector("#live-state.on")
                page.keyboard.press("r")
                page.keyboard.type("The retry policy of api-v248 had no limit")
                page.locator("#f-resolve-fix_applied").fill("Rolled back to api-v247")
                page.locator("#do-resolve button").click()
                page.wait_for_selector("#answer .bad")
                page.locator("#answer").scroll_into_view_if_needed()
                page.screenshot(path=folder / f"refusal-{size}-{scheme}.png")
                page.context.close()
        browser.close()
    site.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))
