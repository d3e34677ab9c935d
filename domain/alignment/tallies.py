"""Sums per zone that lose weight as they age: what the learners of capacity keep.

A zone's sums depend on its own rows alone, added one after the other in the order given, so to the last bit they do
not depend on which zones were seen before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

ZONE = ("site", "zone")
_SEEN = "seen_us"


class Tallies:
    """Named sums per (site, zone); zones are told by their number."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._numbers: dict[tuple[str, str], int] = {}
        self._sums = {name: np.zeros(0) for name in names}
        self._seen = np.zeros(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, name: str) -> Float64:
        """Sums by number of zone; not to be written to."""
        return self._sums[name]

    def zones(self, rows: pl.DataFrame, at_us: int) -> Int64:
        """Number of the zone of each row, which has columns `site` and `zone`; new zones are added, seen at `at_us`."""
        for key in _keys(rows):
            self._numbers.setdefault(key, len(self._numbers))
        added = len(self) - len(self._seen)
        if added:
            self._seen = np.append(self._seen, np.zeros(added, dtype=np.int64))
            self._sums = {name: np.append(values, np.zeros(added)) for name, values in self._sums.items()}
        numbers = self.found(rows)
        self._seen[numbers] = at_us
        return numbers

    def found(self, rows: pl.DataFrame) -> Int64:
        """Number of the zone of each row, -1 for one that is not known."""
        return np.array([self._numbers.get(key, -1) for key in _keys(rows)], dtype=np.int64)

    def of_site(self, values: Float64) -> Float64:
        """For each zone, the sum of the values of all zones of its site."""
        sites: dict[str, int] = {}
        site = np.array([sites.setdefault(site, len(sites)) for site, _ in self._numbers], dtype=np.int64)
        return np.bincount(site, values)[site].astype(np.float64) if len(site) else values

    def shrunk(self, total: Float64, weight: Float64, *, worth: float, default: float) -> Float64:
        """Mean total / weight of each zone, drawn to that of its site, which is drawn to a default; `worth` in weight.

        >>> zones = Tallies(("hours", "tasks"))
        >>> _ = zones.zones(pl.DataFrame({"site": ["north", "north"], "zone": ["pick", "pack"]}), 0)
        >>> zones.shrunk(np.array([30.0, 0.0]), np.array([2.0, 0.0]), worth=1.0, default=6.0).tolist()
        [14.0, 12.0]
        """
        together = (self.of_site(total) + worth * default) / (self.of_site(weight) + worth)
        return (total + worth * together) / (weight + worth)

    def add(self, zones: Int64, **values: npt.ArrayLike) -> None:
        """Add values of rows to the sums of their zones."""
        for name, value in values.items():
            weights = np.broadcast_to(np.asarray(value, dtype=np.float64), zones.shape)
            self._sums[name] += np.bincount(zones, weights, minlength=len(self))

    def clear(self, zones: Int64, *names: str) -> None:
        """Set sums of some zones to 0."""
        for name in names:
            self._sums[name][zones] = 0.0

    def age(self, kept: Mapping[str, float]) -> None:
        """Multiply the sums named by what is kept of them."""
        for name, share in kept.items():
            self._sums[name] *= share

    def forget(self, before_us: int) -> None:
        """Drop zones not seen since."""
        self.restore(self.frame().filter(pl.col(_SEEN) >= before_us))

    def frame(self) -> pl.DataFrame:
        """State, by number: sums over all zones are taken in that order."""
        keys = pl.DataFrame(list(self._numbers), schema=dict.fromkeys(ZONE, pl.String), orient="row")
        return keys.with_columns(pl.Series(_SEEN, self._seen), *(pl.Series(n, self._sums[n]) for n in self._names))

    def restore(self, frame: pl.DataFrame) -> None:
        """Take up the state of a `frame`."""
        self._numbers = {key: number for number, key in enumerate(frame.select(ZONE).iter_rows())}
        self._seen = frame[_SEEN].to_numpy().copy()
        self._sums = {name: frame[name].to_numpy().copy() for name in self._names}


def ratio(one: Float64, other: Float64) -> Float64:
    """One over the other, 0 where the other is not above 0."""
    return np.divide(one, other, out=np.zeros_like(one), where=other > 0)


def _keys(rows: pl.DataFrame) -> Iterator[tuple[str, str]]:
    return zip(rows["site"].to_list(), rows["zone"].to_list(), strict=True)
