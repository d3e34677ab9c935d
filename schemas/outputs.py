"""Every output of Takt, declared once: lake table, Kafka event and documentation are all made from this.

An `Output` is a table of the lake; where `event_type` is set, each of its rows is also published on Kafka as
a CloudEvent of that type whose id is a hash of the type and the `key` columns (see `schemas.ids`). The key
therefore names one row for ever, whatever run, worker or batch produced it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

Kind = Literal["string", "integer", "number", "boolean", "timestamp", "bytes", "strings"]

POLARS_TYPES: dict[Kind, pl.DataType | type[pl.DataType]] = {
    "string": pl.String,
    "integer": pl.Int64,
    "number": pl.Float64,
    "boolean": pl.Boolean,
    "timestamp": pl.Datetime("us", "UTC"),
    "bytes": pl.Binary,
    "strings": pl.List(pl.String),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: name, kind, unit (UCUM, or "1" for a plain number, "" where none makes sense), comment."""

    name: str
    kind: Kind
    unit: str
    comment: str
    nullable: bool = False


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
    subject: tuple[str, ...] = ()
    """Columns joined by "/" that make the CloudEvents subject and the Kafka message key."""

    @property
    def schema(self) -> dict[str, pl.DataType | type[pl.DataType]]:
        """Polars schema of a frame of rows of this output, columns in order."""
        return {c.name: POLARS_TYPES[c.kind] for c in self.columns}


_WINDOW = (
    Column("window_start", "timestamp", "UTC", "Start of the event-time window, inclusive"),
    Column("window_end", "timestamp", "UTC", "End of the event-time window, exclusive"),
    Column("revision", "integer", "1", "0 when first told; one more each time it is told again, changed"),
    Column("final", "boolean", "", "True if told when no later row could change it; see also accounting.final_until"),
)

ROBOT_WINDOW = Output(
    name="robot_window",
    grain="one row per site, zone, robot, window and revision",
    comment="What each robot reported in each window: work by difference of cumulative counters",
    columns=(
        Column("site", "string", "", "Site of the robot"),
        Column("zone", "string", "", "Zone in which the readings were taken"),
        Column("robot", "string", "", "Robot"),
        *_WINDOW,
        Column("messages", "integer", "1", "Accepted robot.state messages"),
        Column("tasks", "integer", "{task}", "Tasks finished: counter differences, resets detected"),
        Column("units", "integer", "{unit}", "Sum of the units field of the messages"),
        Column("busy_s", "number", "s", "Busy time: counter differences"),
        Column("available_s", "number", "s", "Observed time in which the robot could work: counter differences"),
        Column("battery_mean", "number", "%", "Mean state of charge over messages"),
        Column("battery_min", "number", "%", "Lowest state of charge"),
        Column("queue_max", "integer", "{task}", "Longest queue reported"),
        Column("resets", "integer", "1", "Counter resets seen: new boot epoch, or a counter that fell"),
    ),
    key=("site", "zone", "robot", "window_start", "window_end", "revision"),
    latest_by=("site", "zone", "robot", "window_start", "window_end"),
)

THROUGHPUT = Output(
    name="throughput",
    grain="one row per level, site, entity, window and revision",
    comment="Work and rate estimates per robot, zone and site",
    columns=(
        Column("level", "string", "", "robot, zone or site"),
        Column("site", "string", "", "Site"),
        Column("entity", "string", "", "Robot, zone or site name, by level"),
        *_WINDOW,
        Column("robots", "integer", "1", "Robots that reported in the window"),
        Column("messages", "integer", "1", "Accepted robot.state messages"),
        Column("tasks", "integer", "{task}", "Tasks finished in the window"),
        Column("units", "integer", "{unit}", "Sum of the units field of the messages"),
        Column("busy_s", "number", "s", "Busy time in the window, summed over robots"),
        Column("available_s", "number", "s", "Observed available time (exposure), summed over robots"),
        Column("utilisation", "number", "1", "busy_s / available_s; null without exposure", nullable=True),
        Column("rate", "number", "{task}/h", "Posterior mean of tasks per available robot-hour"),
        Column("rate_lo", "number", "{task}/h", "2.5 % quantile of the posterior rate"),
        Column("rate_hi", "number", "{task}/h", "97.5 % quantile of the posterior rate"),
        Column(
            "service_rate",
            "number",
            "{task}/h",
            "Posterior mean of tasks per busy robot-hour; null until busy time was seen",
            nullable=True,
        ),
        Column("service_rate_lo", "number", "{task}/h", "2.5 % quantile of the service rate", nullable=True),
        Column("service_rate_hi", "number", "{task}/h", "97.5 % quantile of the service rate", nullable=True),
        Column("model", "string", "", "Name and version of the estimator with its parameters"),
        Column("contract", "string", "", "Contract and version of the input"),
    ),
    key=("level", "site", "entity", "window_start", "window_end", "revision"),
    latest_by=("level", "site", "entity", "window_start", "window_end"),
    event_type="takt.estimate.throughput.v1",
    topic="estimates",
    subject=("level", "site", "entity"),
)

