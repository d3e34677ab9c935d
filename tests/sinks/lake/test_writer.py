"""The writer: whole epochs, undone beyond the token, refused where lake and state do not belong together."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from schemas.errors import RecoveryError, SinkError
from schemas.outputs import OUTPUTS
from sinks.lake.catalog import LakeLocation, connect
from sinks.lake.meta import ContractRecord
from sinks.lake.writer import SESSION, UNDO_LIMIT, LakeWriter

from .conftest import CATALOGUES
from .frames import rows_of


def writer_of(location: LakeLocation, run: str = "run-1", part: str = "lake-0") -> LakeWriter:
    return LakeWriter(location, run, "throughput", part)


def read(location: LakeLocation, sql: str) -> pl.DataFrame:
    with closing(connect(location, read_only=True, config=SESSION)) as connection:
        return connection.execute(sql).pl()


def everything(output: str) -> str:
    columns = ", ".join(f'"{c.name}"' for c in OUTPUTS[output].columns)
    key = ", ".join(f'"{c}"' for c in OUTPUTS[output].key)
    return f"SELECT {columns} FROM main.{output} ORDER BY {key}"


def stored(location: LakeLocation, output: str) -> pl.DataFrame:
    return read(location, everything(output))


@pytest.fixture(scope="module", params=CATALOGUES)
def full(nowhere: Callable[[str], LakeLocation], request: pytest.FixtureRequest) -> Iterator[duckdb.DuckDBPyConnection]:
    """Reader of a new lake into which one epoch with rows of every output was committed."""
    location = nowhere(request.param)
    writer = writer_of(location)
    writer.resume(None)
    for output in OUTPUTS:
        writer.append(output, rows_of(output, 9))
    assert writer.commit() == 1
    writer.close()
    with closing(connect(location, read_only=True, config=SESSION)) as reader:
        yield reader


@pytest.mark.parametrize("output", sorted(OUTPUTS))
def test_round_trip(full: duckdb.DuckDBPyConnection, output: str) -> None:
    """What is committed is read back unchanged, in every output."""
    assert_frame_equal(full.execute(everything(output)).pl(), rows_of(output, 9))


def test_empty_epoch_commits_nothing(location: LakeLocation) -> None:
    """An epoch without rows keeps the token and adds no commit."""
    writer = writer_of(location)
    writer.resume(None)
    writer.append("signal", rows_of("signal", 0))
    assert writer.commit() == 0
    writer.append("signal", rows_of("signal", 1))
    assert writer.commit() == 1
    assert writer.commit() == 1
    writer.close()
    assert read(location, "SELECT seq, rows FROM meta.commits").rows() == [(1, 1)]


def test_each_flow_writes_its_rows_out_by_itself(location: LakeLocation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two flows that share a lake may do so at the same moment, so neither finds the other's file under its name."""
    paths: list[Path] = []
    monkeypatch.setattr(pl.DataFrame, "write_parquet", _noting(paths))
    for flow in ("one", "other"):
        writer = LakeWriter(location, "run-1", flow, "lake-0")
        writer.resume(None)
        writer.append("signal", rows_of("signal", 1))
        writer.commit()
        writer.close()
    assert len({*paths}) == len(paths) == 2


def _noting(paths: list[Path]) -> Callable[..., None]:
    write = pl.DataFrame.write_parquet

    def noted(frame: pl.DataFrame, path: Path, **options: Any) -> None:
        paths.append(path)
        write(frame, path, **options)

    return noted


@pytest.mark.slow
def test_resume_undoes_everything_beyond_the_token(location: LakeLocation) -> None:
    """A crash between the lake's commit and the engine's leaves no row twice, in any table."""
    writer = writer_of(location)
    writer.resume(None)
    for epoch in range(4):
        writer.append("signal", rows_of("signal", 3, first=10 * epoch))
        writer.append("late", rows_of("late", 2, first=10 * epoch))
        writer.commit()
    writer.close()
    again = writer_of(location)
    again.resume(2)
    assert stored(location, "signal").height == 6
    assert stored(location, "late").height == 4
    assert read(location, "SELECT seq FROM meta.commits ORDER BY seq").rows() == [(1,), (2,)]
    again.append("signal", rows_of("signal", 3, first=20))
    assert again.commit() == 3
    again.close()


