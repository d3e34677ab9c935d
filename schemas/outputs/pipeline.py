"""Outputs of every flow: where each input row went, and what somebody should know."""

from __future__ import annotations

from schemas.outputs.model import Column, Output
from schemas.outputs.signal_kinds import SIGNAL_KINDS, alike

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
    comment="Good messages that came too late for their window: kept, never dropped silently",
    columns=(
        *_ORIGIN,
        Column("raw", "bytes", "", "Original bytes, untouched"),
        Column("event_time", "timestamp", "UTC", "Event time of the message"),
        Column("late_by_s", "number", "s", "How far behind the end of allowed lateness it was"),
        Column("booked", "boolean", "", "True where it was booked when it came: a stock ledger misses no late move"),
        Column("contract", "string", "", "Contract and version of the message"),
    ),
    key=("source", "partition", "offset"),
)

_EVIDENCE = "; ".join(f"{', '.join(kinds)}: {', '.join(key.name for key in keys)}" for keys, kinds in alike().items())

SIGNAL = Output(
    name="signal",
    grain="one row per signal",
    comment="Things somebody should know or act upon",
    columns=(
        Column("kind", "string", "", f"What kind of signal: {', '.join(SIGNAL_KINDS)}"),
        Column("subject", "string", "", "What it is about"),
        Column("event_time", "timestamp", "UTC", "Event time at which it became true"),
        Column("severity", "string", "", "critical, warning or info"),
        Column("reason", "string", "", "Why, in a sentence with the numbers"),
        Column("evidence", "string", "", f"Inputs and parameters behind it, as JSON, by kind. {_EVIDENCE}"),
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
