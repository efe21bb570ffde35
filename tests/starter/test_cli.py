"""The command line in one process, against a scripted server: exit codes, errors, formats, and which incident is meant."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from incident.analytics import MILESTONES
from incident.postmortem import SECTIONS
from starter.cli import app, client, wait
from starter.cli.failures import OF_SECTIONS
from tests.incident.walk import Walk
from tests.starter.stub_server import ONE, TWO, Reply, Stub, accepted, entry, problem, refused, row, serving, state


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def error(self) -> Any:
        """The one JSON object on stderr."""
        return json.loads(self.err)


Cli = Callable[..., Ran]


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving() as stub:
        stub.holds(state())
        yield stub


@pytest.fixture
def cli(stub: Stub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run one command line as `ana`, with an optional standard input; repeats come at once."""
    monkeypatch.setenv("TOCSIN_URL", stub.url)
    monkeypatch.setenv("TOCSIN_USER", "ana")
    monkeypatch.setattr(client.Client.__init__, "__kwdefaults__", {"pauses": (0.01, 0.01), "within": 5.0})

    def run(*args: str, stdin: str | None = None) -> Ran:
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = app.run(args)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


def test_0_done(cli: Cli, stub: Stub) -> None:
    """A command that was carried out says in one line what happened, which clocks run, and what is next."""
    stub.says[f"POST /incidents/{ONE}/acknowledge"] = accepted(entry(4, "acknowledged", "ana acknowledged after 1 min 47 s"))
    ran = cli("ack", ONE)

    assert ran.code == 0
    assert ran.out == f"{ONE}  ana acknowledged after 1 min 47 s\n"
    assert "external update due 03:10 UTC (OVERDUE +2:18)   internal update due 03:16 UTC (3:42 left)" in ran.err
    assert f"next: tocsin update {ONE} --external" in ran.err


def test_0_already_so(cli: Cli, stub: Stub) -> None:
    """What is so already is done."""
    stub.says[f"POST /incidents/{ONE}/acknowledge"] = accepted()
    ran = cli("ack", ONE)

    assert (ran.code, ran.out) == (0, f"{ONE}  already so; nothing has changed\n")


def test_1_error(cli: Cli, stub: Stub) -> None:
    """A mistake of the server's is an error."""
    stub.says[f"GET /incidents/{ONE}"] = problem(500, "broken", "This is a mistake of ours.")
    ran = cli("show", ONE)

    assert (ran.code, ran.out, ran.err) == (1, "", "error: This is a mistake of ours.\n")


def test_measurements_and_findings_are_shown(cli: Cli, stub: Stub) -> None:
    """What is measured, how it stands, and what was looked up, in the words of the state; a query not yet looked at is named."""
    readings = {"error_ratio": {"verdict": "red", "said": "error_ratio is 0.31 at 03:00:00, at most 0.05 is well"}}
    queries = [{"name": "error_ratio", "expression": "x"}, {"name": "cpu", "expression": "avg(cpu)"}]
    finding = {"id": "deployments", "text": "none", "corrected_to": "v248, by hand", "confirmed_by": "eva"}
    seen: dict[str, Any] = {
        "queries": queries,
        "evidence": {"readings": readings, "firing": ["PaymentsSlow (checkout)"]},
        "findings": [finding],
    }
    stub.says[f"GET /incidents/{ONE}"] = Reply(200, state(**seen))
    lines = cli("show", ONE).out.splitlines()

    assert "- red: error_ratio is 0.31 at 03:00:00, at most 0.05 is well" in lines
    assert "- cpu: avg(cpu)" in lines
    assert "- firing: PaymentsSlow (checkout)" in lines
    assert "- deployments: v248, by hand (eva)" in lines


def test_1_something_else_listens(cli: Cli, stub: Stub) -> None:
    """Another program at the address is told from an incident that does not exist."""
    stub.says[f"GET /incidents/{ONE}"] = Reply(404, b"<h1>Not here</h1>", "text/html")
    ran = cli("show", ONE)

    assert ran.code == 1
    assert "does not speak as Tocsin does" in ran.err


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["ackk"], "did you mean"),
        (["resolve", ONE], "missing: --root-cause, --fix-applied"),
        (["update", ONE, "-m", "x"], "--internal or --external"),
        (["confirm", ONE, "happiness"], "'happiness' is not one of"),
        (["sev", ONE, "9", "-m", "x"], "'9' is not one of SEV1, SEV2, SEV3"),
        (["declare", "Checkout fails"], "--sev 1|2|3"),
        (["report"], "say what is wrong"),
        (["close", ONE, "now"], "does not know what to do with 'now'"),
        (["action", "add", ONE, "x", "--owner", "ana", "--due", "soon"], "'soon' is no date"),
        (["schedule-retrospective", ONE, "--at", "later"], "'later' is no moment"),
        (["declare", ONE, "--sev", "1", "--service", "checkout"], "tocsin describe"),
        (["note", ONE, "-m", "x", "--colour", "red"], "--colour"),
        (["pm", "file", ONE, "/nowhere/at/all.md"], "can't be read"),
        (["--url", "ftp://x", "list"], "must look like http://"),
    ],
)
def test_2_usage(cli: Cli, stub: Stub, args: list[str], told: str) -> None:
    """What can't be understood is told with the way to say it, and nothing is sent."""
    ran = cli(*args)

    assert ran.code == 2
    assert told in ran.err
    assert stub.posted() == []


def test_2_wrong_shape(cli: Cli, stub: Stub) -> None:
    """A field that the server does not take is usage, told by the option's name."""
    errors = [{"field": "root_cause", "message": "is empty"}, {"field": "factors.workaround", "message": "must be a boolean"}]
    stub.says[f"POST /incidents/{ONE}/note"] = problem(422, "invalid-input", "root_cause: is empty", errors=errors)
    ran = cli("note", ONE, "-m", " ")

    assert (ran.code, ran.err) == (2, "error: --root-cause: is empty\nerror: --workaround: must be a boolean\n")