@pytest.mark.slow
def test_a_lake_of_an_older_takt_is_extended_and_undone_at_once(location: LakeLocation) -> None:
    """A crash and an upgrade in one go: what came after the token is undone in tables that gain a column."""
    writer = writer_of(location)
    writer.resume(None)
    for epoch in range(2):
        writer.append("signal", rows_of("signal", 2, first=10 * epoch))
        writer.commit()
    writer.close()
    older = connect(location, read_only=False)
    older.execute("ALTER TABLE internal.signal DROP COLUMN reason; UPDATE meta.schema_version SET fingerprint = 'old'")
    older.close()
    again = writer_of(location)
    again.resume(1)
    again.append("signal", rows_of("signal", 2, first=10))
    assert again.commit() == 2
    again.close()
    reasons = read(location, "SELECT reason IS NULL, count(*) FROM signal GROUP BY ALL ORDER BY ALL").rows()
    assert reasons == [(False, 2), (True, 2)]


@pytest.mark.slow
def test_a_refused_run_leaves_the_lake_as_it_is(location: LakeLocation) -> None:
    """A run that does not belong to the lake changes nothing there, not even its layout."""
    writer = writer_of(location)
    writer.resume(None)
    writer.append("signal", rows_of("signal", 1))
    writer.commit()
    writer.close()
    older = connect(location, read_only=False)
    older.execute("UPDATE meta.schema_version SET fingerprint = 'old'")
    older.close()
    stranger = writer_of(location, run="run-2")
    with pytest.raises(RecoveryError, match="from run run-1"):
        stranger.resume(None)
    stranger.close()
    assert read(location, "SELECT fingerprint FROM meta.schema_version").rows() == [("old",)]


@pytest.mark.slow
def test_undo_leaves_other_parts_alone(location: LakeLocation) -> None:
    """Parts undo their own rows only."""
    for part in ("lake-0", "lake-1"):
        writer = writer_of(location, part=part)
        writer.resume(None)
        writer.append("signal", rows_of("signal", 2, first=int(part[-1]) * 10))
        writer.commit()
        writer.close()
    again = writer_of(location, part="lake-0")
    again.resume(None)
    again.close()
    assert_frame_equal(stored(location, "signal"), rows_of("signal", 2, first=10))


@pytest.mark.slow
def test_rows_of_another_run_are_never_undone(location: LakeLocation) -> None:
    """A run without state, or of which nothing was written yet, is refused over another run's results, which stay."""
    writer = writer_of(location)
    writer.resume(None)
    writer.append("signal", rows_of("signal", 2))
    writer.commit()
    writer.close()
    stranger = writer_of(location, run="run-2")
    for token in (None, 0):
        with pytest.raises(RecoveryError, match=r"run-1.*\n.*recovery folder of run run-1"):
            stranger.resume(token)
    stranger.close()
    assert stored(location, "signal").height == 2


@pytest.mark.slow
def test_lost_state_does_not_delete_a_long_run(location: LakeLocation) -> None:
    """A run whose state vanished is refused instead of undone, once more than a few epochs are in the lake."""
    writer = writer_of(location)
    writer.resume(None)
    for epoch in range(UNDO_LIMIT + 1):
        writer.append("signal", rows_of("signal", 1, first=epoch))
        writer.commit()
    writer.close()
    again = writer_of(location)
    with pytest.raises(RecoveryError, match="no state"):
        again.resume(None)
    again.close()
    assert stored(location, "signal").height == UNDO_LIMIT + 1


def test_lake_behind_the_state_is_refused(location: LakeLocation) -> None:
    """A token the lake never gave means that lake and recovery store are not a pair."""
    writer = writer_of(location)
    with pytest.raises(RecoveryError, match=r"commit 7.*ends at commit 0"):
        writer.resume(7)
    writer.close()


