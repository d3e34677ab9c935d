"""What happens to the good rows of one source partition, in the order in which they were read.

Every row is, in this order: too old to say anything but *late*; a *duplicate* or a *conflict* of a row seen
within the dedupe horizon; *late*; or *accepted* into windows. The counts always add up to the rows read.

A ledger must not miss a late row. Where a stream *books*, rows that are late, but not too old to tell duplicates, are
late and all the same go into the window that is open: they take their place at the newest event time before them,
and keep their own as `VALID`. Where a stream *carries*, rows take along what a later refusal needs.
Everything here is a function of the rows and their order; where a batch was cut makes no difference.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from domain.streaming.recent_ids import CONFLICT, DUPLICATE, NEW, RecentIds
from domain.streaming.versions import demand_version
from domain.streaming.watermark import BEGINNING, Int64, TimeBounds, cuts, running_max
from domain.streaming.windows import TIME, Aggregation, Closed, Windows
from schemas.batch import CONTENT, ROW, GatedBatch
from schemas.errors import RecoveryError
from schemas.outputs import ACCOUNTING, LATE, QUARANTINE, RULE_FAILURES

IDENTITY = "_identity"
"""Column of a row's id hash (UInt64): the last tie-breaker where rows must be put in an order."""

VALID = "_valid_us"
"""Column of a carried row's own event time (Int64 us); if it was booked late, the other is when it takes its place."""
PARTITION = "_partition"
"""Column of a carried row's partition (String), as its origin is told: of files, the name of its file."""
OFFSET = "_offset"
"""Column of a carried row's offset (Int64) in it, by which its message can be told."""
RAW = "_raw"
"""Column of a carried row's original bytes (Binary), for who has to refuse it later."""

_CARRIED: Final[dict[str, pl.DataType | type[pl.DataType]]] = {
    VALID: pl.Int64,
    PARTITION: pl.String,
    OFFSET: pl.Int64,
    RAW: pl.Binary,
    CONTENT: pl.UInt64,
}
_STATE_VERSION = 5
_PROBE = pl.Series(["takt", "", "robot-1/7"])


def row_schema(columns: Mapping[str, pl.DataType | type[pl.DataType]], *, carries: bool) -> pl.Schema:
    """Columns of the rows that windows get, from those an aggregation needs."""
    return pl.Schema({**columns, IDENTITY: pl.UInt64, **(_CARRIED if carries else {})})


