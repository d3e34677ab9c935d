"""What an expert would ask of throughput, from messages to estimates, on seeded simulations with known truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from domain.throughput import counters
from domain.throughput.estimates import ThroughputEstimator
from domain.throughput.levels import levels
from domain.throughput.rate import RateModel

SECOND = 1_000_000
WINDOW = 60 * SECOND
PERIOD_S = 10
ORDER = ("robot", "event_time", "boot_epoch", "seq", "event_id")
SCHEMA = {"boot_epoch": pl.Int64, "seq": pl.Int64, "tasks_done": pl.Int64, "queue_depth": pl.Int64, "units": pl.Int64}


@dataclass
class Robot:
    """Work of one robot: when tasks began and ended, and the stretch of time in which it could work, in s."""

    start: np.ndarray
    end: np.ndarray
    hours: float


def poisson_robot(rng, rate, hours):
    """Tasks that end as a Poisson process; each took a second."""
    end = np.sort(rng.uniform(0, hours * 3600, rng.poisson(rate * hours)))
    return Robot(end - 1, end, hours)


def queue_robot(rng, arrival_rate, service_rate, hours):
    """A queue with Poisson arrivals and exponential service times (M/M/1), by Lindley's recursion."""
    n = rng.poisson(arrival_rate * hours)
    arrival = np.sort(rng.uniform(0, hours * 3600, n))
    took = rng.exponential(3600 / service_rate, n)
    before = np.cumsum(took) - took
    end = np.cumsum(took) + np.maximum.accumulate(arrival - before)
    return Robot(end - took, end, hours)


def busy_at(robot, at):
    """Busy time up to each moment."""
    begun = np.searchsorted(robot.start, at, side="right")
    total = np.concatenate([[0.0], np.cumsum(robot.end - robot.start)])
    rest = np.where(begun > 0, np.maximum(robot.end[begun - 1] - at, 0), 0) if len(robot.end) else 0.0
    return total[begun] - rest


def messages(robots, offset=0):
    """One message per robot and period, with true counters, sorted as the counters want them."""
    parts = []
    for i, robot in enumerate(robots):
        at = np.arange(0, robot.hours * 3600 + 1, PERIOD_S) + (i % PERIOD_S)
        done = np.searchsorted(robot.end, at, side="right")
        parts.append(
            pl.DataFrame(
                {
                    "robot": f"r{i + offset:04d}",
                    "zone": f"z{i % 3}",
                    "site": "s",
                    "boot_epoch": 1,
                    "seq": np.arange(len(at)),
                    "event_time": (at * SECOND).astype(np.int64),
                    "battery": 50.0,
                    "tasks_done": done,
                    "busy_s": busy_at(robot, at),
                    "available_s": at.astype(float),
                    "queue_depth": 0,
                    "units": np.diff(done, prepend=0),
                    "event_id": np.arange(len(at)).astype(str),
                },
                schema_overrides=SCHEMA,
            ).with_columns(pl.col("event_time").cast(pl.Datetime("us", "UTC")))
        )
    return pl.concat(parts).sort(ORDER)


def windows(rows):
    counted, _ = counters.increments(rows, counters.empty_carry())
    return counters.aggregate(counted, WINDOW)


def estimates(partial, model=None):
    return ThroughputEstimator(model or RateModel(), WINDOW, "robot.state@1").final(levels(partial))


def by_robot(output, column):
    """Column of the robots' rows as (windows, robots)."""
    rows = output.filter(pl.col("level") == "robot")
    wide = rows.pivot("entity", index="window_start", values=column).sort("window_start")
    return wide.drop("window_start").select(sorted(wide.columns[1:])).to_numpy()


@pytest.mark.slow
def test_a_fifth_of_messages_lost_bends_rates_by_less_than_a_percent():
    """Counters lose nothing with the messages, where counting messages' units loses a fifth."""
    rng = np.random.default_rng(21)
    rates = rng.uniform(30, 90, 60)
    rows = messages([poisson_robot(rng, rate, 4) for rate in rates])
    kept = rows.filter(pl.Series(rng.random(rows.height) >= 0.2))
    truth, partial = windows(rows), windows(kept)
    rate = partial["tasks"].sum() / (partial["available_us"].sum() / 3.6e9)
    true_rate = truth["tasks"].sum() / (truth["available_us"].sum() / 3.6e9)
    assert abs(rate / true_rate - 1) < 0.01
    assert partial["units"].sum() / truth["tasks"].sum() == pytest.approx(0.8, abs=0.02)
    site = pl.concat(
        [estimates(p).filter(pl.col("level") == "site")["rate"].tail(60).to_frame() for p in (partial, truth)]
    )
    assert abs(site["rate"][:60].mean() / site["rate"][60:].mean() - 1) < 0.01


