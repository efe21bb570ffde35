"""A workflow whose handlers break in every way that a handler can."""

from __future__ import annotations

import logging
from datetime import timedelta

import structlog
from temporalio import workflow
from temporalio.exceptions import ApplicationError

log = structlog.get_logger("tests.noted")


@workflow.defn
class Noted:
    """Lives until told to end; answers with what its guard has noted."""

    def __init__(self) -> None:
        self.invalid: list[str] = []
        self.ended = False

    @workflow.run
    async def run(self) -> list[str]:
        log.warning("began", by="structlog")
        logging.getLogger("tests.library").warning("began")
        await workflow.wait_condition(lambda: self.ended)
        await workflow.sleep(timedelta(milliseconds=10))
        return self.invalid

    def note_invalid(self, name: str, reason: str) -> None:
        self.invalid.append(f"{name}: {reason}")

    @workflow.signal
    def broken_signal(self) -> None:
        raise KeyError("nobody")

    @workflow.signal
    def refusing_signal(self) -> None:
        raise ApplicationError("no")

    @workflow.signal
    def one_word(self, word: str) -> None:
        log.warning("heard", word=word)

    @workflow.signal
    def finish(self) -> None:
        self.ended = True

    @workflow.update
    def broken_update(self) -> str:
        raise KeyError("nobody")

    @workflow.update
    def refusing_update(self) -> str:
        raise ApplicationError("not today", type="InvalidInput")

    @workflow.update
    def end(self) -> str:
        self.ended = True
        return "ended"
