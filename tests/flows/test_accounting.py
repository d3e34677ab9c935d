"""Every message is accounted for, as the simulator knows it."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest

from flows.run import run

from .warehouse import settings_of, small_day, table

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
    """Good, duplicate, conflicting, late and quarantined messages, the latter by reason, are exactly those made so."""
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


@pytest.mark.slow
def test_rejected_and_late_messages_keep_bytes_and_origin(tmp_path):
    """What is not counted is kept to the byte, under the number of its line."""
    day = small_day()
    path = tmp_path / "day.jsonl"
    path.write_bytes(day.ndjson)
    settings = settings_of(tmp_path, path)
    run(settings)
    for name in ("quarantine", "late"):
        kept = table(settings, name)
        assert kept["partition"].unique().to_list() == ["day.jsonl"]
        assert all(day.messages[offset] == raw for offset, raw in kept.select("offset", "raw").iter_rows())
