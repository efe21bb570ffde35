"""The only place where an integration's error becomes Temporal's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.exceptions import ApplicationError

from integrations.errors import Refused, Unavailable


@contextmanager
def translated() -> Iterator[None]:
    """Turn an integration's error into one that says whether, and when, to try again.

    `Refused` is final. `Unavailable` is retried, after the provider's own `retry_after` where it gave one. Anything
    else is a bug or an unforeseen fault: it is left as it is, which Temporal retries and shows.
    """
    try:
        yield
    except Refused as error:
        raise ApplicationError(str(error), type=type(error).__name__, non_retryable=True) from error
    except Unavailable as error:
        raise ApplicationError(str(error), type=type(error).__name__, next_retry_delay=error.retry_after) from error