@dataclass(frozen=True, slots=True)
class Stream:
    """What the partition logic must know of a stream: its contract, identity column and time bounds."""

    contract: str
    """Contract and version, as in `robot.state@1`."""
    suite_hash: str
    id_columns: tuple[str, ...]
    """Columns whose values together identify an event for ever."""
    columns: dict[str, pl.DataType | type[pl.DataType]]
    """Columns that the aggregation needs, `event_time` among them, with their types."""
    bounds: TimeBounds
    dedupe_us: int
    carries: bool = False
    """Whether rows carry VALID, PARTITION, OFFSET, RAW and CONTENT."""
    books: bool = False
    """Whether late rows are booked; such rows are carried, too."""

    @property
    def row_schema(self) -> pl.Schema:
        """Columns of the rows that windows get."""
        return row_schema(self.columns, carries=self.carries)

    def __post_init__(self) -> None:
        if self.dedupe_us < self.bounds.reach_us:
            raise ValueError("the dedupe horizon must reach as far back as rows are accepted")
        if self.books and not self.carries:
            raise ValueError("booked rows must carry their own event time")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Rows for the sinks as (output name, frame), and what windows were closed, in order."""

    outputs: list[tuple[str, pl.DataFrame]]
    closed: list[Closed]


class PartitionLogic:
    """Dedupe, lateness and windows of one partition."""

    def __init__(self, stream: Stream, aggregation: Aggregation) -> None:
        self._stream = stream
        self._windows = Windows(stream.bounds, aggregation, stream.row_schema)
        self._recent = RecentIds(stream.dedupe_us)
        self._running_max = BEGINNING
        self._settled = self._forgotten = BEGINNING
        """Up to where rows were late, and ids too old to be known, before the last start: other bounds bring no closed
        window back, and no forgotten id."""

    @property
    def contract(self) -> str:
        """Contract and version of the stream."""
        return self._stream.contract

    @property
    def bounds(self) -> TimeBounds:
        """Time bounds of the stream."""
        return self._stream.bounds

    @property
    def newest_us(self) -> int:
        """Newest event time read, in microseconds since the Unix epoch; BEGINNING before the first."""
        return self._running_max

    def on_batch(self, batch: GatedBatch) -> Outcome:
        """Work off one gated batch."""
        good = batch.good
        times = good[TIME].to_physical().to_numpy()
        before, self._running_max = running_max(times, self._running_max)
        ids = self._identities(good)
        oldest = _at_least(before - self._stream.dedupe_us, self._forgotten)
        due = _at_least(before - self._stream.bounds.reach_us, self._settled)
        verdict = self._verdicts(batch, ids, times, before, oldest)
        late = (times < due) & (verdict == NEW)
        accepted = (verdict == NEW) & ~late
        rows = good.select(*self._stream.columns).with_columns(ids.alias(IDENTITY))
        booked = np.zeros_like(late)
        if self._stream.books:
            booked = late & (times >= oldest)
            accepted |= booked
        if self._stream.carries:
            rows = self._carried(batch, rows, np.where(booked, before, times))
        closed = self._add(rows, times, before, accepted)
        outputs = [(ACCOUNTING.name, self._account(batch, verdict, late))]
        if late.any():
            behind = (due - times)[late]
            outputs.append((LATE.name, self._late(batch, np.flatnonzero(late), behind, booked[late])))
        conflicts = np.flatnonzero(verdict == CONFLICT)
        if batch.rejects.height or len(conflicts):
            outputs.append((QUARANTINE.name, self._quarantine(batch, conflicts)))
        if batch.failures:
            outputs.append((RULE_FAILURES.name, self._failures(batch)))
        return Outcome(outputs, closed)

    def _carried(self, batch: GatedBatch, rows: pl.DataFrame, places: Int64) -> pl.DataFrame:
        """Rows with what a booked row takes along, `places` as their event times."""
        at = batch.good[ROW].to_numpy()
        return rows.with_columns(
            rows[TIME].to_physical().alias(VALID),
            pl.Series(TIME, places).cast(rows.schema[TIME]),
            pl.lit(batch.raw.partition).alias(PARTITION),
            pl.Series(OFFSET, batch.raw.offsets[at]),
            pl.Series(RAW, batch.raw.messages.take(at), pl.Binary),
            batch.good[CONTENT],
        ).select(self._stream.row_schema.names())

    def on_end(self) -> pl.DataFrame:
        """End of input: results, as they stand, of all windows that are not final. Changes nothing: input may go on."""
        return self._windows.flush()

    def _identities(self, good: pl.DataFrame) -> pl.Series:
        keys = self._stream.id_columns
        return good[keys[0]].hash() if len(keys) == 1 else good.select(keys).hash_rows()

    def _verdicts(
        self, batch: GatedBatch, ids: pl.Series, times: Int64, before: Int64, oldest: Int64
    ) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
        payloads = batch.good[CONTENT].to_numpy()
        reachable = times >= oldest
        if reachable.all():
            return self._recent.judge(ids.to_numpy(), payloads, times, before)
        verdict = np.full(len(times), NEW, dtype=np.uint8)
        verdict[reachable] = self._recent.judge(
            ids.to_numpy()[reachable], payloads[reachable], times[reachable], before[reachable]
        )
        return verdict

    def _add(
        self,
        rows: pl.DataFrame,
        times: Int64,
        before: Int64,
        accepted: np.ndarray[tuple[int], np.dtype[np.bool_]],
    ) -> list[Closed]:
        after = np.append(before[1:], self._running_max)
        edges = [0, *(i + 1 for i in cuts(times, before, self._stream.bounds)), len(times)]
        keep = None if accepted.all() else pl.Series(accepted)
        closed = []
        for start, end in itertools.pairwise(edges):
            if start == end:
                continue
            part = rows[start:end] if keep is None else rows[start:end].filter(keep[start:end])
            done = self._windows.add(part, int(after[end - 1]))
            if done:
                closed.append(done)
        return closed

    def _account(
        self,
        batch: GatedBatch,
        verdict: np.ndarray[tuple[int], np.dtype[np.uint8]],
        late: np.ndarray[tuple[int], np.dtype[np.bool_]],
    ) -> pl.DataFrame:
        counts = np.bincount(verdict, minlength=3)
        begun = self._running_max != BEGINNING
        row = {
            "source": batch.raw.source,
            "partition": batch.raw.partition,
            "first_offset": int(batch.raw.offsets[0]),
            "last_offset": int(batch.raw.offsets[-1]),
            "rows_in": len(batch.raw),
            "good": int(counts[NEW] - late.sum()),
            "quarantined": batch.rejects.height,
            "late": int(late.sum()),
            "duplicates": int(counts[DUPLICATE]),
            "conflicts": int(counts[CONFLICT]),
            "max_event_time": self._running_max if begun else None,
            "final_until": self._stream.bounds.final_until(self._running_max) if begun else None,
            "contract": self._stream.contract,
        }
        times = ("max_event_time", "final_until")
        frame = pl.DataFrame([row], schema=ACCOUNTING.schema | dict.fromkeys(times, pl.Int64))
        return frame.with_columns(pl.col(name).cast(ACCOUNTING.schema[name]) for name in times)

    def _failures(self, batch: GatedBatch) -> pl.DataFrame:
        origin = (batch.raw.source, batch.raw.partition, self._stream.contract, self._stream.suite_hash)
        rows = [(*origin, code, *failures) for code, failures in batch.failures.items()]
        return pl.DataFrame(rows, schema=RULE_FAILURES.schema, orient="row")

    def _origin(self, batch: GatedBatch, positions: Int64) -> dict[str, object]:
        rows = batch.good[ROW].to_numpy()[positions]
        return {
            "source": batch.raw.source,
            "partition": batch.raw.partition,
            "offset": batch.raw.offsets[rows],
            "raw": batch.raw.messages.take(rows),
        }

    def _late(
        self,
        batch: GatedBatch,
        positions: Int64,
        behind_us: Int64,
        booked: np.ndarray[tuple[int], np.dtype[np.bool_]],
    ) -> pl.DataFrame:
        columns = {
            **self._origin(batch, positions),
            TIME: batch.good[TIME][positions],
            "late_by_s": behind_us / 1e6,
            "booked": booked,
            "contract": self._stream.contract,
        }
        return pl.DataFrame(columns, schema=LATE.schema)

    def _quarantine(self, batch: GatedBatch, conflicts: Int64) -> pl.DataFrame:
        parts = [
            batch.rejects.with_columns(
                pl.lit(batch.raw.source).alias("source"), pl.lit(batch.raw.partition).alias("partition")
            )
        ]
        if len(conflicts):
            ids = batch.good.select(self._stream.id_columns)[conflicts].rows()
            columns = {
                **self._origin(batch, conflicts),
                "kind": "conflict",
                "reasons": [["identity.conflict"]] * len(conflicts),
                "detail": [f"{'/'.join(map(str, i))} was seen before with other content" for i in ids],
            }
            parts.append(pl.DataFrame(columns, schema_overrides={"raw": pl.Binary}))
        return (
            pl.concat(parts, how="diagonal")
            .with_columns(
                pl.lit(self._stream.contract).alias("contract"),
                pl.lit(self._stream.suite_hash).alias("suite_hash"),
            )
            .select(QUARANTINE.schema.keys())
            .sort("offset")
        )

    def snapshot(self) -> dict[str, Any]:
        """State as primitives, Arrow bytes and parts."""
        return {
            "version": _STATE_VERSION,
            "hash_probe": _PROBE.hash().to_list(),
            "running_max": self._running_max,
            "settled": max(self._settled, self._running_max - self._stream.bounds.reach_us),
            "forgotten": max(self._forgotten, self._running_max - self._stream.dedupe_us),
            "recent": self._recent.snapshot(self._running_max),
            "windows": self._windows.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a snapshot; a snapshot of another version or hash function is refused."""
        demand_version(state["version"], _STATE_VERSION, self._stream.contract)
        if state["hash_probe"] != _PROBE.hash().to_list():
            raise RecoveryError(
                f"state of {self._stream.contract} holds id hashes of another version of Polars",
                fix="resume with the Polars version of the lock file that the run began with, or start a new run",
            )
        self._running_max = state["running_max"]
        self._settled, self._forgotten = state["settled"], state["forgotten"]
        self._recent.restore(state["recent"])
        self._windows.restore(state["windows"])


def _at_least(bound: Int64, least: int) -> Int64:
    """A bound that rises from row to row, and what it is never below."""
    return bound if len(bound) == 0 or bound[0] >= least else np.maximum(bound, least)
