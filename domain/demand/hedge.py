"""A mix of experts whose weights follow their losses: Hedge with fixed share.

After each value, expert i with one-step error e_i:

    loss_i = min(1, e_i^2 / 4 s), s the running mean of the mix's own e^2, none taken for more than 100 s
    w_i <- w_i exp(-eta loss_i), normalised;  w_i <- (1 - share) w_i + share / K

Losses are measured against the mix's error, not against y^2: for intermittent demand the two are alike, but of
steady demand y^2 is so much larger than any error that all losses vanish and the weights stay equal (airline
passengers, six months ahead: root mean squared error / mean .123 by y^2, .089 by the error; co2 .033 and .018).

The share lets an expert come back when the series changes, and no weight can underflow: each stays above
share / K. River's `EWARegressor` has neither, and its cold prediction is the sum of its experts.

One error counts for no more than 100 s, or a single huge order would make all later losses vanish: after one of 1e9
where errors are of 10, s would be too large for 700 values, and for as long weights would stay as they are.

Freund and Schapire (1997), Journal of Computer and System Sciences 55:119. Herbster and Warmuth (1998), Machine
Learning 32:151.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul
from typing import Final

from domain.demand.experts.catalogue import EXPERTS
from domain.demand.experts.expert import HIGHEST, Expert, Features, State, tamed

_HIGHEST_ETA: Final = 100.0
"""Above some hundreds the weights of experts that all lose would underflow."""
_KEEP: Final = 0.05
"""Weight of the newest value in s."""
_OUTLIER: Final = 100.0
"""A squared error counts in s for no more than so many times s."""
_YOUNG: Final = 8
"""A new expert starts like the others in a mix that has weighed no more values; later with less, as 1/n."""


class FixedShare:
    """Weights of K experts, which sum to 1, and the scale s.

    >>> weights = FixedShare(2, eta=0.5, share=0.01)
    >>> for y in [10.0, 10.0, 10.0]:
    ...     weights.learn_one(y, [10.0, 0.0])
    >>> [round(weight, 3) for weight in weights.weights]
    [0.812, 0.188]
    """

    __slots__ = ("_scale", "_seen", "eta", "share", "weights")

    def __init__(self, experts: int, eta: float, share: float) -> None:
        if not 0 < eta <= _HIGHEST_ETA or not 0 < share < 1:
            raise ValueError(f"eta must be above 0 and at most 100, share in (0, 1): eta={eta:g}, share={share:g}")
        self.eta = eta
        self.share = share
        self.weights = [1.0 / experts] * experts
        self._seen = 0
        self._scale = 0.0

    def learn_one(self, y: float, forecasts: Sequence[float]) -> None:
        """Weigh the experts by what they had forecast for the known value `y`."""
        self._seen = seen = self._seen + 1
        mixed = y - sum(map(mul, self.weights, forecasts))
        scale = self._scale
        squared = min(mixed * mixed, _OUTLIER * scale or math.inf)
        self._scale = scale = scale + (squared - scale) * (_KEEP if seen * _KEEP > 1.0 else 1.0 / seen)
        most = 4.0 * scale
        if most <= 0.0:
            return
        eta = self.eta
        exp = math.exp
        weighed = []
        for weight, forecast in zip(self.weights, forecasts, strict=True):
            error = y - forecast
            loss = error * error / most
            weighed.append(weight * exp(-eta * loss if loss < 1.0 else -eta))
        share = self.share / len(weighed)
        kept = (1.0 - self.share) / sum(weighed)
        self.weights = [kept * weight + share for weight in weighed]

    def regroup(self, places: Sequence[int | None]) -> None:
        """Go on with other experts: of each the place it had, None for a new one.

        A new one starts with 1 / K in a mix of up to 8 values, with 8 / n of it after n, and at least with share / K.
        """
        entry = max(self.share, _YOUNG / max(self._seen, _YOUNG)) / len(places)
        left = 1.0 - entry * sum(place is None for place in places)
        known = sum(self.weights[place] for place in places if place is not None)
        if not known:
            self.weights = [1.0 / len(places)] * len(places)
            return
        self.weights = [entry if place is None else self.weights[place] * left / known for place in places]

    def snapshot(self) -> State:
        """Values seen, scale, weights."""
        return [self._seen, self._scale, list(self.weights)]

    def restore(self, state: State) -> None:
        """Go on from a snapshot."""
        self._seen, self._scale, weights = state
        self.weights = list(weights)


class Mix(Expert):
    """Forecast of several experts of `EXPERTS`, each by its weight of the moment; an expert itself.

    Parameters: `names` of the experts that take part, `season` in buckets, `eta`, `share`. An unknown value weighs
    nobody.

    >>> mix = Mix(names=("ses", "holt_winters"), season=2)
    >>> for y in [4.0, 8.0] * 50:
    ...     mix.learn_one(y)
    >>> [round(mean, 1) for mean in mix.forecast(2)]
    [4.0, 8.0]
    >>> mix.take_part(("tsb", "ses"))
    >>> {name: round(weight, 3) for name, weight in mix.weights.items()}
    {'tsb': 0.04, 'ses': 0.96}
    """

    __slots__ = ("_experts", "_next", "_shares", "eta", "names", "season", "share")
    NAME = "hedge"
    VERSION = 2

    def __init__(
        self, names: tuple[str, ...] = ("tsb", "ses"), season: int = 7, eta: float = 0.5, share: float = 0.01
    ) -> None:
        self.names = names
        self.season = season
        self.eta = eta
        self.share = share
        self._experts = [_made(name, season) for name in names]
        self._shares = FixedShare(len(names), eta, share)
        self._next: list[float] = []
        """What each expert was last heard to forecast for the next bucket; none when it was not asked."""

    def __str__(self) -> str:
        experts = ",".join(map(str, self._experts))
        return f"{self.NAME}@{self.VERSION}(eta={self.eta:g},share={self.share:g},{experts})"

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each expert."""
        return dict(zip(self.names, self._shares.weights, strict=True))

    def take_part(self, names: tuple[str, ...]) -> None:
        """Go on with the experts named: those at work stay as they are, others are dropped.

        A new one takes the mix's forecast for its first value, as a cold one would forecast 0.
        """
        if names == self.names:
            return
        places = [self.names.index(name) if name in self.names else None for name in names]
        new, now = {name: _made(name, self.season) for name in names if name not in self.names}, self.forecast(1)[0]
        for expert in new.values():
            expert.learn_one(now)
        self._experts = [
            new[name] if place is None else self._experts[place] for name, place in zip(names, places, strict=True)
        ]
        self._shares.regroup(places)
        self.names = names
        self._next = []

    def learn_one(self, y: float, x: Features | None = None) -> None:  # noqa: ARG002 - River's signature
        """Weigh the experts by their forecasts of `y`, then let each learn it."""
        known = y if 0.0 <= y <= HIGHEST else tamed(y)
        experts = self._experts
        if known is not None:
            self._shares.learn_one(known, self._next or [expert.forecast(1)[0] for expert in experts])
        self._next = []
        for expert in experts:
            expert.learn_one(y)

    def forecast(self, horizon: int, xs: list[Features] | None = None) -> list[float]:  # noqa: ARG002 - River's
        """Weighted mean of the experts' forecasts."""
        if not horizon:
            return []
        path: list[float] = []
        flat, self._next = 0.0, []  # one value for all buckets, as long as no expert tells them apart
        for weight, expert in zip(self._shares.weights, self._experts, strict=True):
            means = expert.forecast(1 if expert.FLAT else horizon)
            self._next.append(means[0])
            if path:
                means = means * horizon if expert.FLAT else means
                path = [sum_ + weight * mean for sum_, mean in zip(path, means, strict=True)]
            elif expert.FLAT:
                flat += weight * means[0]
            else:
                path = [flat + weight * mean for mean in means]
        return path or [flat] * horizon

    def snapshot(self) -> State:
        """Names, weights and each expert's state."""
        return [list(self.names), self._shares.snapshot(), [expert.snapshot() for expert in self._experts]]

    def restore(self, state: State) -> None:
        """Go on from a snapshot, with the experts that took part when it was taken."""
        names, shares, states = state
        self.names = tuple(names)
        self._shares.restore(shares)
        self._experts = [_made(name, self.season) for name in names]
        self._next = []
        for expert, known in zip(self._experts, states, strict=True):
            expert.restore(known)


def _made(name: str, season: int) -> Expert:
    if name not in EXPERTS:
        raise ValueError(f"no expert is called {name!r}; there are {', '.join(EXPERTS)}")
    return EXPERTS[name](season)
