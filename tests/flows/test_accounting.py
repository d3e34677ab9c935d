"""Every message is accounted for, as the simulator knows it."""

from __future__ import annotations

import json
import re
import signal
import zlib
from collections import Counter

import polars as pl
import pytest

from dashboards.sql import query
from flows.build import lake_location
from flows.run import run

from .process import start
from .warehouse import CONTRACT, SOURCE, settings_of, small_day, table, tables

CODES = {
    "truncated": "decode.json",
    "missing_field": "decode.missing_field",
    "unknown_field": "decode.unknown_field",
    "wrong_type": "decode.type",
    "invalid_utf8": "decode.utf8",
    "unknown_enum": "mode.values",
    "out_of_range": "battery.range",
    "future_time": "time.future",
}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [7, 8])
def test_accounting_equals_the_simulator_defect_by_defect(tmp_path, seed):
    """Good, duplicate, conflicting, late and quarantined messages, the latter by reason, are exactly those made so.

    What is not counted is kept to the byte, under the number of its line.
    """
    day = small_day(seed)
    path = tmp_path / "day.jsonl"
    path.write_bytes(day.ndjson)
    settings = settings_of(tmp_path, path)
    run(settings)
    malformed = {kind.removeprefix("malformed."): n for kind, n in day.fates.items() if kind.startswith("malformed.")}
    row = table(settings, "accounting").row(0, named=True)
    assert {name: row[name] for name in ("rows_in", "good", "quarantined", "late", "duplicates", "conflicts")} == {
        "rows_in": len(day.messages),
        "good": day.fates["good"],
        "quarantined": sum(malformed.values()),
        "late": day.fates["late"],
        "duplicates": day.fates["duplicate"],
        "conflicts": day.fates["conflict"],
    }
    assert (row["first_offset"], row["last_offset"]) == (0, len(day.messages) - 1)
    quarantine = table(settings, "quarantine")
    conflicts = pl.col("kind") == "conflict"
    assert Counter(quarantine.filter(~conflicts)["reasons"].list.join("+").to_list()) == {
        CODES[kind]: n for kind, n in malformed.items()
    }
    assert quarantine.filter(conflicts).height == day.fates["conflict"]
    assert table(settings, "late").height == day.fates["late"]
    for name in ("quarantine", "late"):
        kept = table(settings, name)
        assert kept["partition"].unique().to_list() == ["day.jsonl"]
        assert all(day.messages[offset] == raw for offset, raw in kept.select("offset", "raw").iter_rows())


def doubtful(message: bytes) -> bytes:
    """Some messages, chosen by what they say, made to fail a warning (busy for too long) or an info (empty battery)."""
    dice = zlib.crc32(message)
    if dice % 5 == 0:
        message = re.sub(rb'"busy_s":[0-9.]+', b'"busy_s":9000000.0', message)
    if dice % 7 == 0:
        message = re.sub(rb'"mode":"busy","battery":[0-9.]+', b'"mode":"busy","battery":1.5', message)
    return message


def failed_by_hand(messages: list[bytes], quarantine: pl.DataFrame) -> Counter[str]:
    """How many messages failed which rule: critical ones by their reasons, the others by a look at the message."""
    reasons = quarantine.filter(kind="quarantined").select("offset", "reasons").explode("reasons")
    failed = Counter(reasons["reasons"].to_list())
    undecoded = set(reasons.filter(pl.col("reasons").str.starts_with("decode."))["offset"])
    for offset, message in enumerate(messages):
        if offset not in undecoded:
            said = json.loads(message)
            failed["busy_within_available"] += said["busy_s"] > said["available_s"]
            failed["working_battery"] += said["mode"] == "busy" and said["battery"] < 2
    return failed


@pytest.mark.slow
def test_failures_of_every_severity_are_counted_whatever_the_batches_and_kills(tmp_path):
    """Totals per rule equal a count by hand, and are the same for small batches and after a kill and a resume."""
    messages = [doubtful(m) for m in small_day().messages]
    path = tmp_path / "day.jsonl"
    path.write_bytes(b"".join(m + b"\n" for m in messages))
    whole, cut = settings_of(tmp_path / "whole", path), settings_of(tmp_path / "cut", path, every_s=0.02)
    run(whole)
    failed = failed_by_hand(messages, table(whole, "quarantine"))
    assert failed["busy_within_available"] > 500
    assert failed["working_battery"] > 50
    severities = {"busy_within_available": "warning", "working_battery": "info"}
    totals = query(
        lake_location(whole), "SELECT source, contract, code, severity, failed, share FROM rule_failure_totals"
    )
    assert sorted(totals.rows) == sorted(
        (SOURCE, CONTRACT, code, severities.get(code, "critical"), count, count / len(messages))
        for code, count in failed.items()
    )

    assert start(cut, chunk=20_000, die_after_commit=3).end() == -signal.SIGKILL
    assert 0 < table(cut, "rule_failures")["failed"].sum() < failed.total()
    assert start(cut, chunk=20_000).end() == 0
    epochs = query(lake_location(cut), "SELECT max(n) FROM (SELECT count(*) AS n FROM rule_failures GROUP BY code)")
    assert epochs.rows[0][0] > 3
    assert tables(cut) == tables(whole)
