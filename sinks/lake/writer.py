"""Writes one sink part into the lake: an epoch per transaction, undone on resume beyond the durable token.

The protocol, free of any engine:

1. `resume(token)` once: everything this run, flow and part wrote above the token is undone, because the
   engine will compute it again. `token` is None when the engine has no state of this part.
2. `append(output, frame)` any number of times: buffered in memory.
3. `commit()` at the end of an epoch: all tables in one transaction; returns the new token, a rising integer.
   An epoch without rows commits nothing and returns the old token.

Readers therefore see whole epochs only, and a crash at any moment, also between the lake's commit and the
engine's, leaves each row exactly once after the resume.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

import polars as pl

from schemas.errors import RecoveryError, SinkError
from schemas.outputs import OUTPUTS
from sinks.lake.catalog import Config, LakeLocation, connect
from sinks.lake.failures import sink_error
from sinks.lake.locks import WriterLock, running_writers
from sinks.lake.maintenance import compact_open, delete_orphans
from sinks.lake.meta import ContractRecord
from sinks.lake.quoting import identifier, literal
from sinks.lake.rows import check_frame, join_epoch
from sinks.lake.tables import HIDDEN, ensure_schema
from sinks.lake.transaction import Transactions

EPOCH_FILE = ".epoch-{writer}.parquet"
"""File in the lake's folder through which DuckDB takes an epoch's rows; each writer has its own."""

SESSION: Config = MappingProxyType({"threads": 1, "memory_limit": "192MB"})
"""DuckDB in the flow's process. One thread: two made commits slower and compaction take 270 MB more."""

UNDO_LIMIT = 16
"""More commits than this are not undone for a run without any resume state: the engine is at most one or two
epochs behind the lake, so state has been lost, and undoing would delete what may never be read again."""


@dataclass(frozen=True, slots=True)
class LakeStats:
    """What a writer has done: commits, rows, transactions tried again, seconds spent in commits."""

    commits: int
    rows: int
    retries: int
    seconds: float


def utc_now() -> datetime:
    """Wall-clock time, for `recorded_at`."""
    return datetime.now(UTC)


def library_versions() -> str:
    """Versions behind a run, as JSON."""
    names = ("takt", "bytewax", "duckdb", "duckdb-extension-ducklake", "polars")
    return json.dumps({"python": platform.python_version(), **{name: version(name) for name in names}})


