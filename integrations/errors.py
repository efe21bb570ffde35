"""How an integration fails.

    IntegrationError
    ├── Unavailable      try again, after `retry_after` where the provider said so
    │   ├── RateLimited  the provider has had too much: whatever else it is asked before `retry_after` it refuses as well
    │   └── Unanswered   (in `http`) nothing usable came back: it may have been taken all the same
    └── Refused          final: the same ask will be refused again
        ├── Rejected     the provider does not accept what was asked
        ├── Unauthorized the credentials are wrong, revoked, or lack a permission
        └── NotFound     what the ask refers to is gone

An adapter translates its vendor's errors into these, once, at its edge. Whether to retry follows from the
type, never from the text. Texts name what was asked and by whom it was refused, never a secret.
"""

from __future__ import annotations

from datetime import timedelta


class IntegrationError(Exception):
    """Anything that went wrong on the way to a provider, or at it."""


class Unavailable(IntegrationError):
    """The provider can't be reached, is overloaded or failed: the same ask may work later.

    `retry_after` is the provider's own word on when.
    """

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimited(Unavailable):
    """The provider has been asked too much. With `retry_after`, all that goes there had better wait so long."""


class Refused(IntegrationError):
    """The provider has answered, and the answer is no."""


class Rejected(Refused):
    """The provider does not accept what was asked."""


class Unauthorized(Refused):
    """The credentials are wrong, were revoked, or lack a permission."""


class NotFound(Refused):
    """The channel, component, ticket or person that the ask refers to is gone."""
