"""The simulated warehouse against its own truth and against queueing theory."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest

from domain.twin.config import NO_DEFECTS, WarehouseConfig, constant_intensity, lossy, small
from domain.twin.robot import STATE_COLUMNS, TRANSITIONS, Robot, RobotLog
from domain.twin.trace import Trace
from domain.twin.truth import Truth, window_truth
from domain.twin.warehouse import STREAMS, Warehouse

STATE_FIELDS = {
    "event_id": str,
    "robot": str,
    "zone": str,
    "site": str,
    "boot_epoch": int,
    "seq": int,
    "event_time": str,
    "mode": str,
    "battery": float,
    "tasks_done": int,
    "busy_s": float,
    "available_s": float,
    "queue_depth": int,
    "units": int,
    "error": (str, type(None)),
    "x": float,
    "y": float,
}
TASK_FIELDS = {
    "event_id": str,
    "task": str,
    "site": str,
    "zone": str,
    "robot": (str, type(None)),
    "event_time": str,
    "transition": str,
    "work_units": int,
    "priority": int,
}
SENSOR_FIELDS = {"event_id": str, "entity": str, "metric": str, "value": float, "unit": str, "event_time": str}
FIELDS: dict[str, dict[str, Any]] = dict(zip(STREAMS, (STATE_FIELDS, TASK_FIELDS, SENSOR_FIELDS), strict=True))
TRANSITION_NAMES = {*TRANSITIONS}
MODE_NAMES = {"idle", "busy", "charging", "fault", "offline"}


def _clean(config: WarehouseConfig) -> WarehouseConfig:
    return replace(config, defects=NO_DEFECTS)


@cache
def _run(config: WarehouseConfig) -> tuple[dict[str, list[bytes]], Truth]:
    messages: dict[str, list[bytes]] = defaultdict(list)
    warehouse = Warehouse(config)
    for chunk in warehouse.chunks():
        messages[chunk.stream] += chunk.messages
    return messages, warehouse.truth()


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def _defect(stream: str, raw: bytes) -> str | None:
    """What is wrong with a message, found without knowledge of how it was made."""
    try:
        message = json.loads(raw)
    except UnicodeDecodeError:
        return "invalid_utf8"
    except ValueError:
        return "truncated"
    fields = FIELDS[stream]
    if set(message) != set(fields):
        return "missing_field" if len(message) < len(fields) else "unknown_field"
    return _bad_value(message, fields)


def _bad_value(message: dict[str, Any], fields: dict[str, Any]) -> str | None:
    if any(not isinstance(message[name], kind) for name, kind in fields.items()):
        return "wrong_type"
    known = message.get("mode", "idle") in MODE_NAMES and message.get("transition", "done") in TRANSITION_NAMES
    if not known:
        return "unknown_enum"
    in_range = 0 <= message.get("battery", 0) <= 100 and message.get("work_units", 0) >= 0
    if not in_range or message.get("unit") == "":
        return "out_of_range"
    return "future_time" if _time(message["event_time"]).year > 2100 else None


def _judge(stream: str, messages: list[bytes], reach_s: float) -> Counter[str]:
    """Fates of a log's messages by the rules of the pipeline, row by row: gate, identity, lateness."""
    fates: Counter[str] = Counter()
    known: dict[str, tuple[datetime, bytes]] = {}
    newest = datetime.min.replace(tzinfo=UTC)
    for raw in messages:
        defect = _defect(stream, raw)
        if defect:
            fates[f"malformed.{defect}"] += 1
            continue
        message = json.loads(raw)
        time = _time(message["event_time"])
        earlier = known.get(message["event_id"])
        if earlier and (newest - earlier[0]).total_seconds() <= 600:
            fates["duplicate" if earlier[1] == raw else "conflict"] += 1
        elif newest.year > 1 and (newest - time).total_seconds() > reach_s:
            fates["late"] += 1
        else:
            fates["good"] += 1
        known.setdefault(message["event_id"], (time, raw))
        newest = max(newest, time)
    return fates


def test_clean_messages_follow_the_contracts() -> None:
    """Without defects every line is JSON with exactly the contract's fields, types and ranges."""
    messages, _ = _run(_clean(small()))
    for stream in STREAMS:
        assert len(messages[stream]) > 500
        assert {_defect(stream, raw) for raw in messages[stream]} == {None}


