"""`python -m starter.cli`."""

from __future__ import annotations

from starter.cli import main

main()