def test_one_writer_per_part(location: LakeLocation) -> None:
    """A flow started twice is refused and told which process to stop."""
    writer = writer_of(location)
    with pytest.raises(SinkError, match=r"is being written by throughput\.lake-0 \(process \d+\)"):
        writer_of(location)
    writer.close()
    writer_of(location).close()


def test_accounting_is_summed_per_epoch(location: LakeLocation) -> None:
    """The accounting of an epoch is one row per source and partition: sums, and the span of offsets."""
    frame = rows_of("accounting", 3, first=1).with_columns(
        pl.lit("telemetry").alias("source"), pl.lit("toy@1").alias("contract"), partition=pl.Series(["0", "1", "0"])
    )
    writer = writer_of(location)
    writer.resume(None)
    for row in range(3):
        writer.append("accounting", frame[row : row + 1])
    writer.commit()
    writer.close()
    got = stored(location, "accounting").select("partition", "first_offset", "last_offset", "rows_in").rows()
    assert got == [("0", 1, 3, 4), ("1", 2, 2, 2)]


@pytest.mark.slow
def test_failures_are_summed_per_epoch_and_told_with_their_share(location: LakeLocation) -> None:
    """One row per partition and rule of an epoch; the view divides by all messages read under the same contract."""
    one = {"source": pl.lit("telemetry"), "contract": pl.lit("toy@1")}
    rule = {"suite_hash": pl.lit("s"), "severity": pl.lit("warning")}
    failures = rows_of("rule_failures", 4, first=1).with_columns(
        **one, **rule, partition=pl.Series(["0", "1", "0", "0"]), code=pl.Series(["a", "a", "a", "b"])
    )
    writer = writer_of(location)
    writer.resume(None)
    for epoch in range(2):
        writer.append("accounting", rows_of("accounting", 1, first=10 * epoch + 10).with_columns(**one))
        for row in range(4):
            writer.append("rule_failures", failures[row : row + 1])
        writer.commit()
    writer.append("accounting", rows_of("accounting", 1, first=1000))  # of another source
    writer.commit()
    writer.close()
    first = 'SELECT "partition", code, failed, first_offset FROM internal.rule_failures WHERE _seq = 1 ORDER BY ALL'
    assert read(location, first).rows() == [("0", "a", 4, 1), ("0", "b", 4, 4), ("1", "a", 2, 2)]
    totals = read(location, "SELECT code, severity, failed, rows_in, share FROM rule_failure_totals ORDER BY code")
    assert totals.rows() == [("a", "warning", 12, 30, 0.4), ("b", "warning", 8, 30, 8 / 30)]


def test_nul_does_not_break_filters(location: LakeLocation) -> None:
    """A NUL in text is shown as its symbol, and filters on other values still find their rows."""
    frame = rows_of("quarantine", 3).with_columns(
        detail=pl.Series(["zz\0x", "other", None]),
        reasons=pl.Series([["a\0b"], ["c"], []], dtype=pl.List(pl.String)),
        raw=pl.Series([b"\0", b"", b"\xff\0"]),
    )
    writer = writer_of(location)
    writer.resume(None)
    writer.append("quarantine", frame)
    writer.commit()
    writer.close()
    got = read(location, 'SELECT detail, reasons, raw FROM quarantine ORDER BY "offset"').rows()
    assert got == [("zz␀x", ["a␀b"], b"\0"), ("other", ["c"], b""), (None, [], b"\xff\0")]
    assert read(location, "SELECT count(*) FROM quarantine WHERE detail = 'other'").item() == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.drop("reason"), r"missing \['reason'\]"),
        (lambda f: f.with_columns(more=1), r"unknown \['more'\]"),
        (lambda f: f.select(reversed(f.columns)), "other columns"),
        (
            lambda f: f.with_columns(pl.col("event_time").dt.replace_time_zone(None)),
            "event_time.*types|types.*event_time",
        ),
        (lambda f: f.with_columns(severity=pl.lit(None, pl.String)), r"nulls.*severity.: 2"),
    ],
)
def test_wrong_frames_are_refused(
    sqlite_location: LakeLocation, change: Callable[[pl.DataFrame], pl.DataFrame], words: str
) -> None:
    """A frame that is not of the declared schema is refused before it reaches the lake."""
    writer = writer_of(sqlite_location)
    writer.resume(None)
    with pytest.raises(SinkError, match=words):
        writer.append("signal", change(rows_of("signal", 2)))
    assert writer.commit() == 0
    writer.close()


