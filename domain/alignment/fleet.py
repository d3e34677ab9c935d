"""What is known of robots and their zones, learned from final windows, one after the other.

A robot is (site, robot), and is where its newest message says. Between its newest messages of two windows it did
what its counters say; whether it failed, was repaired, charged or stopped charging is told by its mode at both. A
robot not heard of for longer than `UNHEARD_US` counts as down, be it broken, gone, or out of reach.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
import polars as pl

from domain.alignment.availability import HOUR_US, UNHEARD_US, Outages, Spells, lost_for_good
from domain.alignment.charging import Batteries, Changes
from domain.alignment.rates import Rates, RobotEvidence
from domain.alignment.tallies import ZONE, Float64, Int64, Tallies
from domain.streaming.frames import from_bytes, to_bytes
from domain.streaming.versions import demand_version
from domain.streaming.watermark import BEGINNING

Schema = dict[str, pl.DataType | type[pl.DataType]]

ABLE: Final = ("idle", "busy")
CHARGING: Final = "charging"
LOST_SHARE: Final = 0.01
"""Share of robots that go down and never come back."""

_STATE_VERSION = 1
_ROBOT = ("site", "robot")
_EVIDENCE = ("tasks", "busy_h", "squared_h")
_SEEN_SCHEMA: Final[Schema] = {
    "site": pl.String,
    "zone": pl.String,
    "robot": pl.String,
    "seen_us": pl.Int64,
    "since_us": pl.Int64,
    "mode": pl.String,
    "battery": pl.Float64,
    "x": pl.Float64,
    "y": pl.Float64,
    **dict.fromkeys(_EVIDENCE, pl.Float64),
}
ROBOT_SCHEMA: Final[Schema] = {
    **{name: dtype for name, dtype in _SEEN_SCHEMA.items() if name not in _EVIDENCE},
    "tasks": pl.Float64,
    "rate": pl.Float64,
    "rate_doubt": pl.Float64,
    "zone_doubt": pl.Float64,
    "scatter": pl.Float64,
    "failure_rate": pl.Float64,
    "failures": pl.Float64,
    "repair_rate": pl.Float64,
    "repairs": pl.Float64,
    "drain": pl.Float64,
    "charge": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "low_variance": pl.Float64,
    "high_variance": pl.Float64,
}
"""Robots as last seen, sorted by site and robot, and what is expected of them.

