# ruff: noqa: SIM300 - the house writes what is expected first
"""Rules over labels: the first that says something about a field decides it, and the process's own come last."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.routes_file import RoutesProblem, about, routes_from
from incident.routing import BUILT_IN, Flapping, Routed, Routes, Storm, Window, filled, likeness, route
from incident.vocabulary import Severity

NOW = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)

FILE = """
[alerts]
attach = false
flapping = { changes = 4, within = "10m" }
storm = { groups = 5, within = "2m", every_service = true }

[[route]]
name = "payments"
match = { service = ["payments", "ledger"], env = { regex = "prod.*" }, shadow = { present = false } }
severity = "SEV1"
owner = "team-{team}"
runbook = "https://runbooks.example/{alertname}"

[[route]]
name = "everything of payments"
match = { service = "payments" }
owner = "payments"
severity = "SEV3"
customer_facing = true

[[route]]
name = "watchdog"
match = [{ alertname = "Watchdog" }, { alertname = "InfoInhibitor" }]
action = "drop"
stop = true

[[route]]
name = "half of the users"
match = { alertname = "ManyErrors" }
factors = { users_affected_percent = 60 }

[[route]]
name = "nobody"
match = { alertname = "Nobody" }
factors = { workaround = true }

[service.payments]
depends_on = ["database"]
queries = [{ name = "errors", query = "rate(errors[5m])", at_most = 0.01, unit = "1/s", signal = "saturation" }]

[service.database]
owner = "dba"
attach = true

[[maintenance]]
name = "upgrade"
from = 2026-11-25T01:00:00Z
until = 2026-11-25T03:00:00Z
services = ["Database"]