def test_3_not_found(cli: Cli) -> None:
    """An incident that does not exist is not found, and neither is a name that no incident has."""
    assert cli("show", "INC-2026-9999").code == 3
    assert cli("show", "checkout").code == 3
    assert cli("verify", "no-such-file.json").code == 3


def test_4_sign_in_needed(cli: Cli, stub: Stub) -> None:
    """A server that wants to know who asks says so."""
    stub.says["GET /incidents"] = problem(401, "sign-in-needed", "Sign in first.")

    assert cli("list").code == 4


def test_5_refused_by_the_process(cli: Cli, stub: Stub) -> None:
    """A refusal names everything in the way, until when, and how to go on."""
    stub.says[f"POST /incidents/{ONE}/resolve"] = refused()
    ran = cli("resolve", ONE, "--root-cause", "v248", "--fix-applied", "rolled back")
    told = ran.err.splitlines()

    assert (ran.code, ran.out) == (5, "")
    assert told == [
        f"refused: {ONE}: Cannot mark resolved until verification complete. This prevents reopened incidents.",
        "  x verification-incomplete  The verification period of 15 min is not over: 13 min 20 s left. (until 03:25:00 UTC)",
        f"    wait: tocsin wait {ONE} --for verified",
        "  x metrics-not-at-baseline  Nobody has confirmed that monitoring shows the metrics returned to baseline.",
        f'    fix: tocsin confirm {ONE} metrics_at_baseline -m "…"',
        "instead: Wait full verification period, then resolve again.",
    ]


def test_5_what_monitoring_judges_is_waited_for(cli: Cli, stub: Stub) -> None:
    """The command that monitoring has just spoken against is not what to do next."""
    answer = refused("metrics-not-at-baseline")
    blockers = [
        {"code": "metrics-not-at-baseline", "message": "error ratio is 4 %, at most 1 % is well"},
        {"code": "alerts-still-firing", "message": "Firing: HighErrorRate"},
    ]
    answer.body["refusal"]["blockers"] = blockers
    stub.says[f"POST /incidents/{ONE}/confirm"] = answer
    ran = cli("confirm", ONE, "metrics_at_baseline", "-m", "looks fine")

    assert ran.code == 5
    assert ran.err.splitlines()[1:-1] == [
        "  x metrics-not-at-baseline  error ratio is 4 %, at most 1 % is well",
        f"    wait: tocsin wait {ONE} --for verified",
        f'    or: tocsin measure {ONE} NAME --drop --reason "…"',
        "  x alerts-still-firing      Firing: HighErrorRate",
        f"    wait: tocsin wait {ONE} --for verified",
    ]


def test_6_conflict(cli: Cli, stub: Stub) -> None:
    """What somebody else has changed meanwhile is a conflict, not a refusal."""
    stub.says[f"POST /incidents/{ONE}/close"] = problem(409, "conflict", "Somebody was quicker.")

    assert cli("close", ONE).code == 6


def test_7_unreachable(cli: Cli, stub: Stub) -> None:
    """Where nothing answers, the key under which to try again is told."""
    stub.stop()
    ran = cli("ack", ONE, "--key", "k-1")

    assert ran.code == 7
    assert "connection refused" in ran.err
    assert "--key k-1" in ran.err


def test_7_temporal_unreachable(cli: Cli, stub: Stub) -> None:
    """A server that has lost Temporal is tried again, and then told apart from one that is gone."""
    stub.says[f"POST /incidents/{ONE}/acknowledge"] = problem(503, "temporal-unreachable", "Temporal can't be reached.")
    ran = cli("ack", ONE, "--json", "--key", "k-1")

    assert ran.code == 7
    assert (ran.error["code"], ran.error["key"]) == ("temporal-unreachable", "k-1")
    assert [asked.key for asked in stub.posted()] == ["k-1", "k-1", "k-1"]


def test_8_wait_timed_out(cli: Cli) -> None:
    """A wait that is over says where the incident is."""
    ran = cli("wait", ONE, "--for", "resolved", "--timeout", "0.05s")

    assert ran.code == 8
    assert "it is in mitigation" in ran.err


@pytest.mark.parametrize("args", [["show", "INC-2026-9999"], ["resolve", ONE], ["ackk"], ["-o", "json", "show", "INC-2026-9999"]])
def test_errors_are_one_json_object_with_json(cli: Cli, args: list[str]) -> None:
    """With --json stderr holds one object, also where the command line itself was not understood."""
    ran = cli(*args, *([] if "json" in args else ["--json"]))

    assert ran.out == ""
    assert {"type", "code", "detail"} <= set(ran.error)


def test_a_refusal_is_whole_in_json(cli: Cli, stub: Stub) -> None:
    """A script gets the refusal with all its blockers."""
    stub.says[f"POST /incidents/{ONE}/resolve"] = refused()
    ran = cli("resolve", ONE, "--root-cause", "a", "--fix-applied", "b", "--json")

    assert ran.error["code"] == "verification-incomplete"
    assert ran.error["refusal"]["blockers"][0]["until"] == "2026-11-24T03:25:00Z"


def test_a_cut_connection_is_tried_again_under_the_same_key(cli: Cli, stub: Stub) -> None:
    """A command whose answer was lost is asked again as the same request."""
    stub.says[f"POST /incidents/{ONE}/note"] = accepted(entry(4))
    stub.cuts = 1
    ran = cli("note", ONE, "rolled back", "-o", "id")

    assert (ran.code, ran.out) == (0, f"{ONE}\n")
    assert len(stub.posted()) == 2
    assert len({asked.key for asked in stub.posted()}) == 1


def test_every_invocation_has_its_own_key(cli: Cli, stub: Stub) -> None:
    """Two commands are two requests, unless --key says otherwise."""
    stub.says[f"POST /incidents/{ONE}/note"] = accepted(entry(4))
    for extra in ([], [], ["--key", "mine"], ["--key", "schlüssel"]):
        cli("note", ONE, "-m", "x", "-o", "id", *extra)
    keys = [asked.key for asked in stub.posted()]

    assert len(set(keys)) == 4
    assert (keys[2], keys[3], stub.posted()[3].body["key"]) == ("mine", None, "schlüssel")


