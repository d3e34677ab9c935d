"""The lake as a Bytewax sink: one fixed part, committed when an epoch closes.

Bytewax 0.21.1 calls `build_part` (with the last durable token), then per epoch `write_batch` any number of
times and `snapshot` once if anything was written, also at the end of the input and also without a recovery
store. It may call `close` after an aborted epoch, so `close` commits nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import polars as pl
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from sinks.lake.catalog import LakeLocation
from sinks.lake.meta import ContractRecord
from sinks.lake.writer import LakeWriter

LakeItem = tuple[str, pl.DataFrame]
"""Output name and frame of `OUTPUTS[name].schema`."""

PART = "lake-0"

COMPACT_EVERY = timedelta(minutes=15)
"""At one commit a second some 900 files a table are merged at a time, in about a second."""


class LakeSinkPart(StatefulSinkPartition[LakeItem, int]):
    """One part: buffers an epoch's frames, commits them in `snapshot`."""

    def __init__(self, writer: LakeWriter) -> None:
        self._writer = writer

    def write_batch(self, values: list[LakeItem]) -> None:
        """Buffer rows."""
        for output, frame in values:
            self._writer.append(output, frame)

    def snapshot(self) -> int:
        """Commit the epoch; returns the sequence number to resume after."""
        return self._writer.commit()

    def close(self) -> None:
        """Let the lake go; rows of an unfinished epoch are dropped, for they will be computed again."""
        self._writer.close()


class LakeSink(FixedPartitionedSink[LakeItem, int]):
    """Sink of items `(key, (output name, frame))`; the key only chooses among several parts.

    With one part, the default, all tables of an epoch commit together on one worker. Several parts mean
    several writers, which a SQLite catalogue takes only if they live in one process. The first part compacts
    the lake every `compact_every`, between two commits; None leaves it to `takt lake compact`.
    """

    def __init__(
        self,
        location: LakeLocation,
        run_id: str,
        flow: str,
        *,
        parts: tuple[str, ...] = (PART,),
        contracts: Iterable[ContractRecord] = (),
        compact_every: timedelta | None = COMPACT_EVERY,
    ) -> None:
        self._location = location
        self._run_id = run_id
        self._flow = flow
        self._parts = parts
        self._contracts = tuple(contracts)
        self._compact_every = compact_every

    def list_parts(self) -> list[str]:
        """All parts; every worker can write each."""
        return [*self._parts]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> LakeSinkPart:
        """Open the lake and undo what the part wrote beyond `resume_state`."""
        del step_id
        compacts = for_part == self._parts[0]
        writer = LakeWriter(
            self._location,
            self._run_id,
            self._flow,
            for_part,
            compact_every=self._compact_every if compacts else None,
        )
        writer.resume(resume_state, self._contracts)
        return LakeSinkPart(writer)