SERVICE_TIME = Output(
    name="service_time",
    grain="one row per site, zone, window and revision",
    comment="Service times of finished tasks (started to done), over the last 500 of the zone",
    columns=(
        Column("site", "string", "", "Site"),
        Column("zone", "string", "", "Zone in which the task was done"),
        *_WINDOW,
        Column("done", "integer", "{task}", "Tasks done in the window"),
        Column("failed", "integer", "{task}", "Tasks failed in the window"),
        Column("work_units", "number", "{unit}", "Work units of the tasks done in the window"),
        Column("sample", "integer", "{task}", "Service times behind the quantiles (at most 500)"),
        Column("p50_s", "number", "s", "Median service time", nullable=True),
        Column("p90_s", "number", "s", "90 % quantile of service time", nullable=True),
        Column("p95_s", "number", "s", "95 % quantile of service time", nullable=True),
        Column("model", "string", "", "Name and version of the estimator with its parameters"),
        Column("contract", "string", "", "Contract and version of the input"),
    ),
    key=("site", "zone", "window_start", "window_end", "revision"),
    latest_by=("site", "zone", "window_start", "window_end"),
    event_type="takt.estimate.service_time.v1",
    topic="estimates",
    subject=("site", "zone"),
)

SENSOR_WINDOW = Output(
    name="sensor_window",
    grain="one row per entity, metric, window and revision",
    comment="Machine health: statistics of sensor readings",
    columns=(
        Column("entity", "string", "", "Machine, robot or any other thing that is measured"),
        Column("metric", "string", "", "What is measured"),
        Column("unit", "string", "", "Unit of the statistics (UCUM), as the readings give it"),
        *_WINDOW,
        Column("readings", "integer", "1", "Accepted readings"),
        Column("mean", "number", "", "Mean, in the row's unit"),
        Column("std", "number", "", "Sample standard deviation; null for one reading", nullable=True),
        Column("min", "number", "", "Smallest reading"),
        Column("max", "number", "", "Largest reading"),
        Column("p05", "number", "", "5 % quantile (linear interpolation)"),
        Column("p50", "number", "", "Median"),
        Column("p95", "number", "", "95 % quantile"),
        Column("last", "number", "", "Reading with the latest event time"),
        Column("contract", "string", "", "Contract and version of the input"),
    ),
    key=("entity", "metric", "unit", "window_start", "window_end", "revision"),
    latest_by=("entity", "metric", "unit", "window_start", "window_end"),
    event_type="takt.estimate.sensor_window.v1",
    topic="estimates",
    subject=("entity", "metric"),
)

_ORIGIN = (
    Column("source", "string", "", "Source, as named in the settings"),
    Column("partition", "string", "", "Partition: Kafka partition number or file"),
    Column("offset", "integer", "1", "Offset in the partition: Kafka offset, or line number from 0"),
)

QUARANTINE = Output(
    name="quarantine",
    grain="one row per rejected message",
    comment="Messages that failed the gate or conflict with an earlier one, with their original bytes",
    columns=(
        *_ORIGIN,
        Column("raw", "bytes", "", "Original bytes, untouched"),
        Column("kind", "string", "", "quarantined (failed the gate) or conflict (known id, other payload)"),
        Column("reasons", "strings", "", "Codes of the failed rules, in suite order"),
        Column("detail", "string", "", "The decoder's own words, with the place in the message", nullable=True),
        Column("contract", "string", "", "Contract and version the message was held against"),
        Column("suite_hash", "string", "", "Hash of the expectation suite in force"),
    ),
    key=("source", "partition", "offset"),
    event_type="takt.quarantine.v1",
    topic="quarantine",
    subject=("source", "partition"),
)