@pytest.mark.parametrize("name", ["41", ONE, ONE.lower(), f"http://127.0.0.1:8700/incidents/{ONE}"])
def test_an_incident_has_several_names(cli: Cli, name: str) -> None:
    """Its number, its id, and an address that holds it all name the incident."""
    assert cli("status", name, "-o", "id").out == f"{ONE}\n"


def test_the_only_open_incident_needs_no_name(cli: Cli, stub: Stub) -> None:
    """Where one incident is open, it is meant."""
    stub.says[f"POST /incidents/{ONE}/acknowledge"] = accepted()

    assert cli("ack").code == 0


def test_one_of_several_must_be_named(cli: Cli, stub: Stub) -> None:
    """Where several are open, the choices are named and nothing is done."""
    stub.holds(state(), state(TWO, title="Search is slow"))
    ran = cli("ack")

    assert ran.code == 2
    assert f"{TWO}  SEV1  Search is slow" in ran.err
    assert stub.posted() == []


TWELVE = {"delivery": "12", "text": "We roll back."}

SENT: list[tuple[str, list[str], dict[str, Any]]] = [
    ("change_severity", ["sev", ONE, "2", "-m", "contained"], {"severity": "SEV2", "reason": "contained"}),
    ("change_severity", ["sev", "1", "-m", "worse"], {"severity": "SEV1", "reason": "worse"}),
    ("change_severity", ["change-severity", ONE, "--severity", "sev3", "--reason", "x"], {"severity": "SEV3", "reason": "x"}),
    ("assign", ["role", ONE, "commander", "priya"], {"role": "commander", "person": "priya"}),
    ("assign", ["assign", "--role", "scribe", "--person", "dana"], {"role": "scribe", "person": "dana"}),
    ("post_update", ["update", ONE, "--internal", "-m", "on it"], {"audience": "internal", "text": "on it"}),
    ("post_update", ["update", "--external", "-m", "sorry", "--yes"], {"audience": "external", "text": "sorry"}),
    (
        "post_update",
        ["post-update", ONE, "--audience", "external", "--text", "sorry", "--status", "identified"],
        {"audience": "external", "text": "sorry", "status": "identified"},
    ),
    ("note", ["note", "rolled back"], {"text": "rolled back"}),
    ("note", ["note", "41", "rolled back"], {"text": "rolled back"}),
    ("check", ["check", ONE, "--item", "related_alerts_checked"], {"item": "related_alerts_checked"}),
    ("check", ["check", "related_alerts", "-m", "none"], {"item": "related_alerts", "note": "none"}),
    ("confirm", ["confirm", ONE, "symptom-resolved"], {"criterion": "symptom_resolved"}),
    ("finish_mitigation", ["finish-mitigation", ONE, "--failed"], {"succeeded": False}),
    ("finish_mitigation", ["finish-mitigation", ONE, "--succeeded", "-m", "ok"], {"succeeded": True, "note": "ok"}),
    ("complete_action_item", ["action", "done", ONE, "AI-1"], {"id": "AI-1"}),
    (
        "change_action_item",
        ["action", "change", ONE, "AI-1", "--owner", "eva", "--due", "2026-12-08", "-m", "Limit them"],
        {"id": "AI-1", "owner": "eva", "due": "2026-12-08", "item": "Limit them"},
    ),
    (
        "add_action_item",
        ["action", "add", ONE, "--item", "Limit retries", "--owner", "ana", "--due", "2026-12-01"],
        {"item": "Limit retries", "owner": "ana", "due": "2026-12-01"},
    ),
    (
        "describe",
        ["describe", ONE, "--affected", "a", "--service", "b", "--no-customer-facing"],
        {"affected": ["a", "b"], "customer_facing": False},
    ),
    ("declare", ["declare", ONE, "--sev", "1"], {"severity": "SEV1"}),
    (
        "declare",
        ["declare", "--complete-outage", "--users-affected-percent", "60"],
        {"factors": {"complete_outage": True, "users_affected_percent": 60.0}},
    ),
    ("schedule_retrospective", ["schedule-retrospective", ONE, "--at", "2026-11-30T10:00+01:00"], {"at": "2026-11-30T09:00:00Z"}),
    (
        "dismiss",
        ["dismiss", ONE, "--as", "duplicate", "-m", "same", "--duplicate-of", TWO],
        {"reason": "same", "as": "duplicate", "duplicate_of": TWO},
    ),
    (
        "resolve",
        ["resolve", ONE, "--root-cause", "a", "--fix-applied", "b", "--next-steps", "c", "--next-steps", "d"],
        {"root_cause": "a", "fix_applied": "b", "next_steps": ["c", "d"]},
    ),
    ("restrict", ["restrict", ONE, "-m", "it may be a breach"], {"reason": "it may be a breach"}),
    ("retry_delivery", ["delivery", "retry", ONE, "12"], {"delivery": "12"}),
    ("replace_delivery", ["delivery", "replace", ONE, "12", "-m", "We roll back.", "--to", "general"], {**TWELVE, "to": "general"}),
    ("give_up_delivery", ["delivery", "give-up", ONE, "12", "-m", "told by phone"], {"delivery": "12", "reason": "told by phone"}),
    ("invite", ["invite", ONE, "fay"], {"person": "fay"}),
    ("waive", ["waive", "internal_update", "-m", "all in one room"], {"obligation": "internal_update", "reason": "all in one room"}),
]


@pytest.mark.parametrize(("verb", "args", "body"), SENT, ids=[" ".join(args[:3]) for _, args, _ in SENT])
def test_what_is_typed_is_what_is_sent(cli: Cli, stub: Stub, verb: str, args: list[str], body: dict[str, Any]) -> None:
    """Options, bare words and short forms become the fields that the incident takes, with who asks."""
    stub.says[f"POST /incidents/{ONE}/{verb}"] = accepted(entry(4))
    ran = cli(*args, "-o", "id")

    assert (ran.code, ran.err) == (0, "")
    assert stub.posted()[0].body == {"by": "ana", **body}


