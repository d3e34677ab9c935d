"""A valve between the gate and its source: when the breaker opens, reading pauses and resumes with probes.

Source and gate run in one process, so a shared object is all it takes. The valve decides only *when* rows are
read, never what becomes of them; results therefore do not depend on it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Valve:
    """Open: read freely. Shut: one probe batch per pause."""

    pause_s: float
    reason: str | None = None
    """Why the valve is shut; None while it is open."""
    _next_probe: float = 0.0
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
