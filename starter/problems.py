"""Why a door could not do what was asked, as RFC 9457 problems.

    Problem
    ├── NotJson           400  the body can't be read as JSON
    ├── SignInNeeded      401  nobody is signed in, or a token is not taken
    ├── NotProven         401  a machine's post does not prove where it comes from (`webhook_keys`)
    ├── Forbidden         403  the request came from another site, or by a name that is not this machine's
    │   ├── NotPermitted       who asks is known, and may not; `refusal` says who may
    │   └── SignInFailed       the way to the provider and back did not hold
    ├── Unknown           404  no incident, verb or address by this name
    │   └── UnknownIncident
    ├── WrongMethod       405  the address exists and is asked in another way
    ├── Refused           409  the process forbids it; `refusal` says why and what to do instead
    ├── Conflict          409  somebody else wrote the same section; `theirs` is what stands there now
    ├── TooLarge          413  the body is over the limit
    ├── Invalid           422  the wrong shape; `errors` names each field and the rule it breaks
    ├── TooMany           429  too many attempts to sign in
    ├── Broken            500  a mistake of ours
    └── Unavailable       503  try again, with the same key
        ├── Unreachable        Temporal can't be reached; nothing was carried out
        ├── NoWorker           Temporal has it and nobody works on it; it may still be carried out
        └── Busy               Temporal has too much to do

`code` is the word to program against: a refusal's own code for Refused, else the class's.
"""

from __future__ import annotations

from typing import Any, ClassVar


class Problem(Exception):
    """One thing that went wrong, told the same way by every door. `more` are members beside the standard ones.

    `people` is what a page says where `detail` speaks of addresses and methods.
    """

    status: ClassVar[int] = 500
    kind: ClassVar[str] = "broken"
    title: ClassVar[str] = "Something went wrong"
    retry_after: ClassVar[int | None] = None

    def __init__(self, detail: str, *, people: str | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.people = people or detail
        self.more = more

    @property
    def code(self) -> str:
        return self.kind

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}

    def document(self) -> dict[str, Any]:
        """The body of the answer, as `application/problem+json`."""
        standard = {"type": f"urn:tocsin:{self.kind}", "title": self.title, "status": self.status, "detail": self.detail, "code": self.code}
        return {**standard, **self.more}


class NotJson(Problem):
    status = 400
    kind = "not-json"
    title = "The body is not JSON"


class SignInNeeded(Problem):
    """Nobody is signed in. `sign_in` is where a browser goes."""

    status = 401
    kind = "sign-in-needed"
    title = "Sign in first"

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": 'Bearer realm="tocsin"', "Cache-Control": "no-store"}


class Forbidden(Problem):
    status = 403
    kind = "forbidden"
    title = "Not from here"


class NotPermitted(Forbidden):
    """Who asks is known, and may not. `refusal` says what is needed and who may."""

    kind = "not-permitted"
    title = "Not permitted"


class SignInFailed(Forbidden):
    kind = "sign-in-failed"
    title = "The sign-in did not work"


class Unknown(Problem):
    status = 404
    kind = "unknown"
    title = "Not found"


class UnknownIncident(Unknown):
    kind = "unknown-incident"
    title = "No such incident"

    def __init__(self, incident: str) -> None:
        name = incident[:60]
        detail = f"There is no incident {name!r}. Incidents are named like INC-2026-0001; GET /api/v1/incidents lists them."
        people = (
            f"There is no incident called {name}, or it is one that only those in it see. Incidents are named like INC-2026-0001: "
            "look for it among the open ones, or ask whoever gave you the link."
        )
        super().__init__(detail, people=people, incident=name)


class WrongMethod(Problem):
    status = 405
    kind = "wrong-method"
    title = "Not in this way"


class Refused(Problem):
    """The process says no. `answer` is what the update answered, whole."""

    status = 409
    kind = "refused"
    title = "Refused by the process"

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        refusal = answer["refusal"]
        super().__init__(f"{refusal['message']} {refusal['required_action']}", **answer)

    @property
    def code(self) -> str:
        return str(self.answer["refusal"]["code"])


class Conflict(Problem):
    """Somebody else was quicker. Nothing was overwritten: `theirs` holds what stands there now, with its version."""

    status = 409
    kind = "draft-conflict"
    title = "Somebody else has written here"


class TooLarge(Problem):
    status = 413
    kind = "too-large"
    title = "The body is too large"


class Invalid(Problem):
    """Input of the wrong shape. `errors` holds one `{"field", "message"}` a mistake."""

    status = 422
    kind = "invalid-input"
    title = "Input of the wrong shape"

    def __init__(self, errors: list[dict[str, str]]) -> None:
        self.errors = errors
        super().__init__("; ".join(f"{error['field']}: {error['message']}" for error in errors), errors=errors)


class TooMany(Problem):
    status = 429
    kind = "too-many-attempts"
    title = "Too many attempts"

    def __init__(self, detail: str, seconds: int) -> None:
        super().__init__(detail)
        self.seconds = seconds

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.seconds)}


class Broken(Problem):
    """A mistake of ours, told without its insides; the log of the process that made it has the rest."""

    kind = "broken"


class Unavailable(Problem):
    status = 503
    kind = "unavailable"
    title = "Not now"
    retry_after = 5


class Unreachable(Unavailable):
    kind = "unreachable"
    title = "Temporal can't be reached"


class NoWorker(Unavailable):
    """Temporal is there and no worker answers. `last_known` holds what lists know of the incident, where they know any."""

    kind = "no-worker"
    title = "No worker answers"


class Busy(Unavailable):
    kind = "busy"
    title = "Temporal is busy"
    retry_after = 2