@pytest.mark.parametrize("args", [["note", ONE, "-"], ["note", ONE, "-m", "-"], ["note", "--text", "-"]])
def test_a_text_may_come_from_standard_input(cli: Cli, stub: Stub, args: list[str]) -> None:
    """A dash stands for what is piped in."""
    stub.says[f"POST /incidents/{ONE}/note"] = accepted(entry(4))
    cli(*args, stdin="two\nlines — ☎\n")

    assert stub.posted()[0].body["text"] == "two\nlines — ☎\n"


def test_by_says_who(cli: Cli, stub: Stub) -> None:
    """--by wins over TOCSIN_USER."""
    stub.says[f"POST /incidents/{ONE}/approve"] = accepted(entry(4))
    cli("approve", ONE, "--by", "ben")

    assert stub.posted()[0].body == {"by": "ben"}


def test_declare_opens_a_new_incident(cli: Cli, stub: Stub) -> None:
    """A title opens an incident that is declared at once."""
    stub.says["POST /incidents"] = Reply(201, state(phase="declaration"))
    args = ["declare", "Checkout fails", "--sev", "1", "--service", "checkout", "--customer-facing", "--summary", "18% of payments"]
    ran = cli(*args)

    assert ran.code == 0
    assert ran.out.startswith(f"{ONE}  declared  SEV1  Checkout returns 5xx in the EU  commander: priya  http://127.0.0.1:")
    assert stub.posted()[0].body == {
        "by": "ana",
        "title": "Checkout fails",
        "severity": "SEV1",
        "services": ["checkout"],
        "customer_facing": True,
        "summary": "18% of payments",
    }


def test_a_severity_that_was_not_taken_is_a_refusal_of_an_incident_that_exists(cli: Cli, stub: Stub) -> None:
    """The incident is told of even where its declaration was refused."""
    refusal = {"code": "undocumented", "message": "No.", "required_action": "Give a reason.", "blockers": []}
    stub.says["POST /incidents"] = Reply(201, state(phase="detection", severity=None, refusal=refusal))
    ran = cli("declare", "Checkout fails", "--sev", "3", "--complete-outage")

    assert ran.code == 5
    assert f"{ONE}  open in detection" in ran.out
    assert "instead: Give a reason." in ran.err


def test_a_severity_that_the_factors_contradict_is_told_beside_the_one_they_give(cli: Cli, stub: Stub) -> None:
    """The incident is declared, so the command has done what was asked; why it is another severity stands beside it."""
    refusal = {"code": "undocumented", "message": "The factors say SEV1.", "required_action": "Give a reason.", "blockers": []}
    stub.says["POST /incidents"] = Reply(201, state(severity="SEV1", refusal=refusal))
    ran = cli("declare", "Checkout fails", "--sev", "3", "--complete-outage")

    assert ran.code == 0
    assert f"{ONE}  declared  SEV1" in ran.out
    assert f"The factors say SEV1. The factors decided. To change it: tocsin sev {ONE}" in ran.err


def test_the_version_is_data_like_any_other(cli: Cli, stub: Stub) -> None:
    """Scripts read it as JSON, people as a line; nothing is asked of the server for it."""
    line, document = cli("version"), cli("version", "--json")

    assert (line.code, document.code, stub.asked) == (0, 0, [])
    assert json.loads(document.out) == {"version": line.out.strip()}


def test_report_opens_in_detection(cli: Cli, stub: Stub) -> None:
    """A report has no severity yet."""
    stub.says["POST /incidents"] = Reply(201, state(phase="detection", severity=None))
    ran = cli("report", "Search is slow", "-o", "id")

    assert (ran.code, ran.out) == (0, f"{ONE}\n")
    assert stub.posted()[0].body == {"by": "ana", "title": "Search is slow"}


ROWS = [
    row("INC-2026-0001", next_due=None, next_clock=None),
    row("INC-2026-0002", next_due="2026-11-24T03:30:00Z", drill=True),
    row("INC-2026-0003", next_due="2026-11-24T03:10:00Z", title="Zahlung | 決済 \x1b[31mred"),
]


def test_the_list_is_sorted_by_the_most_urgent_clock(cli: Cli, stub: Stub) -> None:
    """The longest overdue comes first, what owes nothing last; a drill is marked."""
    stub.says["GET /incidents"] = Reply(200, {"incidents": ROWS})

    assert cli("list", "-o", "id").out.split() == ["INC-2026-0003", "INC-2026-0002", "INC-2026-0001"]
    assert "DRILL" in next(line for line in cli("list", "-o", "table").out.splitlines() if "INC-2026-0002" in line)


def test_closed_ones_are_listed_as_they_closed(cli: Cli, stub: Stub) -> None:
    """The one that closed last comes first, below all that is open."""
    over = [
        row(f"INC-2026-000{n}", open=False, phase="closed", closed_at=f"2026-11-2{day}T03:00:00Z") for n, day in ((1, 3), (2, 1), (3, 2))
    ]
    stub.says["GET /incidents"] = Reply(200, {"incidents": [*over, row(TWO)]})

    assert cli("list", "--all", "-o", "id").out.split() == [TWO, "INC-2026-0001", "INC-2026-0003", "INC-2026-0002"]


def test_the_list_is_filtered_by_the_server(cli: Cli, stub: Stub) -> None:
    """Filters are passed on; open ones are listed unless asked otherwise."""
    cli("list", "--sev", "1", "--phase", "post-incident", "--service", "checkout", "--no-drill")
    cli("list", "--closed")
    cli("list", "--all")

    asked = {"severity": "SEV1", "phase": "post_incident", "service": "checkout", "open": "true", "drill": "false"}
    assert [each.query for each in stub.asked] == [asked, {"open": "false"}, {}]


