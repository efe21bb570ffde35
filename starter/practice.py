"""The drill's hand on this machine: the worker of `tocsin up` that it may kill."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

from starter.problems import Unavailable


def worker_killer(data: Path) -> Callable[[], int] | None:
    """What ends the worker that runs beside this door, as the run file of `data` names it; None where no `tocsin up` started us.

    The supervisor starts another one at once. Only a worker of our own supervisor is ever killed.
    """
    if not os.environ.get("TOCSIN_UP"):
        return None
    supervisor = os.getppid()

    def kill() -> int:
        try:
            pids = json.loads((data / "run.json").read_text())["pids"]
            worker, up = int(pids["worker"]), int(pids["up"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Unavailable(f"The run file does not say which process the worker is: {error}. Try again in a second.") from error
        if up != supervisor:
            raise Unavailable("The run file is another server's; this one's worker is left alone.")
        try:
            os.kill(worker, signal.SIGKILL)
        except ProcessLookupError as error:
            raise Unavailable("The worker is just being started again. Try again in a second.") from error
        return worker

    return kill
