"""Rows of an output as CloudEvents 1.0 in the binary mode of the Kafka protocol binding.

The value is the row as JSON: timestamps RFC 3339 with "Z", bytes base64, NaN and infinities null. The id and the
trace come from the row's key, so a row produced twice, by whatever run, is recognisably the same event.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl

from schemas.ids import id_of_spelled, spelled, subject
from schemas.outputs import Output

ID_HEADER = "ce_id"
WRITER_HEADER = "ce_taktwriter"
"""Extension attribute with the name of the writer, by which it knows its own events again."""
CUT_HEADER = "ce_taktcut"
"""Extension attribute with the names of columns whose bytes were cut; the lake has them whole."""

# With base64 and the rest of the row well below the brokers' usual limit of 1 MB for a message.
LONGEST_BYTES = 256 << 10

_NOT_IN_ATTRIBUTES = re.compile("[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
_EPOCH = datetime.fromtimestamp(0, UTC)
_NULL = np.iinfo(np.int64).min  # as numpy has an instant that is null
_encoder = msgspec.json.Encoder(decimal_format="number")


class Event(NamedTuple):
    """One event, ready to be produced to the topic of that role (estimates, signals, quarantine)."""

    role: str
    id: str
    key: bytes
    value: bytes
    headers: list[tuple[str, str | bytes | None]]


def events(output: Output, frame: pl.DataFrame, *, flow: str, writer: str) -> Iterator[Event]:
    """Events of the rows of `frame`, in order; none for an output that is for the lake only."""
    if output.event_type is None or output.topic is None:
        return
    fixed: list[tuple[str, str | bytes | None]] = [
        ("ce_specversion", b"1.0"),
        ("ce_type", output.event_type.encode()),
        ("ce_source", f"takt/{output.flow or flow}".encode()),
        ("ce_dataschema", f"urn:takt:schema:{output.event_type}".encode()),
        ("content-type", b"application/json"),
        (WRITER_HEADER, writer.encode()),
    ]
    byte_columns = [c.name for c in output.columns if c.kind == "bytes"]
    values, texts = _columns(frame)
    cuts = _cut(values, byte_columns)
    subjects = _subjects(frame, output.subject)
    # One step for all rows after the other takes two thirds of the time of all steps for each row.
    ids = [id_of_spelled(output.event_type, key) for key in zip(*(spelled(texts[c]) for c in output.key), strict=True)]
    written = [_encoder.encode(dict(zip(values, row, strict=True))) for row in zip(*values.values(), strict=True)]
    times = [bytes(time)[1:-1] for time in values[output.dated_by]] if output.dated_by else []
    for at, (identity, about, value) in enumerate(zip(ids, subjects, written, strict=True)):
        headers = [*fixed, (ID_HEADER, identity.encode()), ("traceparent", _traceparent(identity))]
        if about:
            headers.append(("ce_subject", _attribute(about)))
        if times:
            headers.append(("ce_time", times[at]))
        if at in cuts:
            headers.append((CUT_HEADER, ",".join(cuts[at]).encode()))
        yield Event(output.topic, identity, about.encode(), value, headers)


def _columns(frame: pl.DataFrame) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Values of all columns as they are written, and as event ids are made of them, where timestamps differ.

    Rows are told of few windows, so each different instant is written once and not in every row.
    """
    values: dict[str, list[Any]] = {}
    texts: dict[str, list[Any]] = {}
    for column in frame.get_columns():
        name = column.name
        if isinstance(column.dtype, pl.Datetime):
            instants = column.to_numpy().astype(np.int64).tolist()
            known = {us: _EPOCH + timedelta(microseconds=us) for us in {*instants} if us != _NULL}
            written = {us: msgspec.Raw(_encoder.encode(instant)) for us, instant in known.items()}
            in_ids = {us: instant.isoformat() for us, instant in known.items()}
            values[name] = [*map(written.get, instants)]
            texts[name] = [*map(in_ids.get, instants)]
        else:
            values[name] = texts[name] = column.to_list()
    return values, texts


def _attribute(text: str) -> bytes:
    """A subject as an attribute of CloudEvents may be."""
    # Whatever is replaced cannot be printed, and to ask for that costs next to nothing.
    return (text if text.isprintable() else _NOT_IN_ATTRIBUTES.sub("\ufffd", text)).encode()


def _subjects(frame: pl.DataFrame, columns: Sequence[str]) -> list[str]:
    """Subjects of rows, empty where the output has none."""
    if not columns:
        return [""] * frame.height
    return ["/".join(names) for names in zip(*(_names(frame[c]) for c in columns), strict=True)]


def _names(column: pl.Series) -> list[str]:
    """Values as parts of a subject; those of a column that has subjects are some already."""
    values = column.to_list()
    if column.name == "subject":
        return [*map(str, values)]
    known = {value: subject(str(value)) for value in {*values}}  # rows share sites and kinds
    return [*map(known.__getitem__, values)]


def _cut(values: dict[str, list[Any]], byte_columns: Sequence[str]) -> dict[int, list[str]]:
    """Shorten long bytes in place, so that no message of any size can stop the flow; the columns it was, by row."""
    cuts: dict[int, list[str]] = {}
    for column in byte_columns:
        given = values[column]
        for at in [at for at, data in enumerate(given) if data is not None and len(data) > LONGEST_BYTES]:
            given[at] = given[at][:LONGEST_BYTES]
            cuts.setdefault(at, []).append(column)
    return cuts


def _traceparent(identity: str) -> bytes:
    """W3C trace context that anyone can derive from the event id."""
    span = hashlib.sha256(f"span/{identity}".encode()).hexdigest()[:16]
    return f"00-{identity}-{span}-01".encode()
