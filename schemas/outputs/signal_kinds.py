"""Kinds of rows of the output `signal`: what each means, and the keys of its `evidence`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.outputs.model import Key


@dataclass(frozen=True, slots=True)
class SignalKind:
    """What a signal of this kind says, with its severity, and what is in its evidence."""

    meaning: str
    evidence: tuple[Key, ...]


_SITE, _ZONE = Key("site", "string", "", "Site"), Key("zone", "string", "", "Zone of the site")

_BREAKER: Final = (
    Key("rule", "string", "", "Code of the rule"),
    Key("ratio", "number", "1", "Share of messages that failed it, of those judged together last"),
    Key("usual", "number", "1", "Share that usually does"),
    Key("offset", "integer", "1", "Offset of the last message judged"),
)
_RETURNED: Final = (Key("rows", "integer", "1", "Rows that came too late to be merged"),)
_SPLIT: Final = (
    Key("robots", "strings", "", "Names of the first twenty, with their sites"),
    Key("count", "integer", "1", "How many there are"),
)
_AUDIT: Final = (
    Key("rule", "string", "", "Code of the rule; decode for the decoder, suite for the suite as a whole"),
    Key("suite_hash", "string", "", "Hash of the suite that the messages were gated by"),
    Key("seen", "integer", "1", "Messages that the sample was drawn from"),
    Key("sampled", "integer", "1", "Messages in the sample"),
    Key("first", "string", "", "Place of its first message, partition:offset"),
    Key("last", "string", "", "Place of its last message"),
)
_ERROR: Final = Key("error", "string", "", "Why Great Expectations could not judge", nullable=True, optional=True)
_MISMATCH: Final = (
    *_AUDIT,
    Key("rows", "integer", "1", "Of the decoder: messages decoded otherwise than by the gate", optional=True),
    Key("offsets", "strings", "", "Of the decoder: places of the first ten of them", optional=True),
    Key("gate_only", "integer", "1", "Of a rule: messages that fail by the gate alone", optional=True),
    Key("gate_only_offsets", "strings", "", "Of a rule: places of the first ten of them", optional=True),
    Key("great_expectations_only", "integer", "1", "Of a rule: those that fail by the audit alone", optional=True),
    Key("great_expectations_only_offsets", "strings", "", "Of a rule: places of the first ten of them", optional=True),
    _ERROR,
)
_FAILED: Final = (
    *_AUDIT,
    Key("observed", "string", "", "What Great Expectations observed where it judges all at once", optional=True),
    _ERROR,
    Key("gate", "string", "", "Of the suite: hash of the gate's", optional=True),
    Key("audit", "string", "", "Of the suite: hash of the audit's", optional=True),
)
_INVARIANT: Final = (
    Key("invariant", "string", "", "Which, see below"),
    Key("missing", "number", "per uom", "How much is missing for it to hold"),
    Key("uom", "string", "", "Base unit"),
    Key("move", "string", "", "Event id of the move as of which it is so"),
)
_LEAK: Final = (
    Key("leak", "string", "", "Id of the leak"),
    Key("event_id", "string", "", "Count that raised the alarm"),
    Key("direction", "string", "", "loss or gain"),
    Key("since_us", "integer", "us", "When it began, since 1970 UTC"),
    Key("counts", "integer", "1", "Counts since then"),
    Key("statistic", "number", "1", "CUSUM that passed its limit, in standard deviations"),
    Key("quantity", "number", "per uom", "What went or came since then, in the base unit"),
)
_ANSWER: Final = (
    _SITE,
    _ZONE,
    Key("robots", "integer", "1", "Robots that the setpoint asks for"),
    Key("in_force", "integer", "1", "Robots in force instead; null for nothing", nullable=True),
    Key("acknowledgement", "string", "", "Event that answered; null where none did", nullable=True),
    Key("by", "string", "", "Who answered", nullable=True),
    Key("comment", "string", "", "What they said", nullable=True),
)
_STUCK: Final = (
    _SITE,
    Key("tasks", "strings", "", "The first twenty tasks that do not get on"),
    Key("robots", "strings", "", "The first twenty robots that have a part in it"),
    Key("count", "integer", "1", "How many tasks there are"),
)
_DROPPED: Final = (
    _SITE,
    _ZONE,
    Key("task", "string", "", "The task"),
    Key("state", "string", "", "State it was in"),
    Key("robot", "string", "", "Robot that had it; null for none", nullable=True),
    Key("work_micro", "integer", "{unit} / 1000000", "Its work units, in millionths"),
    Key("heard_us", "integer", "us", "When it was last heard of, since 1970 UTC"),
)
_UNMAPPED: Final = (
    _SITE,
    Key("sku", "string", "", "Stock keeping unit"),
    Key("category", "string", "", "Its category; null where none is known", nullable=True),
    Key("mean", "number", "per uom", "Demand that was forecast for it, in the base unit"),
    Key("mapping", "string", "", "Version of the mapping from demand to work"),
)
_DRIFT: Final = (
    Key("before", "number", "1", "Mean error of forecasts before, in standard deviations"),
    Key("after", "number", "1", "Mean error since"),
)

SIGNAL_KINDS: Final = {
    "breaker_open": SignalKind("A rule's failure ratio leapt; reading of the partition pauses. Critical", _BREAKER),
    "breaker_closed": SignalKind("The ratio is back below the limit; reading goes on. Info", _BREAKER),
    "partition_returned": SignalKind(
        "A partition that was silent, or a stream that had ended, was passed over and has rows of a window "
        "that is final where partitions are merged; what it publishes itself is complete, and rows of stock, "
        "tasks, robots and answers are booked with the next window. Of sums told once a window; of rows `subject` ends "
        "with the offset of the last. Warning",
        _RETURNED,
    ),
    "robot_in_two_partitions": SignalKind(
        "A robot reports to several partitions of a topic: work is missing or doubled. Critical", _SPLIT
    ),
    "audit_mismatch": SignalKind(
        "Great Expectations and the gate disagree on the same rows: one of them is wrong. Critical", _MISMATCH
    ),
    "audit_failed": SignalKind(
        "An expectation that only Great Expectations checks failed on a sample. The rule's own severity", _FAILED
    ),
    "stock_invariant_broken": SignalKind(
        "A balance is what it cannot be: an invariant of the stock ledger, see below. Warning", _INVARIANT
    ),
    "stock_invariant_restored": SignalKind(
        "The invariant holds again, most often because a late paper came. Info", _INVARIANT
    ),
    "stock_leak": SignalKind("Counts show that stock goes, or comes, a little at a time. Warning", _LEAK),
    "setpoint_unacknowledged": SignalKind(
        "Nobody answered a setpoint in time; the one before stays in force. Told once an hour of a zone, "
        "until one is answered. Warning",
        _ANSWER,
    ),
    "setpoint_rejected": SignalKind(
        "Its controller will not carry a setpoint out; the one before stays in force. Of a zone and reason told once "
        "an hour, until one is completed. Warning",
        _ANSWER,
    ),
    "setpoint_failed": SignalKind(
        "Its controller could not carry a setpoint out; the one before stays in force. Of a zone and reason told once "
        "an hour, until one is completed. Warning",
        _ANSWER,
    ),
    "setpoint_lapsed": SignalKind(
        "A setpoint's time ran out while it was in force, or before it was carried out. Critical", _ANSWER
    ),
    "setpoint_without_effect": SignalKind(
        "A setpoint is in force, and half the way to it is not made in the time it has; setpoints of the zone"
        " stay where they are for a while. Told once a hold, each twice as long as the one before. Warning",
        _ANSWER,
    ),
    "task_cycle": SignalKind(
        "Tasks depend on each other in a circle, which is named; none of them can ever be done. Warning", _STUCK
    ),
    "task_deadlock": SignalKind("Tasks and the robots that have them wait for each other. Critical", _STUCK),
    "task_missing": SignalKind("Tasks depend on one that is neither open nor done. Warning", _STUCK),
    "task_unservable": SignalKind("No robot of the site can do the tasks. Warning", _STUCK),
    "task_starvation": SignalKind("A task that could be done has waited too long. Warning", _STUCK),
    "task_dropped": SignalKind(
        "An open task of which nothing was heard for a week no longer counts as open. Warning", _DROPPED
    ),
    "demand_unmapped": SignalKind(
        "No rule turns the demand of a SKU into work; told once of each site and SKU, until there is no "
        "demand of it for a week. Warning",
        _UNMAPPED,
    ),
    "demand_drift": SignalKind(
        "Demand of a series is no longer what it was: ADWIN on standardised residuals. Info", _DRIFT
    ),
}


def alike() -> dict[tuple[Key, ...], list[str]]:
    """Kinds by their evidence, which several have in common."""
    kinds: dict[tuple[Key, ...], list[str]] = {}
    for name, kind in SIGNAL_KINDS.items():
        kinds.setdefault(kind.evidence, []).append(name)
    return kinds