LATE = Output(
    name="late",
    grain="one row per message that came after allowed lateness",
    comment="Good messages that came too late for any window: kept, never dropped silently",
    columns=(
        *_ORIGIN,
        Column("raw", "bytes", "", "Original bytes, untouched"),
        Column("event_time", "timestamp", "UTC", "Event time of the message"),
        Column("late_by_s", "number", "s", "How far behind the end of allowed lateness it was"),
        Column("contract", "string", "", "Contract and version of the message"),
    ),
    key=("source", "partition", "offset"),
)

SIGNAL = Output(
    name="signal",
    grain="one row per signal",
    comment="Things somebody should know or act upon",
    columns=(
        Column("kind", "string", "", "What kind of signal: breaker_open, breaker_closed, audit_mismatch, ..."),
        Column("subject", "string", "", "What it is about"),
        Column("event_time", "timestamp", "UTC", "Event time at which it became true"),
        Column("severity", "string", "", "critical, warning or info"),
        Column("reason", "string", "", "Why, in a sentence with the numbers"),
        Column("evidence", "string", "", "Inputs and parameters behind it, as JSON"),
    ),
    key=("kind", "subject", "event_time"),
    event_type="takt.signal.v1",
    topic="signals",
    subject=("kind", "subject"),
)

ACCOUNTING = Output(
    name="accounting",
    grain="one row per source partition and committed epoch; sum over epochs for totals",
    comment="Where every input row went: rows_in = good + quarantined + late + duplicates + conflicts",
    columns=(
        Column("source", "string", "", "Source, as named in the settings"),
        Column("partition", "string", "", "Partition: Kafka partition number or file"),
        Column("first_offset", "integer", "1", "First offset of the epoch"),
        Column("last_offset", "integer", "1", "Last offset of the epoch"),
        Column("rows_in", "integer", "1", "Messages read"),
        Column("good", "integer", "1", "Messages accepted into windows"),
        Column("quarantined", "integer", "1", "Messages that failed the gate"),
        Column("late", "integer", "1", "Messages after allowed lateness"),
        Column("duplicates", "integer", "1", "Messages seen before, with the same values"),
        Column("conflicts", "integer", "1", "Messages with a known id and other values"),
        Column("max_event_time", "timestamp", "UTC", "Latest event time accepted so far", nullable=True),
        Column("final_until", "timestamp", "UTC", "Windows that end by then can change no more", nullable=True),
        Column("contract", "string", "", "Contract and version the messages were held against"),
    ),
    key=("source", "partition", "first_offset"),
)

RULE_FAILURES = Output(
    name="rule_failures",
    grain="one row per source partition, rule and committed epoch in which it failed; sum over epochs for totals",
    comment="How many messages failed which rule, warnings and infos too, which hold no message up",
    columns=(
        Column("source", "string", "", "Source, as named in the settings"),
        Column("partition", "string", "", "Partition: Kafka partition number or file"),
        Column("contract", "string", "", "Contract and version the messages were held against"),
        Column("suite_hash", "string", "", "Hash of the expectation suite in force"),
        Column("code", "string", "", "Code of the rule, decode.* and time.future among them"),
        Column("severity", "string", "", "critical (the message is quarantined), warning or info"),
        Column("failed", "integer", "1", "Messages read that failed the rule; a message may fail several"),
        Column("first_offset", "integer", "1", "Offset of the first of them in the epoch"),
    ),
    key=("source", "partition", "code", "first_offset"),
)

OUTPUTS: dict[str, Output] = {
    o.name: o
    for o in (
        ROBOT_WINDOW,
        THROUGHPUT,
        SERVICE_TIME,
        SENSOR_WINDOW,
        QUARANTINE,
        LATE,
        SIGNAL,
        ACCOUNTING,
        RULE_FAILURES,
    )
}
"""All outputs by name. An item for a sink is a pair (output name, frame of `Output.schema`)."""