[[calendar]]
name = "changes"
url = "https://calendar.example/secret-token.ics"
"""

RULES = routes_from(tomllib.loads(FILE))


def labelled(**labels: str) -> Routed:
    return route(RULES, {"alertname": "Errors", **labels}, NOW)


# ---------------------------------------------------------------------- the process's own


@pytest.mark.parametrize(
    ("labels", "action"),
    [
        ({}, "incident"),
        ({"environment": "production"}, "incident"),
        ({"env": "prod"}, "incident"),
        ({"environment": "staging"}, "ticket"),
        ({"env": "Dev"}, "ticket"),
        ({"tier_environment": "QA"}, "ticket"),
        ({"environment": "staging", "customer_impact": "true"}, "incident"),
        ({"environment": "dev", "security": "yes"}, "incident"),
        ({"environment": "dev", "category": "security"}, "incident"),
        ({"environment": "staging", "sla_risk": "true"}, "incident"),
        ({"environment": "staging", "sla_risk": "false"}, "ticket"),
        ({"maintenance": "planned"}, "note"),
        ({"maintenance": "false"}, "incident"),
        ({"maintenance": "true", "security": "true"}, "incident"),
        ({"alertname": "TestAlert", "instance": "Grafana"}, "note"),
    ],
)
def test_without_a_file_the_process_decides(labels: dict[str, str], action: str) -> None:
    """Production, customer impact, security and SLA risk open an incident; the rest is a ticket; planned work is noted."""
    assert action == route(Routes(), {"alertname": "Errors", **labels}, NOW).action


# ---------------------------------------------------------------------- the file's


def test_the_first_rule_that_says_something_decides_that_field() -> None:
    """Later rules add what is still unsaid: an owner from one, a severity from another, queries of the service."""
    found = labelled(service="payments", env="prod-eu", team="money")

    assert ("team-money", Severity.SEV1, True) == (found.owner, found.presumed, found.customer_facing)
    assert "https://runbooks.example/Errors" == found.runbook
    assert ["errors"] == [query.name for query in found.queries]
    assert ("database",) == found.related
    assert "payments; everything of payments; production; service payments" == found.why
    assert RULES.digest == found.rules != ""


def test_a_text_whose_label_is_missing_says_nothing() -> None:
    """An owner made of a label that the alert does not have is left to the next rule."""
    assert "payments" == labelled(service="payments", env="prod-eu").owner


@pytest.mark.parametrize("labels", [{"env": "pre-prod-x"}, {"env": "prod", "shadow": "yes"}, {"service": "other", "env": "prod"}])
def test_a_rule_speaks_only_where_all_its_labels_are_so(labels: dict[str, str]) -> None:
    """A pattern must fit the whole value, and a label that must not be there must not be there."""
    assert Severity.SEV1 is not route(RULES, {"alertname": "x", "service": "payments", **labels}, NOW).presumed


def test_a_rule_that_stops_has_the_last_word() -> None:
    """What is to be dropped is not made an incident by a rule after it."""
    assert ["drop", "drop", "incident"] == [labelled(alertname=name).action for name in ("Watchdog", "InfoInhibitor", "Other")]


def test_factors_presume_the_severity_and_nobody_affected_is_a_ticket() -> None:
    """The severity matrix decides from a rule's factors as it does from a person's."""
    many, nobody = labelled(alertname="ManyErrors"), labelled(alertname="Nobody")

    assert (Severity.SEV2, "incident") == (many.presumed, many.action)
    assert (None, "ticket") == (nobody.presumed, nobody.action)


def test_planned_work_holds_back_what_it_covers_and_no_more() -> None:
    """A window over a service holds its alerts until it ends; security incidents, other services and other times pass."""
    held = labelled(service="database")
    after = route(RULES, {"service": "database"}, NOW + timedelta(hours=1))

    assert held.planned is not None
    assert datetime(2026, 11, 25, 3, tzinfo=UTC) == held.planned.until
    assert [None] * 3 == [after.planned, labelled(service="checkout").planned, labelled(service="database", security="true").planned]
    assert (True, False) == (held.calendars, labelled(service="database", security="true").calendars)


def test_a_services_own_word_goes_before_the_general_one() -> None:
    """Joining may be off in general and on for one service; dependencies are known from both sides."""
    assert (True, False) == (labelled(service="database").attach, labelled(service="checkout").attach)
    assert ("payments",) == RULES.related("database")
    assert Flapping(changes=4, within=timedelta(minutes=10)) == labelled().flapping
    assert Storm(groups=5, within=timedelta(minutes=2), every_service=True) == labelled().storm


def test_a_query_says_what_it_tells_of() -> None:
    """Its unit and its signal are data of the rule, so that the right item of the checklist is answered, and the picture is labelled."""
    ruled = labelled(service="payments")
    (measured,) = ruled.queries[0].measured()

    assert (True, False) == (ruled.binds, labelled(service="elsewhere").binds)
    assert ("1/s", "saturation", 0.01) == (measured.unit, measured.signal.value, measured.threshold)


def test_what_is_shown_holds_every_rule_and_no_address() -> None:
    """The address of a feed may hold a secret; everything else is shown, the built-in rules last."""
    shown = about(RULES)

    assert [rule.name for rule in (*RULES.routes, *BUILT_IN)] == [rule["name"] for rule in shown["routes"]]
    assert "secret-token" not in str(shown)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[rout]", "[rout]: there is no such table (did you mean route?)"),
        ("[route]", "[[route]]: is written with two brackets"),
        ("[[route]]", "[[route]] 1: name is missing"),
        ('[[route]]\nname = "a"\n[[route]]\nname = "a"', '[[route]] 2 "a": name is that of number 1 as well'),
        ('[[route]]\nname = "a"\nseverty = "SEV1"', '[[route]] 1 "a": severty is no field here (did you mean severity?)'),
        ('[[route]]\nname = "a"\nseverity = "SEV4"', '[[route]] 1 "a": severity must be one of SEV1, SEV2, SEV3'),
        ('[[route]]\nname = "a"\naction = "page"', '[[route]] 1 "a": action must be one of incident, ticket, note, drop'),
        ('[[route]]\nname = "a"\nmatch = { x = { regex = "(" } }', '[[route]] 1 "a": match x: regex is no pattern'),
        ('[[route]]\nname = "a"\nmatch = { x = { regx = "." } }', '[[route]] 1 "a": match x: regx is no way to match'),
        ('[[route]]\nname = "a"\nmatch = { x = 5 }', '[[route]] 1 "a": match x: must be a text'),
        ('[[route]]\nname = "a"\nmatch = []', '[[route]] 1 "a": match must be a table of labels'),
        ('[[route]]\nname = "a"\nfactors = { users = 5 }', '[[route]] 1 "a": factors has no users'),
        ('[[route]]\nname = "a"\nfactors = { users_affected_percent = 101 }', "must be a number from 0 to 100"),
        ('[[route]]\nname = "a"\nqueries = [{ name = "x" }]', "queries number 1 needs a name and a query"),
        ('[[route]]\nname = "a"\nowner = ""', '[[route]] 1 "a": owner must be a text in quotes'),
        ("[service.a]\ndepends_on = 'b'", "[service.a]: depends_on must be a list of texts"),
        ("[alerts]\nflapping = { changes = 1 }", "[alerts]: flapping changes must be a number from 2 to 50"),
        ("[alerts]\nstorm = { groups = 1 }", "[alerts]: storm groups must be a number from 2 to 1,000"),
        ('[alerts]\nstorm = { every_service = "yes" }', "[alerts]: storm every_service must be true or false"),
        ('[alerts]\nstorm = { within = "soon" }', '[alerts]: storm within must be a duration from "10s" to "1d"'),
        ("[alerts]\nstorm = { group = 9 }", "[alerts]: storm must be a table, like"),
        (
            '[service.a]\nqueries = [{ name = "a", query = "b", signal = "noise" }]',
            "signal must be one of errors, latency, traffic, saturation",
        ),
        ('[alerts]\nflapping = { within = "soon" }', '[alerts]: flapping within must be a duration from "10s" to "1d"'),
        ('[[maintenance]]\nname = "m"', '[[maintenance]] 1 "m": needs from and until'),
        ('[[maintenance]]\nname = "m"\nfrom = 2026-11-25T01:00:00', "from must be a time with its zone"),
        ('[[maintenance]]\nname = "m"\nfrom = 2026-11-25T01:00:00Z\nuntil = 2026-11-25T01:00:00Z', "until must come after from"),
        ('[[calendar]]\nname = "c"', '[[calendar]] 1 "c": needs a file or a url, one of them'),
        ('[[calendar]]\nname = "c"\nurl = "ftp://x"', "url must begin with https://"),
    ],
)
def test_each_mistake_is_told_with_its_place(text: str, problem: str) -> None:
    """Whoever wrote the file hears which table, which rule by number and name, which field, and what it must be."""
    with pytest.raises(RoutesProblem) as told:
        routes_from(tomllib.loads(text))

    assert problem in str(told.value)
    assert 1 == len(told.value.problems)


# ---------------------------------------------------------------------- whatever comes

WORDS = st.sampled_from(["alertname", "service", "env", "environment", "security", "maintenance", "team", "severity", "shadow", "x"])
VALUES = st.one_of(st.sampled_from(["payments", "prod", "staging", "true", "Watchdog", "database"]), st.text(max_size=30))
LABELS = st.dictionaries(WORDS, VALUES, max_size=8)


@given(LABELS)
def test_every_alert_goes_somewhere_and_the_answer_survives_its_journey(labels: dict[str, str]) -> None:
    """Whatever the labels, there is one answer, the same each time, and it is the same after it was sent as JSON."""
    found = route(RULES, labels, NOW)

    assert found == route(RULES, dict(reversed(labels.items())), NOW)
    assert found == Routed.model_validate_json(found.model_dump_json(exclude_defaults=True))
    assert found.action in ("incident", "ticket", "note", "drop")
    assert found.environment


@given(LABELS, LABELS)
def test_alerts_that_are_alike_are_routed_alike(labels: dict[str, str], others: dict[str, str]) -> None:
    """What the rules are not asked of a second alert is what they said of the first: no label that matters is overlooked."""
    alike = likeness(RULES)
    for one, other in ((labels, others), (labels, {**others, **labels}), (labels, {**labels, "x": "another", "instance": "2"})):
        if alike(one, {}) == alike(other, {}):
            assert route(RULES, one, NOW) == route(RULES, other, NOW)
    assert alike(labels, {}) != alike(labels, {"runbook_url": "http://wiki.example"})


def test_a_thousand_nodes_are_alike() -> None:
    """A label that no rule looks at, or only for a value that it has not, keeps no two alerts apart."""
    alike = likeness(Routes())

    assert 1 == len({alike({"alertname": "Down", "service": "web", "instance": f"node-{number}"}, {}) for number in range(1_000)})
    assert 2 == len({alike({"alertname": "TestAlert", "instance": instance}, {}) for instance in ("Grafana", "node-1", "node-2")})


@given(LABELS)
def test_a_rule_that_says_nothing_changes_nothing(labels: dict[str, str]) -> None:
    """A rule before all others that matches every alert and says nothing leaves each as it was."""
    silent: dict[str, Any] = {"name": "silent"}
    with_it = RULES.model_copy(update={"routes": (type(BUILT_IN[0])(**silent), *RULES.routes)})

    assert route(RULES, labels, NOW) == route(with_it, labels, NOW)


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(1, 6)), max_size=6), st.integers(-6, 12))
def test_the_window_that_ends_last_counts(spans: list[tuple[int, int]], hour: int) -> None:
    """Of windows that overlap, the one that ends last holds an alert; none does where none covers the moment."""
    windows = tuple(
        Window(name=str(number), since=NOW + timedelta(hours=start), until=NOW + timedelta(hours=start + length))
        for number, (start, length) in enumerate(spans)
    )
    found = route(Routes(windows=windows), {}, NOW + timedelta(hours=hour)).planned
    ends = [start + length for start, length in spans if start <= hour < start + length]

    assert (NOW + timedelta(hours=max(ends)) if ends else None) == (found.until if found is not None else None)


@given(st.text(max_size=60), LABELS)
def test_filling_a_text_never_fails(text: str, labels: dict[str, str]) -> None:
    """No text of a rule, and no value of a label, is a format string."""
    found = filled(text, labels)

    assert found is None or "\n" not in found
