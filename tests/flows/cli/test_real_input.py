"""The main job on data nobody here wrote, by the documented commands.

All taxi counts, from files and through a topic, are in the page `docs/how-to/any-file.md`, which is a test too.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.flows.cli.command import rows, takt

ROOT = Path(__file__).resolve().parents[3]
MAPPINGS = ROOT / "docs" / "how-to" / "mappings"
HALF_HOURS = 31 * 48
"""Each is a window, and these are what a run takes its time for."""

SETTINGS = """
[lake]
folder = "lake"
[recovery]
folder = "recovery"
[audit]
enabled = false
[time]
window_s = {window}
dedupe_s = 7200
[sources.{name}]
contract = "{contract}"
{where}
"""


def settings(folder: Path, name: str, contract: str, where: str, window: int) -> None:
    text = SETTINGS.format(name=name, contract=contract, where=where, window=window)
    (folder / "takt.toml").write_text(text, "utf-8")


def taxi_counts_differ(folder: Path, data: Path) -> list[tuple]:
    """Of the first half hours, those in which the lake and the published counts differ."""
    truth = pl.read_csv(data / "nab" / "nyc_taxi.csv", try_parse_dates=True).head(HALF_HOURS)
    found = rows(folder, "SELECT window_start, tasks FROM robot_window_latest WHERE tasks > 0 ORDER BY window_start")
    ours = pl.DataFrame(found).with_columns(
        pl.col("window_start").str.to_datetime("%Y-%m-%dT%H:%M:%SZ").alias("timestamp")
    )
    both = truth.join(ours, on="timestamp", how="full", coalesce=True)
    return both.filter(pl.col("value").ne_missing(pl.col("tasks"))).rows()


@pytest.mark.slow
def test_machine_temperatures_come_back_as_statistics(tmp_path, real_data):
    """Hourly statistics of 22,695 readings equal those that Polars computes from the file itself."""
    mapping = str(MAPPINGS / "machine_temperature.sql")
    out = "machine.jsonl"
    takt(tmp_path, "ingest", mapping, "--contract", "sensor.reading@1", "--to", out, "--data", str(real_data))
    settings(tmp_path, "machine", "sensor.reading@1", f'kind = "files"\npath = "{out}"', 3600)
    takt(tmp_path, "run")
    ((read, good, duplicates),) = [
        (r["read"], r["good"], r["duplicates"])
        for r in rows(
            tmp_path, "SELECT sum(rows_in) AS read, sum(good) AS good, sum(duplicates) AS duplicates FROM accounting"
        )
    ]
    assert (read, good + duplicates) == (22_695, 22_695)
    source = pl.read_csv(real_data / "nab" / "machine_temperature_system_failure.csv", try_parse_dates=True)
    truth = (
        source.unique(maintain_order=True)
        .group_by(pl.col("timestamp").dt.truncate("1h").alias("start"))
        .agg(
            pl.len().cast(pl.Int64).alias("readings"),
            pl.col("value").mean().alias("mean"),
            pl.col("value").min().alias("min"),
            pl.col("value").max().alias("max"),
            pl.col("value").quantile(0.95, interpolation="linear").alias("p95"),
        )
        .sort("start")
    )
    sql = "SELECT window_start AS start, readings, mean, min, max, p95 FROM sensor_window_latest ORDER BY start"
    ours = pl.DataFrame(rows(tmp_path, sql)).with_columns(pl.col("start").str.to_datetime("%Y-%m-%dT%H:%M:%SZ"))
    assert ours["readings"].to_list() == truth["readings"].to_list()
    for name in ("mean", "min", "max", "p95"):
        assert (ours[name] - truth[name]).abs().max() < 1e-9, name


@pytest.mark.slow
def test_taxi_counts_come_back_exactly_through_kafka(tmp_path, real_data, kafka):
    """Through a topic of three partitions, those of the first month; the estimates are on Kafka too, each once."""
    topic = kafka.topic(partitions=3)
    section = f'kind = "kafka"\ntopic = "{topic}"\nstop_at_end = true\n[kafka]\nbootstrap = "{kafka.broker.bootstrap}"'
    names = {name: kafka.topic() for name in ("estimates", "signals", "quarantine")}
    section += "\n[topics]\n" + "\n".join(f'{name} = "{value}"' for name, value in names.items())
    settings(tmp_path, "taxi", "robot.state@1", section, 1800)
    mapping = tmp_path / "first.sql"
    everything = (MAPPINGS / "nyc_taxi.sql").read_text("utf-8")
    mapping.write_text(f"SELECT * FROM (\n{everything}\n) WHERE seq <= {HALF_HOURS}", "utf-8")
    takt(tmp_path, "ingest", str(mapping), "--contract", "robot.state@1", "--topic", topic, "--data", str(real_data))
    takt(tmp_path, "run")
    assert taxi_counts_differ(tmp_path, real_data) == []
    in_lake = rows(tmp_path, "SELECT count(*) AS n FROM throughput")[0]["n"]
    ids = [dict(message.headers())["ce_id"] for message in kafka.read(names["estimates"])]
    assert len(ids) == len(set(ids)) == in_lake