@pytest.mark.parametrize("args", [["list"], ["list", "-o", "table"], ["status", ONE], ["timeline", ONE], ["show", ONE], ["checklist", ONE]])
def test_there_is_no_colour_in_a_pipe(cli: Cli, stub: Stub, args: list[str]) -> None:
    """What is piped holds no colours, nor what a text from outside would do to a terminal."""
    stub.says["GET /incidents"] = Reply(200, {"incidents": ROWS})
    stub.timeline = [entry(1, text="evil \x1b]0;title\x07 text")]
    ran = cli(*args)

    assert ran.code == 0
    assert "\x1b" not in ran.out
    assert "\x1b[" in cli(*args, "--color", "always").out or args[0] not in {"status"}


def test_a_pipe_gets_data_by_tabs(cli: Cli, stub: Stub) -> None:
    """Without a terminal a row is its data, separated by tabs, times in ISO 8601."""
    stub.says["GET /incidents"] = Reply(200, {"incidents": ROWS[:1]})
    line = cli("list").out.splitlines()[0].split("\t")

    assert line[:4] == ["INC-2026-0001", "SEV1", "mitigation", "Checkout returns 5xx in the EU"]
    assert "2026-11-24T02:30:00Z" in line


def test_markdown_tables_hold_together(cli: Cli, stub: Stub) -> None:
    """A bar in a title does not end its cell."""
    stub.says["GET /incidents"] = Reply(200, {"incidents": ROWS[2:]})

    assert "| Zahlung \\| 決済 \ufffd[31mred |" in cli("list", "-o", "md").out


@pytest.mark.parametrize(
    "args",
    [
        ["list"],
        ["show", ONE],
        ["status", ONE],
        ["next", ONE],
        ["timeline", ONE],
        ["checklist", ONE],
        ["deliveries", ONE],
        ["action", "list", ONE],
    ],
)
def test_json_is_json_and_nothing_else(cli: Cli, args: list[str]) -> None:
    """With --json stdout is one JSON value, and stderr is silent."""
    ran = cli(*args, "--json")

    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out) is not None


def test_status_says_what_is_due_and_what_to_do(cli: Cli) -> None:
    """The board has the overdue clock first, then the next, then what to type."""
    lines = cli("status").out.splitlines()

    assert lines[0] == f"{ONE}  SEV1  Checkout returns 5xx in the EU  4/6 mitigation  open 42:18  IC priya  comms dana"
    assert lines[2].split() == ["external", "update", "03:10", "OVERDUE", "+2:18", "dana"]
    assert lines[3].split() == ["internal", "update", "03:16", "3:42", "priya"]
    assert "checklist 1/2: [x] option_selected  [ ] rollback_plan_ready" in lines[4]
    assert f"next: tocsin update {ONE} --external" in lines[5]


@pytest.mark.parametrize(
    ("goal", "changes", "there"),
    [
        ("acknowledged", {"acknowledged_at": "2026-11-24T03:00:00Z"}, True),
        ("acknowledged", {}, False),
        ("mitigated", {"mitigated_at": "2026-11-24T03:20:00Z"}, True),
        ("mitigated", {"phase": "mitigation"}, False),
        ("triage", {"phase": "mitigation"}, True),
        ("resolution", {"phase": "mitigation"}, False),
        ("verified", {"verification": {"length": 900, "passed_at": "2026-11-24T03:25:00Z"}}, True),
        ("verified", {"verification": {"length": 0, "passed_at": None}, "criteria": {"symptom_resolved": "2026-11-24T03:25:00Z"}}, True),
        ("verified", {"verification": {"length": 900, "passed_at": None}}, False),
        ("closed", {"phase": "closed", "outcome": "false_alarm"}, True),
        ("post_incident", {"phase": "closed", "outcome": "false_alarm"}, False),
    ],
)
def test_what_a_wait_waits_for(goal: str, changes: dict[str, Any], there: bool) -> None:
    """A phase is reached once it was passed, but not by an incident that was dismissed."""
    assert wait.reached(state(**changes), goal) is there


def test_each_of_the_four_times_can_be_waited_for() -> None:
    """A script that goes on once service is back waits for `mitigated`, as one waits for the three others."""
    moments = {moment.removesuffix("_at") for moment in MILESTONES.values()}

    assert moments <= set(wait.GOALS)


def test_a_wait_ends_with_the_news(cli: Cli, stub: Stub) -> None:
    """A wait hears of what it waits for, and ends."""
    answers = iter([state(), state(acknowledged_at="2026-11-24T03:00:00Z")])
    stub.says[f"GET /incidents/{ONE}"] = lambda _: Reply(200, next(answers))
    stub.tell(entry(4, "acknowledged"))
    ran = cli("wait", ONE, "--for", "acknowledged", "--timeout", "20s")

    assert (ran.code, ran.out) == (0, f"{ONE}  acknowledged  (mitigation, Checkout returns 5xx in the EU)\n")


def test_a_wait_for_what_will_not_be_ends(cli: Cli, stub: Stub) -> None:
    """An incident that was dismissed is never resolved, and nobody waits for it."""
    stub.says[f"GET /incidents/{ONE}"] = Reply(200, state(phase="closed", outcome="false_alarm"))
    ran = cli("wait", ONE, "--for", "resolved")

    assert ran.code == 1
    assert "false_alarm" in ran.err


DRAFT = "# Incident Post-Mortem: x\n\n## Summary\nIt broke.\n\n## Root Cause\n[Technical description of the root cause]\n"


def test_the_post_mortem_is_shown_and_published(cli: Cli, stub: Stub) -> None:
    """The draft is data; filed, it says which drafts it was made of, and what it still lacks is told as every refusal is."""
    drafted = {"incident": ONE, "filed": False, "document": DRAFT, "seen": {"summary": 3}}
    stub.says[f"GET /incidents/{ONE}/postmortem"] = Reply(200, drafted)
    stub.says[f"POST /incidents/{ONE}/file_postmortem"] = no = refused("undocumented")
    no.body["refusal"]["blockers"][0]["message"] = "Root Cause: still holds a placeholder"
    shown = cli("pm", "show", ONE)
    published = cli("pm", "publish", ONE)

    assert (shown.code, shown.out) == (0, DRAFT)
    assert published.code == 5
    assert "Root Cause: still holds a placeholder" in published.err
    assert stub.posted()[0].body == {"by": "ana", "document": DRAFT, "seen": {"summary": 3}}


