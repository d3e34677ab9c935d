"""Rows as CloudEvents, read back with the CloudEvents library and held against the official schema."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import jsonschema
import polars as pl
import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given
from hypothesis import strategies as st

from schemas.outputs import OUTPUTS, Kind
from sinks.kafka.events import LONGEST_BYTES, Event, events

NOW = datetime(2026, 3, 2, 8, 0, 0, 250_000, tzinfo=UTC)

VALUES: dict[Kind, object] = {
    "string": "é\u2028\x00",
    "integer": 2**63 - 1,
    "number": float("nan"),
    "decimal": Decimal("-12345678901.5"),
    "boolean": True,
    "timestamp": NOW,
    "bytes": b"\xff\x00{",
    "strings": ["a", ""],
}
PUBLISHED = [name for name, output in OUTPUTS.items() if output.event_type]


def frame(name: str, **changes: object) -> pl.DataFrame:
    row = {c.name: VALUES[c.kind] for c in OUTPUTS[name].columns} | changes
    return pl.DataFrame([row], schema=OUTPUTS[name].schema)


def only(name: str, rows: pl.DataFrame) -> Event:
    (event,) = events(OUTPUTS[name], rows, flow="throughput", writer="w")
    return event


def read(event: Event) -> BaseCloudEvent:
    headers = {key: value for key, value in event.headers if isinstance(value, bytes)}
    return from_binary(KafkaMessage(headers=headers, key=event.key, value=event.value), JSONFormat())


@pytest.mark.parametrize("name", PUBLISHED)
def test_cloudevents_library_reads_it(name: str) -> None:
    """The CloudEvents library's Kafka binding reads every published output, and the data is the row."""
    event = read(only(name, frame(name)))
    assert event.get_type() == OUTPUTS[name].event_type
    assert event.get_source() == f"takt/{OUTPUTS[name].flow or 'throughput'}"
    data = event.get_data()
    assert isinstance(data, dict)
    assert list(data) == [c.name for c in OUTPUTS[name].columns]
    written: dict[Kind, object] = {
        **VALUES,
        "number": None,
        "timestamp": "2026-03-02T08:00:00.250000Z",
        "bytes": base64.b64encode(b"\xff\x00{").decode(),
    }
    assert data == {c.name: written[c.kind] for c in OUTPUTS[name].columns}


@pytest.mark.parametrize("name", PUBLISHED)
def test_official_schema(name: str, real_data: Path) -> None:
    """Attributes satisfy the CloudEvents JSON schema."""
    schema = json.loads((real_data / "standards" / "cloudevents" / "cloudevents.json").read_text())
    document = json.loads(JSONFormat().write(read(only(name, frame(name)))))
    jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker()).validate(document)


def test_event_is_a_function_of_the_row() -> None:
    """Only the key decides the id and the trace: a second run gives the same event, another key another id."""
    signal = frame("signal", kind="a", subject="b")
    assert only("signal", signal) == only("signal", signal)
    again = only("signal", frame("signal", kind="a", subject="b", reason="other words"))
    other = only("signal", frame("signal", kind="ab", subject=""))
    assert again.id == only("signal", signal).id != other.id
    trace = dict(again.headers)["traceparent"]
    assert isinstance(trace, bytes)
    assert re.fullmatch(rf"00-{again.id}-[0-9a-f]{{16}}-01", trace.decode())


@pytest.mark.parametrize(("name", "column"), [("throughput", "window_end"), ("signal", "event_time")])
def test_time(name: str, column: str) -> None:
    """The event's time is the end of the window, or else the event time."""
    other = datetime(2020, 1, 1, tzinfo=UTC)
    timestamps = {c.name: other for c in OUTPUTS[name].columns if c.kind == "timestamp"}
    assert read(only(name, frame(name, **{**timestamps, column: NOW}))).get_time() == NOW


@pytest.mark.parametrize("name", PUBLISHED)
def test_rows_do_not_depend_on_their_neighbours(name: str) -> None:
    """Rows of one instant, of another and of none side by side give the events that each gives alone."""
    output = OUTPUTS[name]
    told = ("window_end", "bucket_end", "event_time")
    free = [c.name for c in output.columns if c.kind == "timestamp" and c.name not in told]
    instants = (NOW, datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), None, NOW)
    rows = [frame(name, **dict.fromkeys(free, instant)) for instant in instants]
    together = list(events(output, pl.concat(rows), flow="throughput", writer="w"))
    assert together == [only(name, row) for row in rows]
    written = [json.loads(event.value) for event in together]
    spelled = ["2026-03-02T08:00:00.250000Z", "1969-12-31T23:59:59.999999Z", None, "2026-03-02T08:00:00.250000Z"]
    assert [[row[column] for column in free] for row in written] == [[text] * len(free) for text in spelled]


@given(st.floats())
def test_value_is_strict_json(number: float) -> None:
    """Whatever the number, the value is JSON that a strict parser takes, and finite numbers come back exactly."""

    def refuse(literal: str) -> None:
        raise AssertionError(literal)

    value = only("throughput", frame("throughput", rate=number)).value
    got = json.loads(value, parse_constant=refuse)["rate"]
    assert got == number or (got is None and number - number != 0)


def test_huge_bytes_are_cut() -> None:
    """A 10 MB message in quarantine makes an event below the brokers' limit of 1 MB, marked as cut."""
    event = only("quarantine", frame("quarantine", raw=b"x" * 10_000_000))
    assert len(event.value) < 900_000
    assert read(event).get_extension("taktcut") == "raw"
    assert len(base64.b64decode(json.loads(event.value)["raw"])) == LONGEST_BYTES
    assert read(only("quarantine", frame("quarantine"))).get_extension("taktcut") is None


def test_names_with_slashes_share_no_subject() -> None:
    """A slash in a name is escaped, or another site's robot would have the same key; a signal's stays as it is."""
    one = only("throughput", frame("throughput", level="robot", site="a/b", entity="c"))
    other = only("throughput", frame("throughput", level="robot", site="a", entity="b/c"))
    assert (one.key, other.key) == (b"robot/a%2Fb/c", b"robot/a/b%2Fc")
    assert only("signal", frame("signal", kind="a", subject="b/c%2Fd")).key == b"a/b/c%2Fd"


def test_subject_has_no_control_characters() -> None:
    """Attributes may hold no control characters (CloudEvents 1.0, String); the data keeps them."""
    event = read(only("signal", frame("signal", kind="a\x00\n", subject="b\x9f")))
    assert event.get_subject() == "a\ufffd\ufffd/b\ufffd"


def test_lake_only_outputs_make_no_events() -> None:
    """Outputs without an event type stay in the lake."""
    assert not list(events(OUTPUTS["robot_window"], frame("robot_window"), flow="f", writer="w"))
