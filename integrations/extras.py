"""Libraries that only some installations need: each stands in an extra of the package, and is imported where its adapter is made."""

from __future__ import annotations

import importlib
from types import ModuleType


class ExtraMissing(Exception):
    """A library is not installed; the text names the extra that brings it."""


def library(name: str, *, extra: str) -> ModuleType:
    """Import a library.

    Raises:
        ExtraMissing: it is not there.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ExtraMissing(f"the package {error.name} is not installed: pip install 'tocsin[{extra}]'") from error
