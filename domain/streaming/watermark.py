"""Event time of one source partition: running maximum, watermark, lateness. Never the wall clock.

With disorder `D` and allowed lateness `L`, after reading rows whose largest event time is `m`:

- the *watermark* is `m - D`: windows that end at or before it are emitted, on time;
- the *horizon* is `m - D - L`: windows that end at or before it are final.

A row is *late* when its event time is below the horizon that held just before it. Lateness is judged row by
row against the running maximum of the rows before, so it does not depend on where batches were cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]

BEGINNING: Final = -(2**62)
"""Running maximum before the first row, in microseconds: far below any event time, safe to subtract from."""


@dataclass(frozen=True, slots=True)
class TimeBounds:
    """Window length, disorder and allowed lateness of a stream, in microseconds of event time."""

    window_us: int
    disorder_us: int
    lateness_us: int

    def __post_init__(self) -> None:
        if self.window_us <= 0 or self.disorder_us < 0 or self.lateness_us < 0:
            raise ValueError(f"window must be positive, disorder and lateness not negative: {self}")

    @property
    def reach_us(self) -> int:
        """How far behind the running maximum a row may be and still count."""
        return self.disorder_us + self.lateness_us

    def on_time_until(self, running_max: int) -> int:
        """End of the last window that is emitted once `running_max` has been read."""
        return self._floor(running_max - self.disorder_us)

    def final_until(self, running_max: int) -> int:
        """End of the last window that is final once `running_max` has been read."""
        return self._floor(running_max - self.reach_us)

    def window_start(self, times: Int64) -> Int64:
        """Start of the window of each event time."""
        return times - np.mod(times, self.window_us)

    def _floor(self, time: int) -> int:
        return time - time % self.window_us


def running_max(times: Int64, start: int) -> tuple[Int64, int]:
    """Running maximum before each row, and after the last one.

    >>> running_max(np.array([5, 9, 7, 12]), 6)
    (array([6, 6, 9, 9]), 12)
    """
    if len(times) == 0:
        return times, start
    after = np.maximum(np.maximum.accumulate(times), start)
    before = np.empty_like(after)
    before[0] = start
    before[1:] = after[:-1]
    return before, int(after[-1])


def cuts(times: Int64, before: Int64, bounds: TimeBounds) -> list[int]:
    """Indices at which a batch must be cut so that every on-time result is what it was when it was due.

    A *revising* row belongs to a window whose on-time result is due already. The rows that made it due must be
    worked off before such a row joins in: the cut lies just behind the last row before it that moved the
    watermark over a window's end. Without revising rows there is no cut, however many windows close.
    """
    due = before - bounds.disorder_us
    due -= np.mod(due, bounds.window_us)
    revising = np.flatnonzero(bounds.window_start(times) + bounds.window_us <= due)
    if len(revising) == 0:
        return []
    # Row i made windows due when the bound in force before row i + 1 is above the one before row i.
    moved = np.flatnonzero(np.diff(due))
    last_move = np.searchsorted(moved, revising, side="left") - 1
    return sorted({int(moved[k]) for k in last_move if k >= 0})