@pytest.mark.slow
@pytest.mark.parametrize("config", [small(), replace(small(2), duration_s=2 * 3_600)], ids=["hour", "two"])
def test_every_defect_is_counted_exactly(config: WarehouseConfig) -> None:
    """An independent reader that follows the pipeline's rules finds each fate as often as it was counted."""
    messages, truth = _run(config)
    for stream in STREAMS:
        rows = truth.accounting.filter((pl.col("stream") == stream) & (pl.col("fate") != "lost"))
        counted = {fate: n for fate, n in rows.select("fate", "messages").iter_rows() if n}
        assert _judge(stream, messages[stream], config.reach_s) == counted
        assert sum(counted.values()) == len(messages[stream])


def test_every_defect_occurs() -> None:
    """The small configuration shows every defect in the main stream."""
    _, truth = _run(small())
    counts = truth.accounting.filter(pl.col("stream") == "robot.state")
    assert counts.height == 13
    assert counts["messages"].to_numpy().min() > 0


def test_nothing_but_what_was_lost_is_missing() -> None:
    """Messages written and lost add up to the messages of the same run without defects."""
    clean, _ = _run(_clean(small()))
    _, truth = _run(small())
    for stream in STREAMS:
        fates = dict(truth.accounting.filter(pl.col("stream") == stream).select("fate", "messages").iter_rows())
        once = sum(n for fate, n in fates.items() if fate not in {"duplicate", "conflict"})
        assert once == len(clean[stream])


@pytest.mark.slow
def test_same_seed_same_bytes() -> None:
    """Two instances of one configuration give the same bytes; another seed gives others."""

    def digest(run: tuple[dict[str, list[bytes]], Truth]) -> str:
        messages, truth = run
        blob = b"\n".join(b"\n".join(messages[stream]) for stream in STREAMS)
        return hashlib.sha256(blob + truth.windows.write_csv().encode()).hexdigest()

    assert digest(_run(small())) == digest(_run.__wrapped__(small()))
    assert digest(_run(small())) != digest(_run(replace(small(), seed=8, duration_s=1_800)))


def test_bytes_are_those_of_record() -> None:
    """The small configuration gives these bytes on every supported Python; a change of them is deliberate."""
    digest = hashlib.sha256()
    for chunk in Warehouse(small()).chunks():
        digest.update(chunk.ndjson)
    assert digest.hexdigest() == "6186db195e8234400919c2d4a2695a942858f0e9189db007140460b59071f0c4"


def test_block_length_changes_no_truth() -> None:
    """What the robots do does not depend on how the run is cut into blocks."""
    one, other = _run(small())[1], _run(replace(small(), block_s=3_600))[1]
    assert one.windows.equals(other.windows)
    order = ("robot", "time", "task", "attempt", "transition")
    assert one.transitions.sort(order).equals(other.transitions.sort(order))


def _counters(messages: list[bytes]) -> dict[str, dict[int, dict[str, Any]]]:
    """Last message of every boot epoch of every robot, by sequence number."""
    last: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    for raw in messages:
        message = json.loads(raw)
        kept = last[message["robot"]].setdefault(message["boot_epoch"], message)
        if message["seq"] >= kept["seq"]:
            last[message["robot"]][message["boot_epoch"]] = message
    return last


@pytest.mark.slow
def test_counters_over_all_boot_epochs_give_the_tasks_done() -> None:
    """Last counters of all boot epochs sum to the tasks done until the robot's last message, resets included."""
    config = replace(_clean(small()), duration_s=2 * 3_600, mtbf_h=0.25, reset_share=1.0)
    messages, truth = _run(config)
    last = _counters(messages["robot.state"])
    assert sum(len(epochs) - 1 for epochs in last.values()) > 10
    done = truth.transitions.filter(pl.col("transition") == TRANSITIONS.index("done"))
    for robot, epochs in last.items():
        seen_until = max(_time(m["event_time"]) for m in epochs.values())
        expected = done.filter((pl.col("robot") == robot) & (pl.col("time") <= seen_until)).height
        assert sum(m["tasks_done"] for m in epochs.values()) == expected