`seen_us`: time of the newest message, `since_us`: since when it has been able to work, charging or down, whichever it
is. `tasks` it has done, those of 12 hours ago half. `rate`: work units per busy hour; `rate_doubt`, `zone_doubt`:
relative variances of the robot's own part and of what it shares with its zone; `scatter`: variance over mean of the
work of some busy time (work units). Failures per hour able to work, repairs per hour down, and the number of events
each is worth. `drain` and `charge` in % per hour, between the levels `low` and `high` (%), which have variances.
"""


class Fleet:
    """Learns robots and zones of all sites. State grows with their number; `forget` what has long been gone."""

    def __init__(self, window_us: int) -> None:
        self._window = window_us
        self._last = BEGINNING
        self._seen = pl.DataFrame(schema=_SEEN_SCHEMA)
        self._zones = Tallies((*Rates.NAMES, *Outages.NAMES, *Batteries.NAMES))
        self._rates = Rates(self._zones)
        self._outages = Outages(self._zones)
        self._batteries = Batteries(self._zones)

    def learn(self, window_start: int, presence: pl.DataFrame, work: pl.DataFrame) -> None:
        """Take in a final window, later than those before (else ValueError); windows without rows may be left out.

        `presence`: PRESENCE rows of all partitions. `work`: `site`, `zone`, `done`, `work_micro` (Int64) of tasks done.
        """
        if window_start <= self._last:
            raise ValueError(f"window {window_start} was learned before, or a later one")
        self._age((window_start - self._last) / HOUR_US if self._last > BEGINNING else 0.0)
        self._last = window_start
        self._learn_work(work.drop_nulls(ZONE).sort(ZONE))
        self._learn_robots(presence.drop_nulls(("site", "zone", "robot")).sort(*_ROBOT, "last_us", "zone"))
        self._rates.close_blocks(self._until / HOUR_US)

    @property
    def _until(self) -> int:
        """End of the last window learned."""
        return self._last + self._window

    def _age(self, hours: float) -> None:
        for part in (self._rates, self._outages, self._batteries):
            part.age(hours)
        kept = Rates.kept(hours)
        shares = {"tasks": kept, "busy_h": kept, "squared_h": kept * kept}
        self._seen = self._seen.with_columns(pl.col(name) * share for name, share in shares.items())

    def _learn_work(self, work: pl.DataFrame) -> None:
        zone = self._zones.zones(work, self._until)
        done = work["done"].to_numpy().astype(np.float64)
        self._rates.learn_work(zone, done, work["work_micro"].to_numpy() / 1e6)

    def _learn_robots(self, rows: pl.DataFrame) -> None:
        if rows.height == 0:
            return
        rates = self._rates
        zone = self._zones.zones(rows, self._until)
        tasks = rows["tasks"].to_numpy().astype(np.float64)
        # No robot is busy for longer than it is available: a counter that says so is broken.
        busy = np.clip(rows["busy_us"].to_numpy(), 0, rows["available_us"].to_numpy()) / HOUR_US
        rates.learn(zone, tasks, busy)
        rate = rates.tasks_per_hour()[zone]
        now = (
            # Hours in a zone it left count by the tasks they would have brought, in the zone it is in now.
            rows.with_columns(
                pl.Series("rate", rate), pl.Series("expected", rate * busy), pl.Series("window_busy_h", busy)
            )
            .group_by(_ROBOT, maintain_order=True)
            .agg(
                pl.col("zone", "last_us", "mode", "battery", "x", "y", "rate").last(),
                pl.col("tasks", "available_us").sum().name.prefix("window_"),
                pl.col("window_busy_h", "expected").sum(),
            )
            .join(self._seen, on=_ROBOT, how="left", suffix="_before", maintain_order="left")
        )
        self._learn_changes(now)
        self._take(now)

    def _learn_changes(self, now: pl.DataFrame) -> None:
        both = now.filter(pl.col("seen_us") < pl.col("last_us")).with_columns(
            pl.col("mode", "mode_before").fill_null("")
        )
        zone = self._zones.found(both)
        hours = (both["last_us"] - both["seen_us"]).to_numpy() / HOUR_US
        available = np.minimum(both["window_available_us"].to_numpy() / HOUR_US, hours)
        # The newest messages of two windows are a window apart where none is missing.
        silent = hours * HOUR_US > max(UNHEARD_US, 1.5 * self._window)
        able, was_able = (both[name].is_in(ABLE).to_numpy() for name in ("mode", "mode_before"))
        charging, was_charging = ((both[name] == CHARGING).to_numpy() for name in ("mode", "mode_before"))
        self._outages.learn(
            Spells(
                zone=zone,
                hours=hours,
                available_h=available,
                was_down=~(was_able | was_charging),
                is_down=~(able | charging),
                silent=silent,
            )
        )
        self._batteries.learn(
            Changes(
                zone=zone,
                before=_floats(both["battery_before"]),
                after=_floats(both["battery"]),
                hours=hours,
                busy_h=np.minimum(both["window_busy_h"].to_numpy(), available),
                available_h=available,
                drove=able & was_able & ~silent,
                charged=charging & was_charging & ~silent,
                plugged=was_able & charging & ~silent,
                unplugged=was_charging & able & ~silent,
            )
        )

    def _take(self, now: pl.DataFrame) -> None:
        """Put robots as they are now in the place of what was known of them."""
        there = self._rates.tasks_per_hour()[self._zones.found(now.select("site", zone="zone_before"))]
        moved = pl.when(pl.col("zone") == pl.col("zone_before")).then(1.0).otherwise(pl.Series(there) / pl.col("rate"))
        hours = pl.col("expected") / pl.col("rate")
        newer = pl.col("seen_us").is_null() | (pl.col("last_us") > pl.col("seen_us"))
        taken = now.filter(newer).select(
            *_ROBOT,
            "zone",
            pl.col("last_us").alias("seen_us"),
            pl.when(_group("mode") == _group("mode_before")).then("since_us").otherwise("last_us").alias("since_us"),
            "mode",
            "battery",
            "x",
            "y",
            (pl.col("tasks").fill_null(0.0) + pl.col("window_tasks")).alias("tasks"),
            ((pl.col("busy_h") * moved).fill_null(0.0) + hours).alias("busy_h"),
            ((pl.col("squared_h") * moved).fill_null(0.0) + hours).alias("squared_h"),
        )
        others = self._seen.join(taken, on=_ROBOT, how="anti", maintain_order="left")
        self._seen = pl.concat([others, taken.select(_SEEN_SCHEMA.keys())]).sort(_ROBOT)

    def robots(self) -> pl.DataFrame:
        """All robots known, in ROBOT_SCHEMA."""
        seen, rates = self._seen, self._rates
        zone = self._zones.found(seen)
        evidence = RobotEvidence(*(seen[name].to_numpy() for name in _EVIDENCE))
        factors = rates.factors(zone, evidence)
        work = rates.work_per_task()[zone]
        columns = {
            "rate": factors.mean * rates.tasks_per_hour()[zone] * work,
            "rate_doubt": factors.own,
            "zone_doubt": factors.shared,
            "scatter": rates.work_scatter()[zone] * work,
        }
        by_zone = self._outages.rates(self._still_down(zone)) | self._batteries.cycles()
        columns |= {name: values[zone] for name, values in by_zone.items()}
        return seen.with_columns(pl.Series(name, values) for name, values in columns.items()).select(
            ROBOT_SCHEMA.keys()
        )

    def _still_down(self, zone: Int64) -> Float64:
        """Hours, by zone, for which silent robots have been down; less for those that may be gone for good."""
        silent = self._until - self._seen["seen_us"].to_numpy()
        hours = np.where(silent > UNHEARD_US, silent / HOUR_US, 0.0)
        repair_rate = self._outages.rates(np.zeros(len(self._zones)))["repair_rate"][zone]
        back = 1 - lost_for_good(repair_rate, hours, LOST_SHARE)
        return np.bincount(zone, hours * back, minlength=len(self._zones)).astype(np.float64)

    def forget(self, before_us: int) -> None:
        """Drop robots not heard of since, and zones without rows since."""
        self._seen = self._seen.filter(pl.col("seen_us") >= before_us)
        self._zones.forget(before_us)

    def snapshot(self) -> bytes:
        """State as MessagePack of primitives and Arrow bytes."""
        state = {
            "version": _STATE_VERSION,
            "last": self._last,
            "seen": to_bytes(self._seen),
            "zones": to_bytes(self._zones.frame()),
        }
        return msgspec.msgpack.encode(state)

    def restore(self, data: bytes) -> None:
        """Take up a snapshot; one of another version is refused."""
        state: dict[str, Any] = msgspec.msgpack.decode(data)
        demand_version(state["version"], _STATE_VERSION, "what is known of the fleet")
        self._last = state["last"]
        self._seen = from_bytes(state["seen"])
        self._zones.restore(from_bytes(state["zones"]))


def _floats(values: pl.Series) -> Float64:
    """Values with NaN for null."""
    return values.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _group(mode: str) -> pl.Expr:
    """0 able to work, 1 charging, 2 down."""
    return pl.when(pl.col(mode).is_in(ABLE)).then(0).when(pl.col(mode) == CHARGING).then(1).otherwise(2)
