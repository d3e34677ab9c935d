"""A gap in telemetry decides nothing: the last setpoint is held, which is told, and then left to expire."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest

from domain.twin.streams import ROBOT_STATE
from flows.settings import Time
from tests.flows.warehouse import table

from .floor import START, alignment, clean, worked_off

TIME = Time(window_s=90, lateness_s=30)  # each window costs as much as hundreds of messages
BEGIN_S, END_S = 600, 2_100
STALE_S = 120.0


@pytest.fixture(scope="module")
def setpoints(tmp_path_factory):
    """Setpoints of forty minutes in which nothing is heard of robots for 25 minutes, while tasks go on."""
    silent = [(time, line) for time, line in clean()[ROBOT_STATE] if not BEGIN_S <= time - START.timestamp() < END_S]
    chosen = alignment(stale_s=STALE_S, expires_s=700.0, hold_s=900.0)
    settings = worked_off(tmp_path_factory.mktemp("gap"), clean() | {ROBOT_STATE: silent}, chosen=chosen, time=TIME)
    since = (pl.col("event_time").dt.timestamp("us") / 1e6 - START.timestamp()).alias("at_s")
    return table(settings, "setpoint").with_columns(since)


@pytest.mark.slow
def test_nothing_is_decided_in_the_gap(setpoints):
    """What is sent in it renews what was sent before, unchanged, and ends with the time of the hold."""
    inside = pl.col("at_s").is_between(BEGIN_S + STALE_S, END_S)
    sent = setpoints.filter(inside & (pl.col("status") == "sent"))
    assert sent.filter(pl.col("renews").is_null()).height == 0
    assert sent.filter(pl.col("robots") != pl.col("previous")).height == 0
    assert setpoints.filter(~inside & (pl.col("status") == "sent") & pl.col("renews").is_null()).height > 0
    held = setpoints.filter(pl.col("status") == "held").select("site", "zone", ends="expires_at")
    ends = sent.join(held, on=("site", "zone"))
    assert ends.height > 0
    assert (ends["expires_at"] <= ends["ends"]).all()


@pytest.mark.slow
def test_a_hold_is_told_once_and_ends(setpoints):
    """Each zone has one row when it begins and one when it ends, with the cause."""
    spells = setpoints.filter(pl.col("status").is_in(["held", "resumed"])).sort("site", "zone", "at_s")
    for _, rows in spells.group_by("site", "zone"):
        assert rows["status"].to_list() == ["held", "resumed"]
        assert rows["cause"].to_list() == ["stale", "stale"]
        for begin, end in pairwise(rows["at_s"]):
            assert BEGIN_S < begin <= BEGIN_S + STALE_S + 180 < END_S < end
    zones = setpoints.select("site", "zone").unique().height
    assert spells.height == 2 * zones


@pytest.mark.slow
def test_what_nobody_prolongs_expires(setpoints):
    """No setpoint is in force for ever: those of the gap end with their time."""
    assert setpoints.filter((pl.col("status") == "expired") & pl.col("at_s").is_between(BEGIN_S, END_S)).height > 0
