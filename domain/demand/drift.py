"""Drift: demand is no longer what it was thought to be, as River's ADWIN sees it.

What is watched is a standardised error, never raw counts, which drift whenever a season turns; and it is clipped,
for one huge order is an outlier, not a change. The error is that of the one-step forecast made `lag` buckets ago, a
whole number of seasons: it was made for the same place in the season. Forecasts follow a change within buckets, so
their own latest errors hide it (measured: of demand that doubled or trebled, none is found in 200 buckets); the
errors of older forecasts show it until these have followed too.

ADWIN (Bifet and Gavalda 2007) keeps a window of errors as long as its mean stays the same and cuts it where it does
not. A cut is a signal, no more.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from typing import Any

from river.__version__ import __version__ as VERSION  # noqa: N812 - a constant
from river.drift import ADWIN

from schemas.errors import RecoveryError


@dataclass(frozen=True, slots=True)
class DriftModel:
    """Parameters: chance of a false cut, buckets between looks, the largest error in spreads, errors before any."""

    delta: float = 0.002
    clock: int = 4
    clip: float = 3.0
    grace: int = 16
    least_lag: int = 28

    def __post_init__(self) -> None:
        if not 0 < self.delta < 1 or self.clock < 1 or self.clip <= 0 or min(self.grace, self.least_lag) < 1:
            raise ValueError(f"0 < delta < 1, clock >= 1, clip > 0, grace and lag >= 1 must hold: {self}")

    def lag(self, season: int) -> int:
        """Buckets that forecasts wait: the least number of whole seasons that is `least_lag` or more.

        >>> DriftModel().lag(7), DriftModel().lag(24), DriftModel().lag(52)
        (28, 48, 52)
        """
        return -(-self.least_lag // season) * season


@dataclass(frozen=True, slots=True)
class Drift:
    """A change: mean error in spreads of the whole window before the cut and of what was kept after it."""

    before: float
    after: float


class DriftWatch:
    """ADWIN on the standardised errors of one series; `season` in buckets."""

    __slots__ = ("_adwin", "_clip", "_forecasts", "_turn")

    def __init__(self, model: DriftModel, season: int) -> None:
        self._clip = model.clip
        self._forecasts = array("d", [math.nan]) * model.lag(season)
        self._turn = 0
        self._adwin = ADWIN(delta=model.delta, clock=model.clock, grace_period=model.grace)

    def learn_one(self, demand: float, forecast: float, spread: float) -> Drift | None:
        """A bucket's demand (NaN: not known), what was forecast for it, its standard deviation, 0 or more."""
        older = self._forecasts[self._turn]
        self._forecasts[self._turn] = forecast
        self._turn = (self._turn + 1) % len(self._forecasts)
        error = demand - older
        if not (spread > 0 and math.isfinite(error)):
            return None
        adwin = self._adwin
        before = adwin.estimation
        adwin.update(max(-self._clip, min(self._clip, error / spread)))
        if not adwin.drift_detected:
            return None
        return Drift(before, adwin.estimation)

    def snapshot(self) -> list[Any]:
        """State: forecasts that wait, and the bytes in which River itself stores its detector."""
        helper = self._adwin._helper  # noqa: SLF001 - River has no public way
        return [VERSION, self._forecasts.tobytes(), self._turn, helper.__getstate__(), self._adwin.drift_detected]

    def restore(self, state: list[Any]) -> None:
        """Take up a snapshot; RecoveryError for the bytes of another River."""
        if state[0] != VERSION:  # before its bytes are read: the extension would panic
            raise RecoveryError(
                f"state of a drift detector is that of River {state[0]}, this is {VERSION}",
                fix="finish the run with the version of Takt that began it, or start a new run",
            )
        _, forecasts, self._turn, detector, detected = state
        self._forecasts = array("d", forecasts)
        self._adwin._helper.__setstate__(detector)  # noqa: SLF001 - see snapshot
        self._adwin._drift_detected = detected  # noqa: SLF001 - see snapshot
