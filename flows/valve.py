"""A valve between the gate and its source: when the breaker opens, reading pauses and resumes with probes.

Source and gate run in one process, so a shared object is all it takes. The valve decides only *when* rows are
read, never what becomes of them; results therefore do not depend on it. A source that ends cannot wait for better
messages: it gives up, once all that was read is told.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Final

from schemas.errors import BreakerOpenError

_EPOCHS_TO_TELL: Final = 3
"""Epochs that must close before a source gives up, so that quarantine and signal are out."""


@dataclass(slots=True)
class Valve:
    """Open: read freely. Shut: one probe batch per pause."""

    pause_s: float
    reason: str | None = None
    """Why the valve is shut; None while it is open."""
    _next_probe: float = 0.0
    _epochs_shut: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def shut(self, reason: str) -> None:
        """Stop reading but for probes."""
        with self._lock:
            if self.reason is None:
                self._next_probe = time.monotonic() + self.pause_s
            self.reason = reason

    def open(self) -> None:
        """Read freely again."""
        with self._lock:
            self.reason = None

    def may_read(self) -> bool:
        """Whether a batch may be read now; while shut, this counts as the probe when it says yes."""
        with self._lock:
            if self.reason is None:
                return True
            if time.monotonic() < self._next_probe:
                return False
            self._next_probe = time.monotonic() + self.pause_s
            return True

    def epoch_closed(self) -> None:
        """Take note that an epoch is over."""
        self._epochs_shut = 0 if self.reason is None else self._epochs_shut + 1

    def give_up(self, place: str) -> None:
        """Raise BreakerOpenError for a bounded input, read up to `place`, whose breaker is open and has been told."""
        if self._epochs_shut >= _EPOCHS_TO_TELL:
            raise BreakerOpenError(
                f"{place}: {self.reason}",
                fix="see `takt quarantine list`; correct the input or the contract, or raise breaker.ratio (above 1 "
                "nothing stops); then run again, and reading goes on where it stopped",
            )


class Valves:
    """The valves of one source, by partition."""

    def __init__(self, pause_s: float) -> None:
        self._pause = pause_s
        self._valves: dict[str, Valve] = {}
        self._lock = threading.Lock()

    def of(self, partition: str) -> Valve:
        """The valve of a partition, shared by its source and its gate."""
        with self._lock:
            return self._valves.setdefault(partition, Valve(self._pause))