def test_loss_hits_messages_and_not_counters() -> None:
    """With a fifth of the messages lost the last counters are those of the undisturbed run."""
    config = replace(lossy(), robots=10, duration_s=3_600)
    lossy_messages, truth = _run(config)
    clean_messages, _ = _run(_clean(config))
    lost, written = (
        truth.accounting.filter((pl.col("stream") == "robot.state") & (pl.col("fate") == fate))["messages"][0]
        for fate in ("lost", "good")
    )
    assert 0.17 < lost / (lost + written) < 0.23
    by_id = {json.loads(raw)["event_id"]: raw for raw in clean_messages["robot.state"]}
    assert all(by_id[json.loads(raw)["event_id"]] == raw for raw in lossy_messages["robot.state"])


def test_truth_windows_conserve_work_and_time() -> None:
    """Windows add up to the tasks done, to the counters, and never hold more busy than available time."""
    config = _clean(small())
    messages, truth = _run(config)
    windows = truth.windows
    assert windows["tasks"].sum() == truth.transitions.filter(pl.col("transition") == 4).height
    per_window = truth.rollup("1m", "robot")
    assert per_window.filter(pl.col("available_s") > 60.0).height == 0
    assert windows.filter(pl.col("busy_s") > pl.col("available_s")).height == 0
    busy = sum(m["busy_s"] for epochs in _counters(messages["robot.state"]).values() for m in epochs.values())
    tail = config.robots * config.period_s * 1.5
    assert windows["busy_s"].sum() - tail < busy <= windows["busy_s"].sum()
    assert windows["units"].sum() == truth.transitions.filter(pl.col("transition") == 4)["units"].sum()


def test_truth_windows_hold_the_tasks_done_in_them() -> None:
    """Tasks per robot, zone and window are the done transitions with a time in that window."""
    _, truth = _run(_clean(replace(small(), drain_busy=80.0, drain_idle=80.0, charge_rate=600.0, move_share=1.0)))
    key = ["window_start", "site", "zone", "robot"]
    done = truth.transitions.filter(pl.col("transition") == TRANSITIONS.index("done"))
    counted = done.group_by(pl.col("time").dt.truncate("1m").alias("window_start"), *key[1:]).len("tasks")
    told = truth.windows.filter(pl.col("tasks") > 0).select(*key, "tasks")
    assert told.sort(key).equals(counted.cast({"tasks": pl.Int64}).sort(key))
    assert truth.windows.group_by("robot").agg(pl.col("zone").n_unique())["zone"].to_numpy().max() > 1


def test_what_happens_at_an_edge_belongs_to_the_later_window() -> None:
    """A task done at the very start of a window counts there and not in the window before."""
    idle, after = [0.0] * len(STATE_COLUMNS), [0.0] * len(STATE_COLUMNS)
    after[STATE_COLUMNS.index("time")], after[STATE_COLUMNS.index("done")] = 60_000, 1
    config = replace(small(), robots=1)
    trace = Trace(config, [RobotLog(states=[tuple(idle), tuple(after)])])
    told = window_truth(config, [Robot(config, 0)], trace, 0, 120_000)
    assert told["tasks"].to_list() == [0, 1]


@pytest.mark.slow
def test_task_transitions_follow_their_state_machine() -> None:
    """Every task goes created, queued, assigned, started, done, back to queued only after a failure."""
    config = replace(_clean(small()), mtbf_h=0.3, duration_s=2 * 3_600)
    _, truth = _run(config)
    follows = {
        "created": {"queued"},
        "queued": {"assigned"},
        "assigned": {"started"},
        "started": {"done", "failed"},
        "failed": {"queued"},
        "done": set(),
    }
    failed = 0
    for _, steps in truth.transitions.group_by("robot", "task", maintain_order=True):
        names = [TRANSITIONS[i] for i in steps["transition"].to_list()]
        assert names[0] == "created"
        assert all(b in follows[a] for a, b in itertools.pairwise(names))
        failed += names.count("failed")
    assert failed > 5


