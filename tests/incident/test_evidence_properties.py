"""Whatever monitoring and people do, nothing is resolved before a whole period was measured and green."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from incident import verifying
from incident.refusals import Refusal
from incident.vocabulary import Criterion, Phase
from tests.incident.measurements import look, measured_walk
from tests.incident.walk import Walk, alert

WAITS = st.integers(1, 20).map(lambda minutes: ("wait", minutes))
LOOKS = st.sampled_from([0.01, 0.01, 0.01, 0.01, 0.31, None]).map(lambda value: ("look", value))
WORDS = st.sampled_from([("confirm", str(criterion)) for criterion in Criterion] + [("withdraw", "symptom_resolved"), ("resolve", "")])
ODD = st.sampled_from([("unreachable", ""), ("fires", ""), ("posted", ""), ("ended", ""), ("drop", ""), ("measure", "")])
STEPS = st.lists(st.one_of(LOOKS, LOOKS, WAITS, WAITS, WORDS, WORDS, ODD), min_size=5, max_size=60)


def _taken(walk: Walk, verb: str, **fields: Any) -> bool:
    """Ask for it; whether it was taken, and was new."""
    outcome = walk.asks(verb, **fields)
    return not isinstance(outcome, Refusal) and bool(walk.record(outcome))


@given(STEPS)
def test_nothing_is_resolved_without_a_whole_measured_period(steps: list[tuple[str, object]]) -> None:
    """Derived from what was done, not from the state: every look of the last period was green, and they cover it to its end."""
    walk = measured_walk()
    walk.now += timedelta(minutes=1)
    green_since, covered, bound = None, walk.now, True
    for kind, value in steps:
        match kind:
            case "wait":
                walk.forward(minutes=float(str(value)))
            case "look" if verifying.looking(walk.incident):
                look(walk, {"error_ratio": (value if isinstance(value, float) else None,)})
                green_since = (green_since or walk.now) if value == 0.01 else None
                covered = walk.now
            case "unreachable":
                walk.record(verifying.unreachable(walk.incident, "down", walk.now))
            case "fires" if verifying.looking(walk.incident):
                look(walk, {"error_ratio": (0.01,)}, firing=("PaymentsSlow",))
                green_since, covered = None, walk.now
            case "posted" | "ended":
                news = walk.told(alert(service="checkout", firing=kind == "posted"))
                green_since = None if kind == "posted" and news else green_since
            case "drop" | "measure":
                change = {"drop": True} if kind == "drop" else {"expression": "error_ratio", "threshold": 0.05}
                if _taken(walk, "measure", name="error_ratio", reason="broken", **change):
                    bound, green_since = kind == "measure", None
            case "confirm":
                _taken(walk, "confirm", criterion=value)
            case "withdraw":
                _taken(walk, "withdraw", criterion=value, reason="a customer calls")
            case "resolve":
                _taken(walk, "resolve", root_cause="a retry", fix_applied="rolled back")
            case _:
                pass
        if bound and walk.incident.phase is Phase.RESOLUTION and walk.incident.verification_passed_at is not None:
            since = walk.incident.verification_since

            assert since is not None
            assert green_since is not None, "passed although the last look was not green"
            assert green_since <= since
            assert covered - since >= walk.incident.rule.verification, "passed before looks covered the period"
        if walk.incident.phase is not Phase.RESOLUTION:
            break
