"""What stands around every page: its headers, its static files, its settings, and how problems look there."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import httpx2
import pytest

from starter.web.rendering import asset, span, static, utc

PAGE = {"Accept": "text/html"}


async def test_a_page_forbids_code_from_elsewhere_and_code_in_its_markup(http: httpx2.AsyncClient) -> None:
    """Text that somebody smuggles into a page can run nothing."""
    answers = [await http.get(path, headers=PAGE) for path in ("/", "/docs", "/nowhere")]

    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "unsafe" not in policy
        assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", answer.text) == []
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_static_files_may_be_kept_for_ever_under_the_address_of_their_content(http: httpx2.AsyncClient) -> None:
    """A new version has a new address; an old address is not kept."""
    now, before = await http.get(static("tocsin.css")), await http.get("/static/000000000000/tocsin.css")

    assert (now.status_code, before.status_code) == (200, 200)
    assert now.headers["content-type"].startswith("text/css")
    assert "immutable" in now.headers["cache-control"]
    assert before.headers["cache-control"] == "no-cache"
    assert (asset("tocsin.css") or pytest.fail("no such file")).body.decode() == now.text


@pytest.mark.parametrize("name", ["nothing.css", "..%2Frendering.py", "%2e%2e/rendering.py", "", "vendor"])
async def test_nothing_but_static_files_is_served_as_one(http: httpx2.AsyncClient, name: str) -> None:
    """No address leads out of the folder of static files."""
    assert (await http.get(f"/static/0/{name}")).status_code == 404


async def test_a_problem_is_a_page_to_people_and_a_document_to_programs(http: httpx2.AsyncClient) -> None:
    """Whoever asks with a browser reads the sentence; whoever asks with a program gets its members."""
    read, parsed, api = [
        await http.get(path, headers=headers) for path, headers in (("/nowhere", PAGE), ("/nowhere", {}), ("/api/v1/nowhere", PAGE))
    ]

    assert [answer.status_code for answer in (read, parsed, api)] == [404, 404, 404]
    assert read.headers["content-type"].startswith("text/html")
    assert "There is nothing at /nowhere" in read.text
    assert parsed.json()["code"] == "unknown"
    assert api.json()["code"] == "unknown"


@pytest.mark.parametrize(
    ("theme", "written"),
    [
        ("dark", '<html lang="en" data-theme="dark">'),
        ("light", '<html lang="en" data-theme="light">'),
        ('"><script>', '<html lang="en">'),
    ],
)
async def test_the_theme_is_kept_without_scripts(http: httpx2.AsyncClient, theme: str, written: str) -> None:
    """Light or dark is a form; what is no theme is not kept."""
    answer = await http.post("/preferences", data={"theme": theme}, headers={"Referer": "http://127.0.0.1:8700/docs?a=1"})
    after = (await http.get("/")).text

    assert (answer.status_code, answer.headers["location"]) == (303, "/docs?a=1")
    assert written in after


async def test_a_setting_leads_back_to_this_door_only(http: httpx2.AsyncClient) -> None:
    """A page elsewhere can't be the way back."""
    answers = [
        await http.post("/preferences", data={"theme": "dark"}, headers={"Referer": address})
        for address in ("https://elsewhere.example/x", "http://127.0.0.1:8700//elsewhere.example/x", "nonsense")
    ]

    assert [answer.headers["location"] for answer in answers] == ["/", "/elsewhere.example/x", "/"]


async def test_the_pages_do_not_stand_in_the_interface_for_programs(http: httpx2.AsyncClient) -> None:
    """Programs have the API; pages may change with every version."""
    described = (await http.get("/openapi.json")).json()

    assert [path for path in described["paths"] if not path.startswith(("/api/", "/healthz", "/readyz", "/metrics", "/webhooks/"))] == []


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0:00"), (65, "1:05"), (-138, "2:18"), (3599, "59:59"), (4320, "1 h 12"), (187_200, "2 d 4 h")]
)
def test_how_long_is_said_in_few_characters(seconds: int, said: str) -> None:
    """A countdown fits where a clock fits."""
    assert span(seconds) == said


def test_a_moment_of_another_day_carries_its_date() -> None:
    """03:10 is not enough where it was yesterday."""
    now = datetime(2026, 11, 24, 3, 12, tzinfo=UTC)

    assert utc("2026-11-24T02:35:00Z", now) == "02:35 UTC"
    assert utc("2026-11-23T02:35:00+01:00", now) == "23 Nov 01:35 UTC"
    assert utc("2025-11-23T02:35:00Z", now) == "23 Nov 2025 02:35 UTC"
