"""The command line's side of the record: drafts, lists over all incidents, numbers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.starter.stub_server import ONE, Reply, Stub, problem
from tests.starter.test_cli import Cli, cli, stub

__all__ = ["cli", "stub"]

DRAFT = f"/incidents/{ONE}/postmortem/draft"


def section(name: str, text: str, version: int = 0, **more: Any) -> dict[str, Any]:
    return {"section": name, "text": text, "version": version, "by": None, "at": None, "filled": True, "missing": None, **more}


@pytest.fixture
def written(stub: Stub) -> Stub:
    """A draft in work: the summary in its third version, the root cause still to write."""
    sections = [
        section("summary", "Checkout failed.", 3, by="dana"),
        section("root-cause", "[…]", filled=False, missing="is not written yet"),
    ]
    stub.says[f"GET {DRAFT}"] = Reply(200, {"incident": ONE, "filing": 7, "sections": sections})
    return stub


def test_the_sections_of_a_draft_are_listed_with_what_is_missing(cli: Cli, written: Stub) -> None:
    """One sees what is still to write."""
    assert cli("pm", "draft", ONE).out == "summary\twritten\t3\tdana\t\nroot-cause\trequired\t\t\t\n"


def test_a_section_is_printed(cli: Cli, written: Stub) -> None:
    """Its text is data, and the version is talk."""
    ran = cli("pm", "draft", ONE, "summary")

    assert (ran.code, ran.out, ran.err) == (0, "Checkout failed.\n", "version 3\n")


@pytest.mark.parametrize(
    ("args", "stdin", "text", "base"),
    [
        (["-m", "Better."], None, "Better.", 3),
        (["-"], "From a\nfile.", "From a\nfile.", 3),
        (["-m", "-"], "From a pipe.", "From a pipe.", 3),
        (["-m", "", "--base", "2"], None, "", 2),
    ],
)
def test_a_section_is_written_over_the_version_that_there_is(
    cli: Cli, written: Stub, args: list[str], stdin: str | None, text: str, base: int
) -> None:
    """What a page can save, a script can; it says who wrote and over what."""
    written.says[f"PUT {DRAFT}/summary"] = Reply(200, {"version": 4, "section": "summary"})
    ran = cli("pm", "draft", ONE, "summary", *args, stdin=stdin)

    assert ran.code == 0
    assert written.asked[-1].body == {"text": text, "base": base, "filing": 7, "by": "ana"}
    assert "version 4 saved" in ran.out


def test_6_somebody_else_has_written_it(cli: Cli, written: Stub) -> None:
    """Nothing is overwritten; their text is shown, and with --json it is in the error."""
    theirs = {"version": 4, "by": "ben", "text": "Ben's\ntext."}
    written.says[f"PUT {DRAFT}/summary"] = problem(409, "draft-conflict", "ben has written Summary since you began.", theirs=theirs)
    ran = cli("pm", "draft", ONE, "summary", "-m", "Mine.", "--base", "3")
    told = cli("pm", "draft", ONE, "summary", "-m", "Mine.", "--base", "3", "--json")

    assert ran.code == told.code == 6
    assert ran.err == "error: ben has written Summary since you began.\n  theirs, version 4, by ben:\n  | Ben's\n  | text.\n"
    assert told.error["theirs"] == theirs


def test_3_no_such_section(cli: Cli, written: Stub) -> None:
    """The sections that there are, are named."""
    ran = cli("pm", "draft", ONE, "weather")

    assert ran.code == 3
    assert "summary, root-cause" in ran.err


@pytest.mark.parametrize("args", [["pm", "draft", ONE, "-m", "x"], ["pm", "draft", ONE, "a", "b"], ["action", "list", ONE, "--all"]])
def test_2_what_is_typed_makes_no_sense(cli: Cli, written: Stub, args: list[str]) -> None:
    """Nothing is guessed, and nothing is sent."""
    assert cli(*args).code == 2
    assert [asked for asked in written.asked if asked.method != "GET"] == []


def test_every_version_of_a_section_is_there(cli: Cli, written: Stub) -> None:
    """Whatever was written once can be read again."""
    versions = [
        {"version": 2, "at": "2026-11-24T03:00:00Z", "by": "ben", "text": "two"},
        {"version": 1, "at": "x", "by": "ana", "text": "one"},
    ]
    written.says[f"GET {DRAFT}/summary"] = Reply(200, {"versions": versions})

    assert cli("pm", "draft", ONE, "summary", "--history").out == "2\t2026-11-24T03:00:00Z\tben\ttwo\n1\tx\tana\tone\n"


def test_an_amendment_is_published(cli: Cli, stub: Stub) -> None:
    """Where the draft differs from what was filed, publishing files it again."""
    filed = {"incident": ONE, "filed": True, "filed_at": "2026-11-24T05:00:00Z", "by": "ana", "state": "amending"}

    def shown(asked: Any) -> Reply:
        return Reply(200, {**filed, "document": "amended" if asked.query.get("draft") else "filed"})

    stub.says[f"GET /incidents/{ONE}/postmortem"] = shown
    stub.says[f"POST /incidents/{ONE}/file_postmortem"] = Reply(
        200, {"incident": ONE, "phase": "post_incident", "accepted": True, "events": []}
    )

    assert cli("pm", "publish", ONE).code == 0
    assert [asked.body["document"] for asked in stub.posted()] == ["amended"]
    assert cli("pm", "show", ONE).out == "filed\n"
    assert cli("pm", "show", ONE, "--draft").out == "amended\n"


def test_where_every_post_mortem_stands(cli: Cli, stub: Stub) -> None:
    """What is owed can be asked for alone."""
    common = {"severity": "SEV1", "drill": False, "title": "Checkout", "due": "2026-11-26T03:00:00Z", "by": None}
    rows = [{**common, "incident": ONE, "state": "due", "draft": {"by": "ben"}}, {**common, "incident": "INC-2026-0001", "state": "filed"}]
    stub.says["GET /postmortems"] = Reply(200, {"postmortems": rows})

    assert cli("pm", "list", "--owed", "-o", "id").out == f"{ONE}\n"
    assert f"{ONE}\tSEV1\tdue\t2026-11-26T03:00:00Z\tben\t\tCheckout\n" in cli("pm", "list").out


def test_the_action_items_of_all_incidents(cli: Cli, stub: Stub) -> None:
    """One person's, still to do, over every incident."""
    item = {"incident": ONE, "id": "AI-1", "status": "open", "due": "2026-11-20", "owner": "ben", "item": "Budget", "overdue": True}
    stub.says["GET /actions"] = Reply(200, {"action_items": [item]})
    ran = cli("action", "list", "--all", "--open", "--owner", "ben")

    assert ran.out == f"{ONE}\tAI-1\topen\t2026-11-20\tben\tBudget\n"
    assert stub.asked[-1].query == {"open": "true", "owner": "ben"}


