"""The only place where an integration's error becomes Temporal's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from integrations.errors import IntegrationError, Refused, Unavailable


@contextmanager
def translated() -> Iterator[None]:
    """Turn an integration's error into one that says whether, and when, to try again.

    `Refused` is final. `Unavailable` is retried, after the provider's own `retry_after` where it gave one. Anything
    else is a bug or an unforeseen fault: it is left as it is, which Temporal retries and shows.

    A provider's no is expected: it is one line of the log. Only a bug comes with its traceback.
    """
    try:
        yield
    except Refused as error:
        _log(error)
        raise ApplicationError(str(error), type=type(error).__name__, non_retryable=True, category=EXPECTED) from error
    except Unavailable as error:
        _log(error)
        raise ApplicationError(str(error), type=type(error).__name__, next_retry_delay=error.retry_after, category=EXPECTED) from error


EXPECTED = ApplicationErrorCategory.BENIGN
"""The SDK then leaves the traceback to the debug log."""


def _log(error: IntegrationError) -> None:
    if activity.in_activity():
        activity.logger.warning("%s: %s", type(error).__name__, error)
