"""Ids of changes that histories of earlier versions do not have; each with what it changed, and when it may go."""

from __future__ import annotations

ALERTS_IN_WAVES = "alerts-in-waves"
"""An alert group hands more than one signal's worth of alerts to its incident at once, no longer one signal after the other.

It may go once no alert group of 0.1.0 is running: they end a quarter of an hour after their last alert has.
"""
