"""What an output is: a table of the lake and, for some, an event on Kafka."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

Kind = Literal["string", "integer", "number", "decimal", "boolean", "timestamp", "bytes", "strings"]

POLARS_TYPES: dict[Kind, pl.DataType | type[pl.DataType]] = {
    "string": pl.String,
    "integer": pl.Int64,
    "number": pl.Float64,
    "decimal": pl.Decimal(18, 3),
    "boolean": pl.Boolean,
    "timestamp": pl.Datetime("us", "UTC"),
    "bytes": pl.Binary,
    "strings": pl.List(pl.String),
}


JsonType = Literal["string", "integer", "number", "strings", "integers"]


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a JSON object; where objects are nested, `name` is the way to it, joined by dots.

    Unit and comment are as of a `Column`. An `optional` key is not in every object.
    """

    name: str
    type: JsonType
    unit: str
    comment: str
    nullable: bool = False
    optional: bool = False

    def __str__(self) -> str:
        return f"{self.name}{f' [{self.unit}]' if self.unit else ''}: {self.comment}"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: name, kind, unit (UCUM, or "1" for a plain number, "" where none makes sense), comment.

    `keys` are those of the JSON object that the column's text is, where it is one.
    """

    name: str
    kind: Kind
    unit: str
    comment: str
    nullable: bool = False
    keys: tuple[Key, ...] = ()

    @property
    def explained(self) -> str:
        """The comment with all keys, for those who have nothing but it."""
        return f"{self.comment}. {'; '.join(map(str, self.keys))}" if self.keys else self.comment


@dataclass(frozen=True, slots=True)
class Output:
    """One output. `grain` says in words what one row is; `key` are the columns that identify it.

    `latest_by`: the key without the revision, where rows are revised; `main` then also has a `<name>_latest`
    view. `topic` names the Kafka topic setting (`estimates`, `signals`, `quarantine`) or is None for lake only.
    """

    name: str
    grain: str
    comment: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    latest_by: tuple[str, ...] = ()
    event_type: str | None = None
    topic: Literal["estimates", "signals", "quarantine"] | None = None
    flow: str = ""
    """Who makes it, for the source of its events; empty: the flow that was deployed."""
    subject: tuple[str, ...] = ()
    """Columns joined by "/" that make the CloudEvents subject and the Kafka message key; a "/" in a name is escaped."""

    @property
    def schema(self) -> dict[str, pl.DataType | type[pl.DataType]]:
        """Polars schema of a frame of rows of this output, columns in order."""
        return {c.name: POLARS_TYPES[c.kind] for c in self.columns}

    @property
    def dated_by(self) -> str | None:
        """Column with the time of an event that tells of a row; None where rows have no time of their own."""
        return next((name for name in ("window_end", "bucket_end", "event_time") if name in self.schema), None)
