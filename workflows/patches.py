"""Ids of changes that histories of earlier versions do not have; each with what it changed, and when it may go."""

from __future__ import annotations

SUGGESTIONS_WITHDRAWN = "suggestions-withdrawn"
"""The register tells open incidents that another one, which was suggested to them, has ended.

It may go once the register has continued as new under this version.
"""

ALERTS_IN_WAVES = "alerts-in-waves"
"""An alert group hands more than one signal's worth of alerts to its incident at once, no longer one signal after the other.

It may go once no alert group of 0.1.0 is running: they end a quarter of an hour after their last alert has.
"""
