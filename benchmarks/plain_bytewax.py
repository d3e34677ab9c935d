"""The standard job in plain Bytewax operators, one event at a time, as its documentation teaches.

JSON is read by the standard library and windows are folded in order of time, as the operator does unless told
otherwise. It does less than Takt: no recovery, text files as output. Its clock is made to follow event time alone,
because the stock one adds wall time to the watermark and would lose rows on a busy machine. What can be won by
hand is won in `benchmarks.tuned_bytewax`.

    python -m benchmarks.plain_bytewax INPUT OUTPUT_FOLDER
"""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.connectors.files import FileSink, FileSource
from bytewax.dataflow import Dataflow
from bytewax.operators import windowing as win
from bytewax.testing import run_main

from benchmarks.job import DEDUPE_S, LATENESS_S, START, WINDOW_S

Event = dict[str, Any]

_MODES = frozenset(("idle", "busy", "charging", "fault", "offline"))
_LATENESS, _DEDUPE = timedelta(seconds=LATENESS_S), timedelta(seconds=DEDUPE_S)
_BEGINNING = datetime.min.replace(tzinfo=UTC) + 2 * _DEDUPE


@dataclass(slots=True)
class Parsed:
    """A line with its event, or with the reasons why it is none."""

    line: str
    event: Event
    reasons: list[str]


def parse(line: str, decode: Callable[[str], Event] = json.loads) -> Parsed:
    """Decode a line and hold it against the rules."""
    try:
        event = decode(line)
    except ValueError:
        return Parsed(line, {}, ["undecodable"])
    try:
        event["event_time"] = datetime.fromisoformat(event["event_time"])
    except ValueError:
        event["event_time"] = None
    return Parsed(line, event, broken_rules(event))


def broken_rules(event: Event) -> list[str]:
    """Names of the six rules that an event breaks."""
    robot, battery = event.get("robot"), event.get("battery")
    queue_depth, units = event.get("queue_depth"), event.get("units")
    reasons = []
    if not isinstance(robot, str) or not 1 <= len(robot) <= 64:
        reasons.append("robot")
    if event["event_time"] is None:
        reasons.append("event_time")
    if event.get("mode") not in _MODES:
        reasons.append("mode")
    if not isinstance(battery, int | float) or not 0 <= battery <= 100:
        reasons.append("battery")
    if not isinstance(queue_depth, int) or queue_depth < 0:
        reasons.append("queue_depth")
    if not isinstance(units, int) or units < 0:
        reasons.append("units")
    return reasons


@dataclass(slots=True)
class Seen:
    """Ids of the last ten minutes of event time, and the newest event time."""

    newest: datetime = _BEGINNING
    ids: dict[str, datetime] = field(default_factory=dict)
    by_age: deque[tuple[datetime, str]] = field(default_factory=deque)


def judge(state: Seen | None, event: Event) -> tuple[Seen, tuple[str, Event]]:
    """Verdict of an event: duplicate, late or good."""
    seen = state or Seen()
    time, event_id = event["event_time"], event["event_id"]
    oldest = seen.newest - _DEDUPE
    verdict = "good"
    if event_id in seen.ids and seen.ids[event_id] >= oldest and time >= oldest:
        verdict = "duplicate"
    elif time < seen.newest - _LATENESS:
        verdict = "late"
    if verdict != "duplicate":
        seen.ids[event_id] = time
        seen.by_age.append((time, event_id))
    seen.newest = max(seen.newest, time)
    while seen.by_age and seen.by_age[0][0] < oldest:
        gone_time, gone_id = seen.by_age.popleft()
        if seen.ids.get(gone_id) == gone_time:
            del seen.ids[gone_id]
    return seen, (verdict, event)


@dataclass(slots=True)
class Totals:
    """Aggregates of one robot and window."""

    events: int = 0
    units: int = 0
    battery: float = 0.0
    queue_max: int = 0


def fold(totals: Totals, event: Event) -> Totals:
    """Add an event to a window."""
    totals.events += 1
    totals.units += event["units"]
    totals.battery += event["battery"]
    totals.queue_max = max(totals.queue_max, event["queue_depth"])
    return totals


def merge(one: Totals, other: Totals) -> Totals:
    """Totals of two windows."""
    return Totals(
        one.events + other.events,
        one.units + other.units,
        one.battery + other.battery,
        max(one.queue_max, other.queue_max),
    )


def as_row(item: tuple[str, tuple[int, Totals]]) -> tuple[str, str]:
    """A window as a line of JSON."""
    robot, (window, totals) = item
    row = {
        "robot": robot,
        "window_start": (START + window * timedelta(seconds=WINDOW_S)).isoformat(),
        "events": totals.events,
        "units": totals.units,
        "battery_mean": totals.battery / totals.events,
        "queue_max": totals.queue_max,
    }
    return robot, json.dumps(row)


def as_quarantine(parsed: Parsed) -> tuple[str, str]:
    """A rejected line as a line of JSON."""
    return "quarantine", json.dumps({"raw": parsed.line, "reasons": parsed.reasons})


def dataflow(source: Path, out: Path, *, parse_line: Callable[[str], Parsed] = parse, ordered: bool = True) -> Dataflow:
    """The job."""
    clock: win.EventClock[Event] = win.EventClock(
        ts_getter=lambda event: event["event_time"],
        wait_for_system_duration=_LATENESS,
        now_getter=lambda: START,
        to_system_utc=lambda _: None,
    )
    flow = Dataflow("plain")
    lines = op.input("read", flow, FileSource(source, batch_size=1_000))
    gated = op.branch("gate", op.map("parse", lines, parse_line), lambda parsed: not parsed.reasons)
    rejected = op.map("quarantine", gated.falses, as_quarantine)
    op.output("write_quarantine", rejected, FileSink(out / "quarantine.jsonl"))

    keyed = op.map("partition", gated.trues, lambda parsed: ("0", parsed.event))
    judged = op.key_rm("unkey", op.stateful_map("judge", keyed, judge))
    split = op.branch("verdict", judged, lambda item: item[0] == "good")
    refused = op.count_final("count", split.falses, lambda item: item[0])
    op.output("write_refused", op.map("refused", refused, _counted), FileSink(out / "refused.jsonl"))

    robots = op.map("key_on_robot", split.trues, lambda item: (item[1]["robot"], item[1]))
    tumbling = win.TumblingWindower(length=timedelta(seconds=WINDOW_S), align_to=START)
    windows = win.fold_window("window", robots, clock, tumbling, Totals, fold, merge, ordered=ordered)
    op.output("write_windows", op.map("row", windows.down, as_row), FileSink(out / "windows.jsonl"))
    return flow


def _counted(item: tuple[str, int]) -> tuple[str, str]:
    return item[0], json.dumps({"verdict": item[0], "rows": item[1]})


def prepare(folder: Path) -> Path:
    """The folder with the empty files that the sinks append to."""
    for name in ("quarantine.jsonl", "refused.jsonl", "windows.jsonl"):
        (folder / name).touch()
    return folder


if __name__ == "__main__":
    run_main(dataflow(Path(sys.argv[1]), prepare(Path(sys.argv[2]))))
