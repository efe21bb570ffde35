# ruff: noqa: SIM300 - the house writes what is expected first
"""What an integration's failure means to Temporal: whether it is tried again follows from its type alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities.failures import translated
from integrations.errors import NotFound, Refused, Rejected, Unauthorized, Unavailable


@pytest.mark.parametrize("kind", [Refused, Rejected, Unauthorized, NotFound])
def test_a_refusal_is_final(kind: type[Refused]) -> None:
    """A provider that has said no is not asked again, whatever its no is called."""
    with pytest.raises(ApplicationError) as failed, translated():
        raise kind("#ops is archived")

    assert (True, kind.__name__, "#ops is archived") == (failed.value.non_retryable, failed.value.type, failed.value.message)


@pytest.mark.parametrize("after", [None, timedelta(minutes=3)])
def test_an_outage_is_tried_again_when_the_provider_says(after: timedelta | None) -> None:
    """A provider that is away is asked again, at the time that it names where it names one."""
    with pytest.raises(ApplicationError) as failed, translated():
        raise Unavailable("rate limited", retry_after=after)

    assert (False, "Unavailable", after) == (failed.value.non_retryable, failed.value.type, failed.value.next_retry_delay)


def test_a_bug_is_left_as_it_is() -> None:
    """What nobody foresaw is neither hidden nor made final: Temporal shows it, and tries again."""
    with pytest.raises(KeyError), translated():
        raise KeyError("channel")


def test_what_works_is_not_touched() -> None:
    """A call that works comes back as it is."""
    with translated():
        answer = "accepted"

    assert "accepted" == answer
