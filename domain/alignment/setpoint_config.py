"""Times in the life of a setpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.errors import SettingsError

_MINUTE_US: Final = 60_000_000


@dataclass(frozen=True, slots=True)
class SetpointConfig:
    """Times, in microseconds. SettingsError with all that is wrong with them."""

    interval_us: int = 5 * _MINUTE_US
    """From decision to decision."""
    delay_us: int = 10 * _MINUTE_US
    """From decision to effect."""
    ack_within_us: int = 5 * _MINUTE_US
    """From decision to answer, in event time: a decision leaves Takt when the allowed lateness has passed."""
    expires_after_us: int = 60 * _MINUTE_US
    hold_us: int = 60 * _MINUTE_US
    """So long the last setpoint is renewed while nothing can be decided."""
    memory_us: int = 24 * 60 * _MINUTE_US

    def __post_init__(self) -> None:
        problems = []
        if self.interval_us <= 0 or self.ack_within_us <= 0 or self.delay_us < 0 or self.hold_us < 0:
            problems.append("interval and time for an answer must be positive, delay and time of hold not negative")
        if self.expires_after_us <= max(self.renew_before_us, self.ack_within_us):
            least = max(self.renew_before_us, self.ack_within_us) / _MINUTE_US
            problems.append(f"setpoints must hold longer than {least:g} min: delay and two intervals, and an answer")
        if self.memory_us < self.expires_after_us:
            problems.append("setpoints must be remembered until they expire at least")
        if problems:
            raise SettingsError("\n".join(problems), fix="correct the times of setpoints")

    @property
    def renew_before_us(self) -> int:
        """A setpoint with less time than this left is renewed.

        So what is in force lasts until what follows takes effect, even if a renewal must be sent twice.
        """
        return self.delay_us + 2 * self.interval_us