@pytest.mark.slow
def test_intervals_cover_from_messages_to_estimates():
    """With a fifth of messages lost, 95 % intervals of robots hold their true rate in 93 to 97 % of windows."""
    rng = np.random.default_rng(22)
    rates = 60 * rng.gamma(16, 1 / 16, 250)
    rows = messages([poisson_robot(rng, rate, 4) for rate in rates])
    output = estimates(windows(rows.filter(pl.Series(rng.random(rows.height) >= 0.2))))
    last = output.filter(pl.col("window_start") < pl.col("window_start").max())  # whole windows only
    low, high = by_robot(last, "rate_lo")[30:], by_robot(last, "rate_hi")[30:]
    assert 0.93 <= np.nanmean((low <= rates) & (rates <= high)) <= 0.97


def test_a_counter_reset_gives_no_negative_and_no_huge_rate():
    """Half the robots start from zero amid the run: work is right to a message's worth, and no rate leaps."""
    rng = np.random.default_rng(23)
    robots = [poisson_robot(rng, 60, 2) for _ in range(40)]
    rows = messages(robots)
    reboot = pl.col("robot").str.tail(1).cast(pl.Int64).mod(2) == 0
    after = reboot & (pl.col("event_time").dt.timestamp("us") >= 3600 * SECOND)
    broken = rows.with_columns(
        pl.when(after).then(2).otherwise("boot_epoch").cast(pl.Int64).alias("boot_epoch"),
        *(
            (pl.col(c) - pl.when(after).then(pl.col(c).filter(~after).max().over("robot")).otherwise(0)).alias(c)
            for c in ("tasks_done", "busy_s", "available_s")
        ),
    ).sort(ORDER)
    truth, partial = windows(rows), windows(broken)
    assert partial["resets"].sum() == 20
    assert truth["resets"].sum() == 0
    for column in ("tasks", "busy_us", "available_us"):
        assert partial[column].to_list() == truth[column].to_list()
    assert estimates(partial).equals(estimates(truth))


@pytest.mark.slow
def test_idle_robots_are_not_taken_for_slow():
    """At utilisation .3 service rates are within 3 % of truth, while fully busy windows alone say half of it."""
    rng = np.random.default_rng(24)
    partial = windows(messages([queue_robot(rng, 18, 60, 5) for _ in range(150)]))
    site = estimates(partial).filter(pl.col("level") == "site").tail(120)
    assert abs(site["service_rate"].mean() / 60 - 1) < 0.03
    assert abs(site["rate"].mean() / 18 - 1) < 0.05
    assert abs(site["utilisation"].mean() - 0.3) < 0.02
    full = partial.filter(pl.col("busy_us") >= 0.95 * pl.col("available_us"), pl.col("available_us") > 0)
    assert full["tasks"].sum() / (full["busy_us"].sum() / 3.6e9) < 35


@pytest.mark.slow
def test_a_doubled_load_is_seen_and_leaves_the_service_rate_alone():
    """When demand doubles, throughput follows nine tenths of the way in 114 windows; the service rate stays."""
    rng = np.random.default_rng(25)
    robots = []
    for _ in range(80):
        calm, rush = queue_robot(rng, 15, 90, 3), queue_robot(rng, 30, 90, 2)
        start, end = (np.concatenate([getattr(calm, n), getattr(rush, n) + 3 * 3600]) for n in ("start", "end"))
        keep = np.append(True, start[1:] >= end[:-1])  # a task that overlaps the change is left out
        robots.append(Robot(start[keep], end[keep], 5))
    site = estimates(windows(messages(robots))).filter(pl.col("level") == "site")
    before, after = site["rate"][179], site["rate"][180 + 114]
    assert abs(before / 15 - 1) < 0.05
    assert abs((after - 15) / 15 - 0.9) < 0.05
    assert (site["service_rate"][120:] / 90 - 1).abs().max() < 0.08