@pytest.mark.slow
def test_hard_values_come_back_and_are_found(location: LakeLocation) -> None:
    """Values at the edges of their types are read back bit for bit, and filters on them find them."""
    texts = ["", "'", '"', "a,b", "\n", "\r\n", "\\", "[x, y]", "NULL", "é" * 5000, "y" * 5000, "😀", "\x7f", "$1"]
    numbers = [float("nan"), float("inf"), -float("inf"), -0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2]
    integers = [0, -1, 2**53 + 1, 2**63 - 1, -(2**63)]
    moments = ["1969-12-31T23:59:59.999999", "0001-01-01T00:00:00", "2262-04-12T00:00:00", "9999-12-31T00:00:00"]
    count = len(texts)

    def cycle(values: list[object]) -> list[object]:
        return [values[n % len(values)] for n in range(count)]

    times = pl.Series(cycle([*moments])).str.to_datetime(time_unit="us", time_zone="UTC")
    frame = rows_of("sensor_window", count).with_columns(
        pl.Series("entity", texts),
        pl.Series("mean", cycle([*numbers])),
        pl.Series("readings", cycle([*integers])),
        times.alias("window_end"),
    )
    writer = writer_of(location)
    writer.resume(None)
    writer.append("sensor_window", frame)
    writer.commit()
    writer.close()
    got = stored(location, "sensor_window")
    wanted = frame.sort("entity")
    assert_frame_equal(got.sort("entity"), wanted, check_exact=True)
    signs = [math.copysign(1, x) for x in wanted["mean"].to_list() if x == 0]
    assert [math.copysign(1, x) for x in got.sort("entity")["mean"].to_list() if x == 0] == signs
    connection = connect(location, read_only=True)
    for text in texts:
        found = connection.execute("SELECT count(*) FROM sensor_window WHERE entity = ?", [text]).fetchone()
        assert found == (1,), text
    for number in integers:
        found = connection.execute("SELECT count(*) FROM sensor_window WHERE readings = ?", [number]).fetchone()
        assert found == (frame["readings"].to_list().count(number),)
    connection.close()


def test_many_frames_are_one_file_per_table(sqlite_location: LakeLocation) -> None:
    """Frames of one epoch are joined before they are written."""
    writer = writer_of(sqlite_location)
    writer.resume(None)
    for number in range(20):
        writer.append("signal", rows_of("signal", 1, first=number))
    writer.commit()
    writer.close()
    assert len([*(sqlite_location.data / "internal" / "signal").glob("*.parquet")]) == 1


@pytest.mark.slow
def test_run_and_contracts_are_noted_once(location: LakeLocation) -> None:
    """Runs and contracts are in the dictionary once, however often the flow starts."""
    record = ContractRecord("robot.state:1.0.0", "abc", "document")
    for _ in range(2):
        writer = writer_of(location)
        writer.resume(None, [record])
        writer.close()
    assert read(location, "SELECT contract, suite_hash, document FROM meta.contracts").rows() == [
        ("robot.state:1.0.0", "abc", "document")
    ]
    runs = read(location, "SELECT run, flow, versions FROM meta.runs").rows()
    assert [row[:2] for row in runs] == [("run-1", "throughput")]
    assert json.loads(runs[0][2])["duckdb"] == duckdb.__version__


def test_unknown_output(sqlite_location: LakeLocation) -> None:
    """An output nobody declared is refused."""
    writer = writer_of(sqlite_location)
    writer.resume(None)
    with pytest.raises(SinkError, match="no output 'nonsense'"):
        writer.append("nonsense", rows_of("signal", 1))
    writer.close()