class LakeWriter:
    """Writer of one part of one flow of one run; holds the part's lock until `close`.

    With `compact_every` it also compacts the lake, after the first commit when that time has passed.

    Raises SinkError when the lake cannot be opened (see `catalog.connect`) or another process has this part.
    """

    def __init__(
        self,
        location: LakeLocation,
        run_id: str,
        flow: str,
        part: str,
        *,
        clock: Callable[[], datetime] = utc_now,
        compact_every: timedelta | None = None,
    ) -> None:
        self._key = (run_id, flow, part)
        self._tag = (run_id, f"{flow}/{part}")
        self._location = location
        self._clock = clock
        self._compact_every = compact_every
        self._compacted_at = clock()
        self._token: int | None = None
        self._frames: dict[str, list[pl.DataFrame]] = {}
        self._commits = self._rows = 0
        self._seconds = 0.0
        self._connection = connect(location, read_only=False, config=SESSION)
        try:
            self._lock = WriterLock(location.folder, f"{flow}.{part}", alone=not location.postgres)
        except SinkError:
            self._connection.close()
            raise
        self._transactions = Transactions(self._connection, location)

    @property
    def stats(self) -> LakeStats:
        """Totals since the writer was made."""
        return LakeStats(self._commits, self._rows, self._transactions.retries, self._seconds)

    def resume(self, token: int | None, contracts: Iterable[ContractRecord] = ()) -> None:
        """Go on after `token`; everything this part wrote above it is undone.

        Also brings the lake's tables up to date and notes the run, and `contracts` in `meta.contracts` but for those
        already there: all in one transaction. Raises RecoveryError when lake and engine state do not belong together.
        """
        if not self._location.postgres and running_writers(self._location.folder).keys() == {self._lock.name}:
            # Nobody else is at work, so a file that no commit knows is what a killed or failed one left behind.
            delete_orphans(self._connection, self._transactions)
        self._transactions.run(lambda: self._open_run(token, (*contracts,)))
        self._token = token or 0

    def append(self, output: str, frame: pl.DataFrame) -> None:
        """Buffer rows of `OUTPUTS[output]`; raises SinkError for a frame that is not of its schema."""
        if output not in OUTPUTS:
            raise SinkError(f"there is no output {output!r}", fix=f"declare it in schemas/outputs; known: {[*OUTPUTS]}")
        check_frame(OUTPUTS[output], frame)
        if frame.height:
            self._frames.setdefault(output, []).append(frame)

    def commit(self) -> int:
        """Commit what was appended as the next sequence number; returns the token to resume from.

        Raises SinkError (disk full, no permission, still locked after `transaction.PATIENCE_S`); nothing of
        the epoch is then in the lake and what was committed before is intact.
        """
        if self._token is None:
            raise AssertionError("commit() before resume()")
        if not self._frames:
            return self._token
        started = time.perf_counter()
        seq = self._token + 1
        epoch = {name: join_epoch(OUTPUTS[name], frames) for name, frames in self._frames.items()}
        rows = sum(frame.height for frame in epoch.values())
        self._transactions.run(lambda: self._insert(epoch, seq, rows))
        self._frames.clear()
        self._token = seq
        self._commits += 1
        self._rows += rows
        self._seconds += time.perf_counter() - started
        self._compact_when_due()
        return seq

    def _compact_when_due(self) -> None:
        if self._compact_every is None or self._clock() - self._compacted_at < self._compact_every:
            return
        self._compacted_at = self._clock()
        compact_open(self._connection, self._transactions, now=self._compacted_at)

    def close(self) -> None:
        """Let the lake go. Commits nothing: rows not committed belong to an epoch that will be computed again."""
        self._transactions.close()
        self._connection.close()
        self._lock.release()

    @property
    def _mine(self) -> str:
        run, flow, part = (literal(value) for value in self._key)
        return f"run = {run} AND flow = {flow} AND part = {part}"

    def _last_committed(self) -> int:
        row = self._connection.execute(f"SELECT coalesce(max(seq), 0) FROM meta.commits WHERE {self._mine}").fetchone()
        return int(row[0]) if row else 0

    def _check_belonging(self, token: int | None, committed: int) -> None:
        run, flow, part = self._key
        if token is not None and committed < token:
            raise RecoveryError(
                f"run {run} goes on after commit {token} of {flow}/{part}, but the lake {self._location} "
                f"ends at commit {committed}",
                fix="set the lake this recovery store was used with, or restore lake and store from one backup",
            )
        if token:
            return
        others = self._connection.execute(
            f"SELECT DISTINCT run FROM meta.commits WHERE flow = {literal(flow)} AND run <> {literal(run)} ORDER BY run"
        ).fetchall()
        if others:
            raise RecoveryError(
                f"the lake {self._location} holds results of flow {flow} from run {others[0][0]}, and run {run} "
                "has no recovery state to go on from: the same input would be counted twice",
                fix=f"set the recovery folder of run {others[0][0]}, or a new lake folder to start afresh",
            )
        if committed > UNDO_LIMIT:
            raise RecoveryError(
                f"the lake {self._location} holds {committed} commits of run {run}, flow {flow}, but its recovery "
                "store has no state of them",
                fix="restore the recovery folder from a backup, or start afresh with new folders for both",
            )

    def _open_run(self, token: int | None, contracts: Sequence[ContractRecord]) -> None:
        ensure_schema(self._connection, now=self._clock())
        committed = self._last_committed()
        self._check_belonging(token, committed)
        if committed > (token or 0):
            self._undo(token or 0)
        run, flow, _ = (literal(part) for part in self._key)
        self._connection.execute(
            f"INSERT INTO meta.runs SELECT {run}, {flow}, {literal(self._clock())}, {literal(library_versions())}"
            f" WHERE NOT EXISTS (FROM meta.runs WHERE run = {run} AND flow = {flow})"
        )
        for c in contracts:
            contract, suite = literal(c.contract), literal(c.suite_hash)
            self._connection.execute(
                f"INSERT INTO meta.contracts SELECT {contract}, {suite}, {literal(c.document)},"
                f" {literal(self._clock())} WHERE NOT EXISTS"
                f" (FROM meta.contracts WHERE contract = {contract} AND suite_hash = {suite})"
            )

    def _undo(self, token: int) -> None:
        # A delete from a table that has no files, as most have none, takes longer than to ask which have.
        files = self._connection.execute("SELECT table_name, file_count FROM ducklake_table_info('lake')").fetchall()
        filled = {name for name, count in files if count}
        run, part = (literal(tag) for tag in self._tag)
        for name in (name for name in OUTPUTS if name in filled):
            self._connection.execute(
                f"DELETE FROM internal.{identifier(name)} WHERE _run = {run} AND _part = {part} AND _seq > {token}"
            )
        self._connection.execute(f"DELETE FROM meta.commits WHERE {self._mine} AND seq > {token}")

    def _stage(self, frame: pl.DataFrame, path: Path) -> None:
        try:
            frame.write_parquet(path, compression="uncompressed", statistics=False)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise sink_error(error, place=str(self._location), secret=self._location.secret) from error

    def _insert(self, epoch: Mapping[str, pl.DataFrame], seq: int, rows: int) -> None:
        recorded_at = literal(self._clock())
        tag = ", ".join(literal(part) for part in self._tag)
        hidden = ", ".join(identifier(c.name) for c in HIDDEN)
        # Through a file and not from memory: a registered frame makes DuckDB import pyarrow and that pandas, which
        # costs half a second and 50 MB, far more than rows as few as these cost to write twice.
        path = self._location.folder / EPOCH_FILE.format(writer=self._lock.name)
        try:
            for name, frame in epoch.items():
                columns = ", ".join(identifier(c) for c in frame.columns)
                self._stage(frame, path)
                self._connection.execute(
                    f"INSERT INTO internal.{identifier(name)} ({columns}, {hidden})"
                    f" SELECT {columns}, {tag}, {seq}, {recorded_at} FROM read_parquet({literal(str(path))})"
                )
        finally:
            path.unlink(missing_ok=True)
        self._connection.execute(
            "INSERT INTO meta.commits (run, flow, part, seq, rows, recorded_at)"
            f" VALUES ({', '.join(literal(part) for part in self._key)}, {seq}, {rows}, {recorded_at})"
        )
