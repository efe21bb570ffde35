"""Changes of behaviour that histories of before must not meet (`workflow.patched`). An id goes once no such history is open any more."""

ONE_KEY_ONE_REQUEST = "one-key-one-request"
"""A signal under a key that was spent on something else is on record as invalid; it was dropped without a word (2026-11)."""

FILLED_POSTMORTEM = "filled-postmortem"
"""A post-mortem that still holds the template's placeholders is refused; only its summary and root cause were looked at (2026-11)."""
