"""The gate loses no message, gives all reasons in order, and judges each message by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quality.gate import FUTURE, Gate
from quality.registration import register
from schemas.batch import CONTENT, REJECT_SCHEMA, ROW, Failures, RawBatch
from schemas.messages import Messages
from schemas.registry import find_contract

ROBOT = register(find_contract("robot.state@1"))
ARRIVAL_US = 1_772_439_330_000_000  # 2026-03-02T08:15:30Z
COLUMNS = ("robot", "event_time", "units")


def state(**values: Any) -> bytes:
    """A good robot.state message with some values replaced."""
    good = {
        "event_id": "r1-1-1",
        "robot": "r1",
        "zone": "z1",
        "site": "s1",
        "boot_epoch": 1,
        "seq": 1,
        "event_time": "2026-03-02T08:15:30.000Z",
        "mode": "busy",
        "battery": 55.5,
        "tasks_done": 3,
        "busy_s": 10.0,
        "available_s": 20.0,
        "queue_depth": 2,
    }
    return json.dumps(good | values).encode()


def batch(messages: list[bytes], first: int = 0, step: int = 1) -> RawBatch:
    offsets = np.arange(len(messages), dtype=np.int64) * step + first
    return RawBatch("robots", "0", Messages.of(messages), offsets, np.full(len(messages), ARRIVAL_US, dtype=np.int64))


def reasons(message: bytes) -> list[str]:
    rejects = Gate(ROBOT, COLUMNS)(batch([message])).rejects
    return rejects["reasons"].to_list()[0] if rejects.height else []


def test_good_rows_have_the_columns_asked_for_in_contract_order() -> None:
    """Asked columns and the row index come out, the gate's own columns do not."""
    gated = Gate(ROBOT, ("units", "event_time", "robot"))(batch([state(), b"", state(units=4)]))
    assert gated.good.columns == ["robot", "event_time", "units", ROW, CONTENT]
    assert gated.good["units"].to_list() == [0, 4]
    assert gated.good[ROW].to_list() == [0, 2]
    assert gated.good.schema["event_time"] == pl.Datetime("us", "UTC")


def test_quarantine_keeps_bytes_origin_reasons_and_words() -> None:
    """A reject has its offset (offsets may have gaps), its bytes untouched, and why it was rejected."""
    messages = [state(), b"\xff{", state(battery=101), state()]
    rejects = Gate(ROBOT, COLUMNS)(batch(messages, first=40, step=10)).rejects
    assert dict(rejects.schema) == REJECT_SCHEMA
    assert rejects.drop("detail").rows() == [
        (50, b"\xff{", "quarantined", ["decode.json"]),
        (60, messages[2], "quarantined", ["battery.range"]),
    ]
    assert "invalid" in rejects["detail"][0]
    assert rejects["detail"][1] is None


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        ({}, []),
        ({"event_id": ""}, ["event_id.length"]),
        ({"event_id": "x" * 64, "robot": "\u00e9" * 64, "zone": "\U0001f600" * 64}, []),
        ({"event_id": "x" * 65}, ["event_id.length"]),
        ({"mode": "Busy"}, ["mode.values"]),
        ({"mode": ""}, ["mode.values"]),
        ({"battery": 0}, []),
        ({"battery": -0.0}, []),
        ({"battery": 100}, []),
        ({"battery": 100.00000000000001}, ["battery.range"]),
        ({"battery": -5e-324}, ["battery.range"]),
        ({"seq": -1}, ["seq.range"]),
        ({"seq": 2**63 - 1}, []),
        ({"units": -1}, ["units.range"]),
        ({"error": None, "x": None, "source": ""}, []),
        ({"error": "e" * 1025}, ["error.length"]),
        ({"seq": None}, ["decode.type"]),
    ],
)
def test_each_rule_of_robot_state_stands_where_the_contract_says(values: dict[str, Any], codes: list[str]) -> None:
    """Values on the edge pass, values beyond it are named by the rule they fail."""
    assert reasons(state(**values)) == codes


def test_all_failing_rules_are_given_in_suite_order() -> None:
    """Reasons are complete and in the order of the suite, with the gate's own rule last."""
    message = state(units=-1, battery=-1, robot="", mode="?", event_id="", event_time="2026-03-02T09:00:00Z")
    found = reasons(message)
    assert found == ["event_id.length", "robot.length", "mode.values", "battery.range", "units.range", FUTURE]
    suite = [e["meta"]["code"] for e in ROBOT.suite["expectations"]]
    assert found[:-1] == sorted(found[:-1], key=suite.index)


@pytest.mark.parametrize(
    ("event_time", "codes"),
    [
        ("2026-03-02T08:20:30Z", []),
        ("2026-03-02T08:20:30.000001Z", [FUTURE]),
        ("1970-01-01T00:00:00Z", []),
        ("2261-12-31T23:59:59.999999Z", [FUTURE]),
    ],
)
def test_an_event_from_the_future_is_quarantined(event_time: str, codes: list[str]) -> None:
    """Exactly the tolerance after arrival is accepted, a microsecond more is not; old events are."""
    assert reasons(state(event_time=event_time)) == codes


