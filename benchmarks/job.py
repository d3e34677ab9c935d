"""The numbers of the standard job, apart, so that a contender loads nothing but itself."""

from __future__ import annotations

from datetime import UTC, datetime

START = datetime(2026, 3, 2, tzinfo=UTC)
"""Event time of the first message."""
DISORDER_S = 5
"""Largest delay of a message that is not late."""
LATENESS_S = 5
"""A row is late when its event time is further than this behind the newest row before it."""
DEDUPE_S = 600
"""An id is known while its event time is no further than this behind the newest row."""
WINDOW_S = 60