@pytest.mark.slow
def test_no_task_is_forgotten() -> None:
    """Every robot finishes its tasks in the order in which they came, those that failed at first included."""
    _, truth = _run(replace(_clean(small()), mtbf_h=0.3, duration_s=2 * 3_600))
    done = truth.transitions.filter(pl.col("transition") == TRANSITIONS.index("done")).sort("time")
    for _, tasks in done.group_by("robot"):
        assert tasks.sort("time")["task"].to_list() == list(range(1, tasks.height + 1))


@pytest.mark.slow
def test_delivery_stays_within_its_bounds() -> None:
    """Without defects messages arrive in rising order, at most the disorder bound after they happened."""
    config = _clean(small())
    delivered, happened = [], []
    for chunk in Warehouse(config).chunks():
        if chunk.stream == "robot.state":
            delivered += chunk.delivered_us.tolist()
            happened += [_time(json.loads(raw)["event_time"]) for raw in chunk.messages]
    delay = np.array(delivered) / 1e6 - np.array([(t - config.start).total_seconds() for t in happened])
    assert np.all(np.diff(delivered) >= 0)
    assert 0 <= delay.min() < delay.max() <= config.disorder_s
    assert np.any(np.diff([t.timestamp() for t in happened]) < 0)


@pytest.mark.slow
def test_constant_intensity_is_an_mm1_queue() -> None:
    """Rate, utilisation, waiting time and number in system are those of M/M/1, and Little's law holds."""
    config = constant_intensity(robots=200, hours=12, tasks_per_hour=20.0)
    config = replace(config, mtbf_h=float("inf"), drain_busy=0.0, drain_idle=0.0, robot_spread=0.0, period_s=60)
    warehouse = Warehouse(config)
    for _ in warehouse.chunks():
        pass
    truth = warehouse.truth()
    hours = truth.windows["available_s"].sum() / 3_600
    assert hours == 200 * 12
    assert set(truth.windows["intensity"].to_list()) == {20.0}
    # Poisson counts: 48,000 expected, so 1 % is two standard deviations.
    assert truth.windows["tasks"].sum() / hours == pytest.approx(20.0, rel=0.015)
    assert truth.windows["busy_s"].sum() / 3_600 / hours == pytest.approx(1 / 3, rel=0.03)
    steps = truth.transitions.pivot("transition", index=["robot", "task"], values="time").drop_nulls(["0", "4"])
    in_system_s = (steps["4"] - steps["0"]).dt.total_microseconds().to_numpy() / 1e6
    assert in_system_s.mean() == pytest.approx(60 / (1 - 1 / 3), rel=0.03)
    assert in_system_s.sum() / 3_600 / hours == pytest.approx((1 / 3) / (1 - 1 / 3), rel=0.03)


@pytest.mark.slow
def test_counts_are_poisson_at_constant_intensity() -> None:
    """Tasks done per robot scatter as a Poisson law of the true intensity over available time."""
    warehouse = Warehouse(replace(constant_intensity(robots=400, hours=8), period_s=60))
    for _ in warehouse.chunks():
        pass
    robots = warehouse.truth().rollup("8h", "robot")
    expected = (robots["intensity"] * robots["available_s"] / 3_600).to_numpy()
    chi_square = float((((robots["tasks"].to_numpy() - expected) ** 2) / expected).sum())
    # Mean 400, standard deviation sqrt(800) = 28.
    assert abs(chi_square - 400) < 100


@pytest.mark.slow
def test_the_truth_is_not_told_early() -> None:
    """Asking for the truth before all chunks were read is an error, and chunks are read once."""
    warehouse = Warehouse(small())
    with pytest.raises(ValueError, match="exhaust chunks"):
        warehouse.truth()
    list(warehouse.chunks())
    with pytest.raises(ValueError, match="read once"):
        list(warehouse.chunks())


def test_bad_configurations_are_refused() -> None:
    """A configuration that cannot be simulated faithfully is refused with the reason."""
    with pytest.raises(ValueError, match="hour of the day"):
        WarehouseConfig(profile=(1.0,))
    with pytest.raises(ValueError, match="multiples"):
        WarehouseConfig(duration_s=100)
    with pytest.raises(ValueError, match="jitter_s"):
        WarehouseConfig(jitter_s=5)