def test_numbers_with_a_filter_tell_what_was_on_time(cli: Cli, stub: Stub) -> None:
    """The times are data; what was on time, refused and is to do is told beside them."""
    spread = {"median": 60.0, "p90": 90.0}
    group = {"incidents": 3, **dict.fromkeys(("acknowledge", "declare", "mitigate", "resolve"), spread)}
    stub.says["GET /analytics"] = Reply(
        200,
        {
            "times": {"all": group, "by_severity": {}, "by_service": {"checkout": group}},
            "on_time": {
                "internal_update": {"due": 3, "on_time": 2, "too_few": True},
                "postmortem": {"due": 0, "on_time": 0, "too_few": True},
            },
            "refusals": [{"code": "wrong-phase", "count": 2}],
            "action_items": {"total": 1, "open": 1, "overdue": 0, "done": 0, "waived": 0},
        },
    )
    ran = cli("stats", "--days", "30", "--sev", "1", "--service", "checkout")

    assert stub.asked[-1].query == {"days": "30", "severity": "SEV1", "service": "checkout"}
    assert ran.out.splitlines()[1] == "checkout\t3\t60.0/90.0\t60.0/90.0\t60.0/90.0\t60.0/90.0"
    assert "internal update: 2 of 3 on time (too few to compare)" in ran.err
    assert "refused: wrong-phase 2" in ran.err
    assert "postmortem" not in ran.err


def test_the_numbers_as_csv(cli: Cli, stub: Stub) -> None:
    """What the page downloads goes to standard output, as the server wrote it."""
    stub.says["GET /analytics.csv"] = Reply(200, b"incident,title\r\nINC-2026-0001,'=1\r\n", "text/csv")
    ran = cli("stats", "--csv")

    assert ran.out.splitlines() == ["incident,title", "INC-2026-0001,'=1"]


def test_a_conflict_is_one_json_object(cli: Cli, written: Stub) -> None:
    """Scripts get both versions to put together."""
    written.says[f"PUT {DRAFT}/summary"] = problem(409, "draft-conflict", "no", theirs={"version": 4, "by": "ben", "text": "b"})

    assert json.loads(cli("pm", "draft", ONE, "summary", "-m", "x", "--json").err)["code"] == "draft-conflict"


def test_what_is_asked_of_me_is_one_line_a_duty(cli: Cli, stub: Stub) -> None:
    """Whoever is asked for something sees it without a browser; somebody else's is asked for by name."""
    duty = {"incident": ONE, "title": "Checkout", "what": "internal update", "owner": "ana", "due": "2026-11-24T03:10:00Z", "overdue": True}
    stub.says["GET /duties"] = Reply(200, {"person": "ana", "duties": [duty]})

    assert cli("mine").out == f"{ONE}\t2026-11-24T03:10:00Z\tinternal update\tana\tCheckout\n"
    assert cli("mine", "--of", "ana", "-o", "id").out == f"{ONE}\n"
    assert stub.asked[-1].query == {"person": "ana"}
