"""A controller that says setpoints are carried out where nothing changes: it is told, and setpoints do not turn."""

from __future__ import annotations

from itertools import pairwise
from math import pi, sin

import polars as pl
import pytest

from flows.alignment.steering import Steering
from flows.alignment.zones import ZoneState

from .floor import alignment

INTERVAL_US = 300_000_000
HALF_A_DAY = 144
"""Reviews."""
RATE, DEMAND = 24.0, 228.0
ZONE = ("north", "pick")


class Zone:
    """A zone of ten robots, near the capacity that they have, of which nobody answers: setpoints are taken as done."""

    def __init__(self, *, obeys: bool = False, wave: float = 0.25, **how) -> None:
        usual = {"interval_s": 300.0, "delay_s": 300.0, "expires_s": 3600.0, "hold_s": 3600.0}
        self._settings = alignment(**{**usual, **how})
        self.steering = Steering(self._settings, answered=False)
        self._obeys, self._wave = obeys, wave
        self._backlog, self.robots, self.number = 0.0, 10, 0
        self.sent: list[int] = []
        self.exceptions: list[pl.DataFrame] = []

    def go_on(self, reviews: int, *, restarts: bool = False) -> Zone:
        for _ in range(reviews):
            self._review()
            if restarts:
                stored, self.steering = self.steering.snapshot(), Steering(self._settings, answered=False)
                self.steering.restore(stored)
        return self

    def _review(self) -> None:
        self.number += 1
        at = self.number * INTERVAL_US
        demand = DEMAND * (1 + self._wave * sin(2 * pi * self.number / 24))
        self._backlog = max(0.0, self._backlog + (demand - self.robots * RATE) / 12)
        self.steering.advance(None, at)
        there = self.robots
        state = ZoneState(*ZONE, demand, self._backlog, RATE, 1.0, 1.0, there, 9.0, 40, there, None, (0.0, 0.0))
        decided = self.steering.decide(at, [state])
        self.exceptions.append(decided.exceptions)
        self.sent += decided.setpoints.filter(pl.col("renews").is_null(), status="sent")["robots"].to_list()
        if self._obeys:
            self.robots = self.steering._setpoints.in_force(*ZONE, at) or self.robots

    def told(self) -> pl.DataFrame:
        return pl.concat(self.exceptions)


def turns(robots: list[int]) -> int:
    ways = [b > a for a, b in pairwise(robots) if a != b]
    return sum(a != b for a, b in pairwise(ways))


@pytest.mark.slow
def test_setpoints_that_nobody_carries_out_do_not_turn():
    """They would with each wave of demand; held, each hold twice as long, they hardly do, and each hold is told."""
    blind = Zone(effect_within_s=0.0).go_on(HALF_A_DAY)
    assert turns(blind.sent) > 8
    assert blind.told().height == 0
    zone = Zone().go_on(HALF_A_DAY)
    assert turns(zone.sent) <= turns(blind.sent) / 2
    told = zone.told()
    assert set(told["kind"]) == {"without_effect"}
    assert 1 <= told.height <= 6
    assert "half the way" in told["reason"][0]
    assert told["setpoint"].is_duplicated().sum() == 0


def test_setpoints_that_show_go_on_as_before():
    """Where robots come and go as they are asked to, nothing is told and nothing held."""
    zone = Zone(obeys=True).go_on(50)
    assert zone.told().height == 0
    assert zone.sent == Zone(obeys=True, effect_within_s=0.0).go_on(50).sent


def test_a_hold_ends_when_what_was_asked_for_shows():
    """Robots that come after all, an hour late: setpoints move again at once."""
    zone = Zone(wave=0.0).go_on(1)
    zone._backlog = 200.0
    zone.go_on(11)
    assert zone.told().height == 1
    assert zone.steering._effects.holds(ZONE)
    zone.robots = zone.sent[-1]
    zone.go_on(1)
    assert not zone.steering._effects.holds(ZONE)


@pytest.mark.slow
@pytest.mark.parametrize("obeys", [False, True])
def test_restarts_change_nothing(obeys):
    """Also in the midst of a hold."""
    one, other = Zone(obeys=obeys).go_on(40), Zone(obeys=obeys).go_on(40, restarts=True)
    assert one.sent == other.sent
    assert one.told().equals(other.told())


def test_a_zone_that_is_gone_is_forgotten():
    """Nothing is kept of zones that a review no longer finds."""
    zone = Zone().go_on(20)
    at = 21 * INTERVAL_US
    zone.steering.advance(None, at)
    zone.steering.decide(at, [ZoneState("south", "pack", 0.0, 0.0, RATE, 1.0, 1.0, 1, 9.0, 1, 1, None, (0.0, 0.0))])
    _, memories, _, effects, _ = zone.steering.snapshot()
    assert {*(tuple(row[:2]) for row in memories), *(tuple(row[:2]) for row in effects)} <= {("south", "pack")}
