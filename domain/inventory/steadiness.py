"""How often a first look's class was still that at the final look: what a first look's word is worth."""

from __future__ import annotations

from typing import Any, Final

Count = tuple[str, str]
"""Kind and id of a count."""

_PRIOR: Final = (8, 10)  # stayed, of so many


class Steadiness:
    """Tallies by class of the first look."""

    def __init__(self) -> None:
        self._open: dict[Count, str] = {}
        self._tallies: dict[str, list[int]] = {}

    def first(self, count: Count, name: str) -> None:
        """A count was first found to be of a class."""
        self._open[count] = name

    def final(self, count: Count, name: str) -> None:
        """The same count was at last found to be of a class."""
        first = self._open.pop(count, None)
        if first is None:  # another count came with the same id
            return
        tally = self._tallies.setdefault(first, [0, 0])
        tally[0] += name == first
        tally[1] += 1

    def share(self, name: str) -> float:
        """Expected share of first looks of a class that stay.

        >>> steadiness = Steadiness()
        >>> steadiness.share("gain")
        0.8
        """
        stayed, of = self._tallies.get(name, (0, 0))
        return (stayed + _PRIOR[0]) / (of + _PRIOR[1])

    def state(self) -> list[Any]:
        """Primitives that `take_up` makes the same of."""
        return [[[*count, name] for count, name in self._open.items()], self._tallies]

    def take_up(self, state: list[Any]) -> None:
        """Go on from a `state`."""
        self._open = {(kind, event_id): name for kind, event_id, name in state[0]}
        self._tallies = {name: list(tally) for name, tally in state[1].items()}
