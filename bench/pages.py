"""What the pages weigh on the wire, and how soon they show something; on a desk in memory, so that nothing else is measured."""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import statistics
import sys
from typing import Any

from bench.report import Figure

WEIGHT, PAINT = 60, 1000
"""kB that a page may weigh with an empty cache, and milliseconds until it shows something."""


async def figures(*, rounds: int = 1) -> list[Figure]:
    """Weight and first paint of the main pages; none, and a word on stderr, where there is no browser."""
    if importlib.util.find_spec("playwright") is None or not (shutil.which("chromium") or shutil.which("chromium-browser")):
        sys.stderr.write("the pages are not measured: there is no chromium here (make browser installs it)\n")
        return []
    return await asyncio.to_thread(_measured, 3 * rounds)


def _measured(times: int) -> list[Figure]:
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import ARGUMENTS, CHROMIUM, Site

    site = Site()
    site.start()
    found = []
    try:
        incident = site.open()
        for number in range(20):
            site.does(incident, "note", text=f"looking at shard {number}")
        pages = {
            "home": "/",
            "room": f"/incidents/{incident}",
            "post-mortem": f"/incidents/{incident}/postmortem",
            "audit": f"/incidents/{incident}/audit",
            "analytics": "/analytics",
        }
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            for name, path in pages.items():
                seen = [_seen(browser, site.url + path) for _ in range(times)]
                weight, paint = (statistics.median(values) for values in zip(*seen, strict=True))
                found += [
                    Figure("UX1", f"{name}: weight with an empty cache", "kB", weight, goal=WEIGHT, absolute=True),
                    Figure("UX1", f"{name}: first contentful paint", "ms", paint, goal=PAINT, absolute=True),
                ]
            browser.close()
    finally:
        site.stop()
    return found


def _seen(browser: Any, url: str) -> tuple[float, float]:
    """kB on the wire, and milliseconds to the first paint, of a page that nobody has seen yet."""
    context = browser.new_context()
    page = context.new_page()
    client = context.new_cdp_session(page)
    client.send("Network.enable")
    sizes: list[float] = []
    client.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto(url)
    page.wait_for_timeout(500)
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    context.close()
    return sum(sizes) / 1000, float(paint)
