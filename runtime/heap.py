"""The garbage collector, in processes that live long: what is there once they have started stays, and need not be looked at again."""

from __future__ import annotations

import gc


def freeze() -> None:
    """Leave modules, models and settings out of every later collection. For the end of a start, before any work is taken.

    Each full collection in the middle of a storm would look at all of them, half of what the worker then spends.
    """
    gc.collect()
    gc.freeze()
