"""Cookies, and what is behind them on this side: nothing but a random id ever leaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from starlette.responses import Response

LASTING = timedelta(hours=12)
"""A shift. Whoever works longer signs in again; what they have typed is kept."""

ATTEMPT_LASTS = timedelta(minutes=10)
"""From the way to the provider until the way back, a second factor that has to be looked for included."""


@dataclass(frozen=True)
class Cookies:
    """The cookies of one door. Over TLS their names begin with `__Host-`: no other host and no plain page can set them.

    On a loopback address without TLS browsers take no such name, so there they are called otherwise.
    """

    secure: bool

    @property
    def session(self) -> str:
        return "__Host-sid" if self.secure else "tocsin_sid"

    @property
    def attempt(self) -> str:
        return "__Host-attempt" if self.secure else "tocsin_attempt"

    def give(self, answer: Response, name: str, value: str, lasting: timedelta) -> None:
        seconds = int(lasting.total_seconds())
        answer.set_cookie(name, value, max_age=seconds, path="/", secure=self.secure, httponly=True, samesite="lax")

    def take(self, answer: Response, name: str) -> None:
        answer.delete_cookie(name, path="/", secure=self.secure, httponly=True, samesite="lax")