def test_future_is_judged_by_the_arrival_of_the_same_message() -> None:
    """Rejected neighbours do not shift the arrivals that rows are compared with."""
    messages = [b"", state(event_time="2026-03-02T08:25:30Z"), b"", state(event_time="2026-03-02T08:25:30Z")]
    raw = batch(messages)
    late = replace(raw, arrival_us=np.array([0, ARRIVAL_US, 0, ARRIVAL_US + 300_000_000]))
    assert Gate(ROBOT, COLUMNS)(late).rejects["offset"].to_list() == [0, 1, 2]


def test_warnings_and_infos_are_counted_and_the_row_goes_on() -> None:
    """Failures are counted for every severity; only critical ones reject."""
    messages = [
        state(busy_s=30.0),
        state(battery=1),
        state(battery=1, mode="charging"),
        state(battery=-1),
        state(seq="1"),
        state(event_time="2026-03-02T09:00:00Z"),
        state(),
    ]
    gated = Gate(ROBOT, COLUMNS)(batch(messages, first=40, step=10))
    assert gated.failures == {
        "decode.type": ("critical", 1, 80),
        "battery.range": ("critical", 1, 70),
        "busy_within_available": ("warning", 1, 40),
        "working_battery": ("info", 2, 50),
        FUTURE: ("critical", 1, 90),
    }
    assert gated.good[ROW].to_list() == [0, 1, 2, 6]


def test_a_batch_without_failures_counts_none() -> None:
    """Nothing fails, nothing is counted, nothing is rejected; an empty batch is as good."""
    for messages in ([state()] * 3, []):
        gated = Gate(ROBOT, COLUMNS)(batch(messages))
        assert gated.failures == {}
        assert (gated.good.height, gated.rejects.height) == (len(messages), 0)
        assert dict(gated.rejects.schema) == REJECT_SCHEMA


MESSAGES = [
    state(),
    state(units=3, error="a:b"),
    state(busy_s=99.0),
    state(battery=-1),
    state(robot="", mode="x"),
    state(event_time="2026-03-02T09:00:00Z"),
    state(event_time="2026-02-30T00:00:00Z"),
    state()[:-1] + b', "seq": 1}',
    b"",
    b"\xff",
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(MESSAGES), max_size=40), st.lists(st.integers(0, 40), max_size=3))
def test_batch_cuts_change_nothing(messages: list[bytes], cuts: list[int]) -> None:
    """One batch or several: the same good rows, the same rejects, the same counts, and none lost."""
    gate = Gate(ROBOT, COLUMNS)
    whole = gate(batch(messages))
    assert whole.good.height + whole.rejects.height == len(messages)
    edges = [0, *sorted(min(cut, len(messages)) for cut in cuts), len(messages)]
    parts = [gate(batch(messages[a:b], first=a)) for a, b in pairwise(edges)]
    good = pl.concat(part.good.with_columns(pl.col(ROW) + start) for part, start in zip(parts, edges, strict=False))
    assert good.equals(whole.good)
    assert pl.concat(part.rejects for part in parts).equals(whole.rejects)
    assert whole.failures == {code: added_up([part.failures for part in parts], code) for code in whole.failures}
    assert whole.failures.keys() == {code for part in parts for code in part.failures}


def added_up(parts: list[Mapping[str, Failures]], code: str) -> Failures:
    found = [part[code] for part in parts if code in part]
    return Failures(found[0].severity, sum(f.messages for f in found), found[0].first_offset)


def test_content_is_what_a_message_says_and_not_how() -> None:
    """Other spacing, order of keys or way to write a number is the same content; another value of any field is not."""
    message = json.loads(state()) | {"error": "e", "x": 1.5, "y": 2.0, "source": "a"}
    again = [
        json.dumps(message, indent=1),
        json.dumps(dict(reversed(message.items()))),
        json.dumps(message | {"busy_s": 10, "y": 2, "event_time": "2026-03-02T08:15:30Z"}),
    ]
    changed = {name: f"{value}x" if isinstance(value, str) else value + 1 for name, value in message.items()}
    changed |= {"event_time": "2026-03-02T08:15:31Z", "mode": "idle"}
    others = [json.dumps(message | {name: value}) for name, value in changed.items()]
    others += [json.dumps({k: v for k, v in message.items() if k != name}) for name in ("error", "x", "y", "source")]
    texts = [json.dumps(message), *again, *others]
    content = Gate(ROBOT, ("robot",))(batch([text.encode() for text in texts])).good[CONTENT].to_list()
    assert len(content) == len(texts)
    assert set(content[: len(again) + 1]) == {content[0]}
    assert len({content[0], *content[len(again) + 1 :]}) == 1 + len(others)
