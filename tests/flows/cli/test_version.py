"""What a bug report should name."""

from __future__ import annotations

from importlib.metadata import version

from tests.flows.cli.command import takt


def test_version_names_what_a_bug_report_needs(tmp_path):
    """One line each for Takt, Python, engine, frames, lake and Kafka client; no settings are read."""
    (tmp_path / "takt.toml").write_text("not TOML", "utf-8")
    lines = dict(line.split(" ", 1) for line in takt(tmp_path, "--version").stdout.splitlines())
    assert lines["takt"] == version("takt")
    assert lines["librdkafka"][0].isdigit()
    assert {"python", "bytewax", "polars", "duckdb", "librdkafka"} <= lines.keys()
