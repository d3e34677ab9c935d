"""Which work waits when a zone cannot do all of it in time: the lowest class first, and back in the opposite order.

Work has the class of its task's priority, 0 to 9. A task that waits rises a class per `ageing_us`, up to 9, so what is
shed comes late, but comes. Control work (no priority) is above all classes, and is never shed.

Time to clear is waiting work over what capacity exceeds demand by. Demand is split by the classes of the tasks created
of late; until there were any, by those of waiting work. What is shed at a review is decided in `shedding_stage`.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from typing import Any, Final

import msgspec
import polars as pl

from domain.alignment.shedding_load import CONTROL, TOP, Load, Work, by_class, effective_class, split
from domain.alignment.shedding_stage import SheddingConfig, Stage, reviewed
from domain.alignment.shedding_tables import SHEDDING_SCHEMA, WAITING, ZONES
from domain.streaming.versions import demand_version
from schemas.ids import event_id

SHEDDING_TYPE: Final = "alignment.shedding.v1"
"""Names the kind of id."""

_MINUTE_US: Final = 60_000_000
_STATE_VERSION: Final = 1


@dataclass(slots=True)
class _State:
    """Of a zone: what is shed, and the work created of late by class."""

    stage: Stage = field(default_factory=Stage)
    mix: Work | None = None


class Shedding:
    """What is shed in each zone."""

    def __init__(self, config: SheddingConfig) -> None:
        self._config = config
        self._zones: dict[tuple[str, str], _State] = {}

    def learn(self, created: pl.DataFrame) -> None:
        """Learn the mix of classes from tasks created in a window (CREATED); a window without any may be left out."""
        for zone, parts in by_class(created, pl.col("priority").clip(0, TOP).fill_null(CONTROL)).items():
            state = self._zones.setdefault(zone, _State())
            before = state.mix or [0.0] * len(parts)
            state.mix = [part + self._config.decay * old for part, old in zip(parts, before, strict=True)]

    def review(self, now_us: int, zones: pl.DataFrame, tasks: pl.DataFrame) -> pl.DataFrame:
        """What is shed and restored (SHEDDING_SCHEMA, by zone) in ZONES, by what of TASKS waits.

        A zone of which nothing can be said is left out, and stays as it is.
        """
        waiting = tasks.filter(pl.col("state").is_in(WAITING))
        backlogs = by_class(waiting, effective_class(now_us, self._config.ageing_us))
        rows: list[tuple[Any, ...]] = []
        for site, zone, demand, capacity in zones.select(ZONES.keys()).sort("site", "zone").iter_rows():
            state = self._zones.setdefault((site, zone), _State())
            backlog = backlogs.get((site, zone), [0.0] * (CONTROL + 1))
            load = Load(backlog, split(demand, state.mix or backlog), capacity)
            state.stage, changes = reviewed(state.stage, load, self._config)
            for status, number, clear_us in changes:
                name = event_id(SHEDDING_TYPE, [site, zone, number, status, now_us])
                level = number if status == "restored" else number + 1
                numbers = (level, number, backlog[number], clear_us, self._config.service_us, demand, capacity)
                why = self._why(status, number, clear_us, demand, capacity)
                rows.append((name, status, now_us, site, zone, *numbers, why))
        return pl.DataFrame(rows, schema=SHEDDING_SCHEMA, orient="row")

    def shed(self, now_us: int, tasks: pl.DataFrame) -> pl.Series:
        """Boolean per row of TASKS: it waits, and is shed."""
        levels = {"site": [s for s, _ in self._zones], "zone": [z for _, z in self._zones]}
        schema = {"site": pl.String, "zone": pl.String, "_level": pl.Int64}
        level = pl.DataFrame({**levels, "_level": [state.stage.level for state in self._zones.values()]}, schema=schema)
        known = tasks.join(level, on=("site", "zone"), how="left", maintain_order="left")
        below = effective_class(now_us, self._config.ageing_us) < pl.col("_level").fill_null(0)
        return known.select((below & pl.col("state").is_in(WAITING)).alias("shed")).to_series()

    def _why(self, status: str, number: int, clear_us: int | None, demand: float, capacity: float) -> str:
        service = f"{self._config.service_us / _MINUTE_US:g} min"
        time = "never clears" if clear_us is None else f"takes {clear_us / _MINUTE_US:.1f} min to clear"
        rates = f"{capacity:.1f} work units an hour can be done, {demand:.1f} come"
        if status == "shed":
            return f"class {number} waits: work {time}, the service level is {service}; {rates}"
        if number >= self._config.most:
            return f"class {number} is back, as it may not be shed: work with it {time}; {rates}"
        return f"class {number} is back: work with it {time}, well within {service}; {rates}"

    def snapshot(self) -> bytes:
        """State as MessagePack of primitives."""
        zones = [[*zone, *astuple(state.stage), state.mix] for zone, state in sorted(self._zones.items())]
        return msgspec.msgpack.encode({"version": _STATE_VERSION, "zones": zones})

    def restore(self, data: bytes) -> None:
        """Take up a snapshot; one of another version is refused."""
        state = msgspec.msgpack.decode(data)
        demand_version(state["version"], _STATE_VERSION, "shedding")
        self._zones = {(site, zone): _State(Stage(level, calm), mix) for site, zone, level, calm, mix in state["zones"]}
