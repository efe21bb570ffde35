"""What to do about an error that the doctor's look has met: one word where a vendor is away, another where it says no."""

from __future__ import annotations

from integrations.errors import IntegrationError, RateLimited, Unavailable


def remedy(error: IntegrationError, vendor: str, address: str, refused: str) -> str:
    """`address` is the variable that names the vendor's; `refused` is the advice where the vendor has answered, and the answer is no."""
    match error:
        case RateLimited():
            return f"{vendor} has been asked too much: look again later, and see what else uses these credentials."
        case Unavailable():
            return f"See whether {vendor} works, and whether this machine reaches it: {address}."
        case _:
            return refused
