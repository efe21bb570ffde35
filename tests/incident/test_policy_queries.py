# ruff: noqa: SIM300 - the house writes what is expected first
"""The policy file says what is measured, and each mistake in it is told by its table and field."""

from __future__ import annotations

import tomllib
from datetime import timedelta

import pytest

from incident.policy_file import PolicyProblem, policy_from
from incident.queries import QUERIES_A_POLICY
from incident.vocabulary import Better, Signal

GOOD = """
[monitoring]
sample_every = "10s"
look_every = "30s"

[queries.checkout.error_ratio]
expression = "error_ratio"
threshold = 0.02

[queries.checkout.cpu]
expression = "cpu"
unit = "%"
signal = "saturation"

[queries.search.up]
expression = "up"
better = "higher"
threshold = 1
"""


def test_a_file_says_what_is_measured_and_how_often() -> None:
    """Queries belong to services, and two services may each have one of the same name."""
    watching = policy_from(tomllib.loads(GOOD)).monitoring

    assert watching is not None
    assert (timedelta(seconds=10), timedelta(seconds=30)) == (watching.sample_every, watching.look_every)
    assert {"checkout": ["checkout/error_ratio", "checkout/cpu"], "search": ["search/up"]} == {
        service: [query.name for query in queries] for service, queries in watching.queries.items()
    }
    assert (Signal.SATURATION, Better.LOWER, None) == (
        watching.queries["checkout"][1].signal,
        watching.queries["checkout"][1].better,
        watching.queries["checkout"][1].threshold,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[queries.checkout]\nerror_ratio = 'x'", "[queries.checkout]: each query is a table of its own"),
        ("[queries.checkout.q]\nexpresion = 'x'", "[queries.checkout.q] expression: Field required"),
        ("[queries.checkout.q]\nexpression = 'x'\nbetter = 'less'", "[queries.checkout.q] better"),
        ("[queries.checkout.q]\nexpression = 'x'\nname = 'y'", "leave the field out"),
        ("[queries.checkout.q]\nexpression = 'x'\nthreshold = nan", "[queries.checkout.q] threshold"),
        ("[monitoring]\nlook_often = '1m'", "[monitoring] look_often: there is no such field"),
        ("[monitoring]\nlook_every = 'soon'", "[monitoring] look_every"),
        ("[monitoring]\nsample_every = '0s'", "[monitoring] sample_every: must be a second at least"),
        ("[monitoring]\ngap_after = '20s'", "[monitoring] gap_after: must be twice sample_every"),
        ("[monitoring.queries]\nx = 1", "queries have tables of their own"),
        ("[policy]\nmonitoring = 'x'", "[policy] monitoring: there is no such field"),
        ("queries = 3", "must be a table"),
        ("".join(f"[queries.s{n}.q]\nexpression = 'x'\n" for n in range(QUERIES_A_POLICY + 1)), "101 in all"),
    ],
)
def test_each_mistake_is_told_by_its_place(text: str, said: str) -> None:
    """Who writes the file reads which line to mend."""
    with pytest.raises(PolicyProblem) as problem:
        policy_from(tomllib.loads(text))

    assert said in str(problem.value)