def test_a_post_mortem_that_is_filed_is_not_filed_again(cli: Cli, stub: Stub) -> None:
    """Publishing what is filed already changes nothing."""
    stub.says[f"GET /incidents/{ONE}/postmortem"] = Reply(
        200, {"incident": ONE, "filed": True, "document": "x", "filed_at": "x", "by": "ana"}
    )

    assert cli("pm", "publish", ONE).code == 0
    assert stub.posted() == []


@pytest.mark.parametrize("how", ["file", "input", "option"])
def test_a_post_mortem_is_filed_from_a_file_or_a_pipe(cli: Cli, stub: Stub, tmp_path: Path, how: str) -> None:
    """What was written in an editor is filed as it is."""
    stub.says[f"POST /incidents/{ONE}/file_postmortem"] = accepted(entry(4))
    written = tmp_path / "pm.md"
    written.write_text(DRAFT, encoding="utf-8")
    args = {"file": ["pm", "file", ONE, str(written)], "input": ["pm", "file", "-"], "option": ["file-postmortem", "--file", str(written)]}
    ran = cli(*args[how], stdin=DRAFT)

    assert ran.code == 0
    assert stub.posted()[0].body["document"] == DRAFT


def test_a_draft_that_was_read_may_be_left_out(cli: Cli, stub: Stub, tmp_path: Path) -> None:
    """Whoever files over somebody's draft says which version they have read; anything else is a question of how to write it."""
    stub.says[f"POST /incidents/{ONE}/file_postmortem"] = accepted(entry(4))
    written = tmp_path / "pm.md"
    written.write_text(DRAFT, encoding="utf-8")
    ran = cli("pm", "file", ONE, str(written), "--seen", "root-cause=3", "--seen", "impact=1")
    wrong = cli("pm", "file", ONE, str(written), "--seen", "root-cause")

    assert (ran.code, wrong.code) == (0, 2)
    assert stub.posted()[0].body["seen"] == {"root-cause": 3, "impact": 1}


def test_the_audit_is_written_as_it_came(cli: Cli, stub: Stub, tmp_path: Path) -> None:
    """The export's bytes are not touched: their hashes are its proof."""
    stub.says[f"GET /incidents/{ONE}/audit"] = Reply(200, b'{"format": "x",  "n": 1.0}')
    out = tmp_path / "audit.json"

    assert cli("audit", ONE).out == '{"format": "x",  "n": 1.0}\n'
    assert cli("audit", ONE, "--out", str(out)).code == 0
    assert out.read_bytes() == b'{"format": "x",  "n": 1.0}\n'


def test_the_doctor_says_what_is_wrong(cli: Cli, stub: Stub) -> None:
    """One check that fails makes the doctor fail, and says how to mend it."""
    checks = [
        {"name": "temporal", "ok": True, "detail": "serves"},
        {"name": "worker", "ok": False, "detail": "nobody", "fix": "tocsin worker"},
    ]
    stub.says["GET /doctor"] = Reply(200, {"ok": False, "checks": checks})
    ran = cli("doctor")

    assert ran.code == 1
    assert ran.out.splitlines()[1].split("\t") == ["FAIL", "worker", "nobody", "tocsin worker"]


def test_the_doctor_tries_the_whole_chain(cli: Cli, stub: Stub) -> None:
    """With --end-to-end a test alert is sent as well; where it does not arrive, the doctor fails."""
    stub.says["GET /doctor"] = Reply(200, {"ok": True, "checks": [{"name": "temporal", "ok": True, "detail": "serves"}]})
    tried = [{"name": "test alert", "ok": True, "detail": "sent"}, {"name": "test incident", "ok": False, "detail": "none", "fix": "look"}]
    stub.says["POST /doctor"] = Reply(200, {"ok": False, "checks": tried})
    ran = cli("doctor", "--end-to-end")

    assert ran.code == 1
    assert [line.split("\t")[1] for line in ran.out.splitlines()] == ["temporal", "test alert", "test incident"]


def test_the_doctor_sees_that_nothing_answers(cli: Cli, stub: Stub) -> None:
    """Without a server the doctor has one finding: that."""
    stub.stop()
    ran = cli("doctor", "--json")

    assert (ran.code, json.loads(ran.out)["checks"][0]["name"]) == (7, "http")


