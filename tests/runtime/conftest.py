"""What the tests of settings must not find in the environment: where the vendors' descriptions are is for other tests to know."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_descriptions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOCSIN_SPECS", raising=False)