def test_queries_that_nobody_can_be_asked_are_told(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules that name queries are good rules; without a Prometheus whoever checks them hears what that will mean."""
    file = tmp_path / "routes.toml"
    file.write_text('[service.checkout]\nqueries = [{ name = "errors", query = "errors" }]\n')
    monkeypatch.delenv("TOCSIN_PROMETHEUS_URL", raising=False)
    warned = cli("policy", "check", str(file))
    as_data = json.loads(cli("policy", "check", str(file), "--json").out)
    monkeypatch.setenv("TOCSIN_PROMETHEUS_URL", "http://127.0.0.1:9090")
    silent = cli("policy", "check", str(file))

    assert (warned.code, silent.code) == (0, 0)
    assert "[service.checkout]: name queries, and no monitoring is configured to ask them" in warned.err
    assert "can't be reached" in as_data["warnings"][0]
    assert "monitoring" not in silent.err


def test_a_policy_file_is_checked_here(cli: Cli, stub: Stub, tmp_path: Path) -> None:
    """Each mistake in a policy file is told by table and field; nothing is asked of the server."""
    file = tmp_path / "policy.toml"
    file.write_text('[SEV1]\nacknowledge_within = "soon"\n', encoding="utf-8")
    wrong = cli("policy", "check", str(file))
    file.write_text('[SEV1]\nacknowledge_within = "10m"\n', encoding="utf-8")

    assert wrong.code == 1
    assert "[SEV1] acknowledge_within" in wrong.err
    assert cli("policy", "check", str(file)).code == 0
    assert stub.asked == []


def test_the_policy_is_shown_as_people_say_it(cli: Cli, stub: Stub) -> None:
    """Lengths are minutes, hours and days; what is not asked for is a dash."""
    rule = {"acknowledge_within": "PT15M", "postmortem_within": "P7D", "channel": True, "resolve_within": None, "commander": ["a", "b"]}
    stub.says["GET /policy"] = Reply(200, {"severities": {"SEV1": rule, "SEV2": rule, "SEV3": rule}})
    lines = cli("policy", "show").out.splitlines()

    assert [line.split("\t")[1] for line in lines] == ["15 min", "7 d", "yes", "-", "a → b"]


def test_a_file_of_routing_rules_is_checked_here(cli: Cli, stub: Stub, tmp_path: Path) -> None:
    """Each mistake in the routing rules is told with its place; nothing is asked of the server."""
    file = tmp_path / "routes.toml"
    file.write_text('[[route]]\nname = "a"\nowner = "team"\n[[route]]\nname = "b"\naction = "page"\nownr = "x"\n', encoding="utf-8")
    wrong = cli("policy", "check", str(file))
    file.write_text('[[route]]\nname = "a"\nowner = "team"\n', encoding="utf-8")
    right = cli("policy", "check", str(file))

    assert (wrong.code, right.code, stub.asked) == (1, 0, [])
    assert [line.split(": ", 2)[2] for line in wrong.err.splitlines()] == [
        '[[route]] 2 "b": action must be one of incident, ticket, note, drop',
        '[[route]] 2 "b": ownr is no field here (did you mean owner?); there are name, match, stop, service, environment, action, '
        "always, severity, factors, customer_facing, owner, runbook, queries, attach",
    ]
    assert "1 routing rules that can be used" in right.out


def test_the_routing_rules_are_shown_in_the_order_in_which_they_speak(cli: Cli, stub: Stub) -> None:
    """The file's rules come first and the built-in ones last; planned work and services stand below."""
    from incident.routes_file import about, routes_from

    tables = {"route": [{"name": "a", "owner": "team", "stop": True}], "service": {"checkout": {"depends_on": ["payments"]}}}
    stub.says["GET /routes"] = Reply(200, {**about(routes_from(tables)), "problem": "the newest edit is broken"})
    shown = cli("policy", "show", "--routes")
    lines = [line.split("\t") for line in shown.out.splitlines()]

    assert lines[0] == ["file", "a", "every alert", "owner=team (stop)"]
    assert lines[-1] == ["service", "checkout", "service = checkout", "depends_on=payments"]
    assert {line[0] for line in lines[1:-1]} == {"built-in"}
    assert "the newest edit is broken" in shown.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_three_shells(cli: Cli, shell: str) -> None:
    """The script that a shell loads asks this program what to complete."""
    assert "_TOCSIN_COMPLETE" in cli("completion", shell).out


def test_nothing_asks_without_a_terminal(cli: Cli, stub: Stub) -> None:
    """A script is never asked: an external update goes out as it was said."""
    stub.says[f"POST /incidents/{ONE}/post_update"] = accepted(entry(4))

    assert cli("update", ONE, "--external", "-m", "sorry").code == 0


def test_the_machines_programs_get_their_options(monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    """up, worker, serve and drill become the program that they name, whatever folders lie where they are typed."""
    became: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr("os.execve", lambda _, args, environment: became.append((args[1:], environment)))
    cli("up", "--data", "d", "--port", "8701", "--temporal-port", "7001", "--ui-port", "8001", "--accept-rollback")
    cli("drill", "--auto")
    cli("worker")
    cli("serve", "--port", "8702")

    assert [args for args, _ in became] == [
        ["-m", "worker.up", "--data", "d", "--port", "8701", "--temporal-port", "7001", "--ui-port", "8001", "--accept-rollback"],
        ["-m", "starter.drill", "--auto"],
        ["-m", "worker"],
        ["-m", "starter.serve"],
    ]
    assert {environment["PYTHONSAFEPATH"] for _, environment in became} == {"1"}
    assert became[-1][1]["TOCSIN_PORT"] == "8702"


def test_without_a_command_the_help_is_shown(cli: Cli) -> None:
    """Who types only the name sees what there is."""
    ran = cli()

    assert ran.code == 0
    assert "change-severity" in ran.out


def test_the_status_page_is_exported_as_files(cli: Cli, stub: Stub, tmp_path: Path) -> None:
    """The public page lands in a folder; a second run has nothing to write, and a server that is away costs nothing written."""
    stub.says["GET /status-page"] = Reply(200, {"files": {"index.html": "<h1>well</h1>", "api/v2/status.json": "{}"}})
    ran = [cli("status-page", "export", str(tmp_path / "site")) for _ in range(2)]
    stub.says["GET /status-page"] = problem(503, "unavailable", "What was published can't be read now.")
    away = cli("status-page", "export", str(tmp_path / "site"))

    assert [each.code for each in (*ran, away)] == [0, 0, 7]
    assert [each.out.strip().partition("files, ")[2] for each in ran] == ["2 of them new or changed", "0 of them new or changed"]
    assert (tmp_path / "site" / "index.html").read_text() == "<h1>well</h1>"


def test_a_token_goes_with_every_request_and_says_who_acts(cli: Cli, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody has a token, the server knows who they are: no other name is sent with it, unless one is asked for."""
    monkeypatch.setenv("TOCSIN_TOKEN", "tocsin_one")
    stub.says[f"POST /incidents/{ONE}/acknowledge"] = accepted(entry(4, "acknowledged"))
    cli("ack", ONE)
    cli("ack", ONE, "--by", "ben")
    posted = stub.posted()

    assert {asked.token for asked in stub.asked} == {"Bearer tocsin_one"}
    assert [asked.body.get("by") for asked in posted] == [None, "ben"]


def test_a_token_may_stand_in_a_file(cli: Cli, stub: Stub, tmp_path: Path) -> None:
    """So that it stands in no history and no environment; a file that is not there is said."""
    file = tmp_path / "token"
    file.write_text("tocsin_two\n")
    found = cli("list", "--token-file", str(file))
    missing = cli("list", "--token-file", str(tmp_path / "gone"))

    assert (found.code, stub.asked[-1].token) == (0, "Bearer tocsin_two")
    assert missing.code == 2
    assert "gone can't be read" in missing.err


def test_a_token_is_not_sent_in_the_clear(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a network it goes by https or not at all."""
    monkeypatch.setenv("TOCSIN_TOKEN", "tocsin_one")
    ran = cli("list", "--url", "http://tocsin.example.org")

    assert ran.code == 2
    assert "in the clear" in ran.err


def test_4_sign_in_needed_says_where_to_get_a_token(cli: Cli, stub: Stub) -> None:
    """A server where people sign in is answered with a token, and the way to one is told."""
    stub.says["GET /incidents"] = problem(401, "sign-in-needed", "Nobody is signed in.")
    ran = cli("list")

    assert ran.code == 4
    assert ran.err == f"error: Nobody is signed in.\nMake a token at {stub.url}/login/tokens, then: export TOCSIN_TOKEN=tocsin_…\n"


def test_tokens_are_made_listed_and_revoked(cli: Cli, stub: Stub) -> None:
    """stdout is the token and nothing else, so that a script can keep it."""
    row: dict[str, Any] = {
        "id": "ab12",
        "label": "laptop",
        "owner": "ana",
        "state": "valid",
        "roles": ["responder"],
        "expires_at": "2027-02-22T03:00:00Z",
    }
    row |= {"created_at": "2026-11-24T03:00:00Z", "last_used_at": None, "revoked_at": None}
    stub.says["POST /tokens"] = Reply(201, {**row, "token": "tocsin_new"})
    stub.says["GET /tokens"] = Reply(200, {"tokens": [row]})
    stub.says["DELETE /tokens/ab12"] = Reply(200, {**row, "state": "revoked"})
    made, listed, revoked = cli("token", "create", "laptop", "--days", "7"), cli("token", "list"), cli("token", "revoke", "ab12")

    assert (made.code, made.out) == (0, "tocsin_new\n")
    assert stub.posted()[0].body == {"label": "laptop", "days": 7}
    assert listed.out.split("\t")[:4] == ["ab12", "laptop", "ana", "valid"]
    assert revoked.out == "ab12  laptop: revoked\n"


def test_whoami_says_who_one_is_to_the_server(cli: Cli, stub: Stub) -> None:
    """The name is data; how one is signed in is talk."""
    me = {"name": "ana", "roles": ["responder"], "via": "cli", "mode": "oidc", "signed_in": True, "until": "2027-02-22T03:00:00Z"}
    stub.says["GET /whoami"] = Reply(200, me)
    ran = cli("whoami")

    assert ran.out == "ana  responder\n"
    assert ran.err == "signed in (oidc), until 2027-02-22T03:00:00Z\n"


def test_a_timeline_says_through_which_door(cli: Cli, stub: Stub) -> None:
    """To people the door stands beside the name; a pipe gets the name alone."""
    stub.timeline = [entry(1, "note", "hello", via="web"), entry(2, "note", "hello again")]
    shown, piped = cli("timeline", ONE, "-o", "table"), cli("timeline", ONE)

    assert "ana (web)" in shown.out
    assert [line.split("\t")[3] for line in piped.out.splitlines()] == ["ana", "ana"]


def test_a_timeline_of_key_moments_tells_of_each_lateness_once(cli: Cli, stub: Stub) -> None:
    """The first word and the end of what was late, with the time it was due; whole, it has every reminder."""
    stub.timeline = walked_late()
    key, later = cli("timeline", ONE, "--key", "-o", "table"), cli("timeline", ONE, "--key", "--since", "20")
    late = [" ".join(line.split()) for line in key.out.splitlines() if "nternal update" in line]

    assert len([line for line in cli("timeline", ONE).out.splitlines() if "Internal update is overdue" in line]) == 4
    assert [line.partition("tocsin ")[2] or line.partition("ana ")[2] for line in late] == [
        "Internal update is overdue: it was due at 03:10 UTC; commander owes it; 3 reminders until 03:44 UTC",
        "We roll back (internal update 34 min late, after 3 reminders)",
    ]
    assert all(int(line.split("\t")[0]) > 20 for line in later.out.splitlines())


def walked_late() -> list[dict[str, Any]]:
    """The timeline of an incident whose first internal update came 34 minutes late."""
    walk = Walk.open("SEV1")
    walk.does("acknowledge")
    walk.forward(minutes=44)
    walk.does("post_update", audience="internal", text="We roll back")
    return [event.model_dump(mode="json") for event in walk.timeline]


def test_a_refused_post_mortem_says_how_to_write_what_is_missing(cli: Cli, stub: Stub) -> None:
    """Each section with the command that mends it, and no code that people would have to look up."""
    missing = ["Root Cause: is not written yet."]
    missing += ["Action Items: still holds a placeholder; add one with its owner and due date (add_action_item)."]
    blockers = [{"code": "undocumented", "message": each} for each in missing]
    no = {"code": "undocumented", "message": "The post-mortem is not complete.", "required_action": "File it again.", "blockers": blockers}
    stub.says[f"POST /incidents/{ONE}/file_postmortem"] = problem(409, "undocumented", "Not complete.", incident=ONE, refusal=no)
    ran = cli("pm", "file", ONE, "-", stdin="x")

    assert ran.code == 5
    assert ran.err.splitlines()[1:5] == [
        "  x Root Cause: is not written yet.",
        f'    fix: tocsin pm draft {ONE} root-cause -m "…"',
        "  x Action Items: still holds a placeholder; add one with its owner and due date.",
        f'    fix: tocsin action add {ONE} "…" --owner NAME --due YYYY-MM-DD',
    ]


def test_every_section_of_a_post_mortem_has_its_command() -> None:
    """The command line knows the sections by heart, so as not to load the core for them."""
    assert set(OF_SECTIONS) == set(SECTIONS)
