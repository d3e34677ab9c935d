"""Service times against a reader of one transition at a time, and numpy's quantiles."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.throughput.service_time import ServiceModel, ServiceTimeEstimator
from domain.throughput.task_windows import COLUMNS, TASK_SCHEMA, TaskWindows
from schemas.outputs import SERVICE_TIME

SECOND = 1_000_000
WINDOW = 60 * SECOND
MODEL = ServiceModel(sample=3, age_us=10 * WINDOW, open_us=4 * WINDOW)
ENDS = {"done", "failed"}
RANK = {"failed": 0, "started": 1, "done": 2, "cancelled": 2}


def frame(rows):
    """Rows (site, zone, task, second, transition) with a tenth of a unit of work."""
    data = [(s, z, t, round(at * SECOND), how, 0.1) for s, z, t, at, how in rows]
    raw = pl.DataFrame(data, schema=COLUMNS | {"event_time": pl.Int64}, orient="row")
    return raw.with_columns(pl.col("event_time").cast(pl.Datetime("us", "UTC")))


def window_rows(rows):
    windows = TaskWindows(WINDOW)
    windows.fold(frame(rows))
    return windows.close(2**62)


def estimator(model=MODEL):
    return ServiceTimeEstimator(model, WINDOW, "task@1")


def published(members, key, sample):
    done, failed = (sum(r[:2] == key and r[4] == how for r in members) for how in ("done", "failed"))
    took = [x[1] / 1e6 for x in sample]
    return (
        done,
        failed,
        done / 10,
        len(took),
        float(np.mean(took)) if took else None,
        *(float(np.quantile(took, q)) if took else None for q in (0.5, 0.9, 0.95)),
    )


def oracle(rows):
    """Expected output rows by (window, zone), and counts, one transition at a time."""
    open_, samples, unmatched, abandoned, out = {}, defaultdict(list), 0, 0, {}
    windows = defaultdict(list)
    for row in rows:
        windows[round(row[3] * SECOND) // WINDOW].append(row)
    for window, members in sorted(windows.items()):
        end, times = (window + 1) * WINDOW, []
        for site, zone, task, at, how in sorted(members, key=lambda r: (r[3], RANK[r[4]], r[1])):
            now = round(at * SECOND)
            start = open_.pop((site, task), None)
            if how == "started":
                open_[site, task] = now
            elif how == "done" and start is not None and now - start <= MODEL.open_us:
                times.append((now, site, zone, task, now - start))
            elif how == "done":
                unmatched += 1
        for now, site, zone, _, took in sorted(times):
            samples[site, zone].append((now, took))
        old = [key for key, start in open_.items() if start < end - MODEL.open_us]
        abandoned += len(old)
        for key in old:
            del open_[key]
        for key, sample in samples.items():
            samples[key] = [x for x in sample if x[0] >= end - MODEL.age_us][-MODEL.sample :]
        out |= {
            (window, *key): published(members, key, samples[key]) for key in {r[:2] for r in members if r[4] in ENDS}
        }
    return out, (unmatched, abandoned)


COLUMNS_OUT = ("done", "failed", "work_units", "sample", "mean_s", "p50_s", "p90_s", "p95_s")


def found(output):
    start = output["window_start"].to_physical() // WINDOW
    rows = output.select("site", "zone", *COLUMNS_OUT).rows()
    return {(w, *r[:2]): r[2:] for w, r in zip(start.to_list(), rows, strict=True)}


transitions = st.lists(
    st.tuples(
        st.sampled_from(["s1", "s2"]),
        st.sampled_from(["y", "z"]),
        st.sampled_from("abc"),
        st.one_of(st.integers(0, 900), st.sampled_from([0, 59.999999, 60, 240, 241, 300.1, 600])),
        st.sampled_from(["started", "started", "done", "done", "failed", "cancelled"]),
    ),
    min_size=1,
    max_size=40,
    # Two transitions of one kind of one task at one instant are one event to the reader above.
    unique_by=lambda r: (r[0], r[2], r[3], RANK[r[4]]),
)


@settings(max_examples=200, deadline=None)
@given(transitions, st.randoms(use_true_random=False), st.booleans())
@pytest.mark.slow
def test_service_times_equal_those_of_a_reader_of_single_transitions(rows, chance, resume):
    """Counts, service times, quantiles and what was given up equal the reader's, whatever the order of rows."""
    expected, counts = oracle(rows)
    shuffled = list(rows)
    chance.shuffle(shuffled)
    subject, output = estimator(), {}
    for window in window_rows(shuffled).sort("window_start").partition_by("window_start", maintain_order=True):
        output |= found(subject.final(window))
        if resume:
            data, subject = subject.snapshot(), estimator()
            subject.restore(data)
    assert output.keys() == expected.keys()
    for key, values in expected.items():
        assert output[key] == tuple(v if v is None or isinstance(v, int) else pytest.approx(v) for v in values)
    assert (subject.learned.unmatched, subject.learned.abandoned) == counts


def test_late_rows_revise_their_window_and_those_after():
    """A start that came late turns up in the finals of its own and of the later window's quantiles."""
    start, done = ("s", "z", "a", 50, "started"), ("s", "z", "a", 70, "done")
    other = ("s", "z", "b", 30, "failed")
    subject = estimator()
    assert subject.on_time(window_rows([other]))["failed"].to_list() == [1]
    first = subject.on_time(window_rows([done]))
    assert first.select("revision", "done", "sample", "p50_s").rows() == [(0, 1, 0, None)]
    assert first.schema == pl.Schema(SERVICE_TIME.schema)
    assert subject.final(window_rows([other, start])).height == 0
    second = subject.final(window_rows([done]))
    assert second.select("revision", "final", "done", "sample", "p50_s").rows() == [(1, True, 1, 1, 20.0)]


def test_a_retry_counts_from_its_last_start():
    """Failed and started again at one instant, a task's service time begins at the second start."""
    rows = [("s", "z", "a", 0, "started"), ("s", "z", "a", 20, "failed"), ("s", "z", "a", 20, "started")]
    output = estimator().final(window_rows([*rows, ("s", "z", "a", 29, "done")]))
    assert output.select("done", "failed", "p50_s").rows() == [(1, 1, 9.0)]


def test_the_sample_is_the_last_by_time_of_done():
    """Of five tasks done in one window, the three done last make the quantiles, the longest of all not among them."""
    took = [30, 1, 2, 3, 4]
    rows = [("s", "z", f"t{i}", 10 + i - (s / 100), "started") for i, s in enumerate(took)]
    rows += [("s", "z", f"t{i}", 10 + i, "done") for i in range(5)]
    assert estimator().final(window_rows(rows)).select("sample", "p50_s").rows() == [(3, 0.03)]


@pytest.mark.slow
def test_rolling_quantiles_follow_a_doubled_load():
    """After service times doubled, p95 of the last 500 is within 5 % of the new truth once 500 are done."""
    rng = np.random.default_rng(5)
    took = np.concatenate([rng.gamma(4, 5, 2000), rng.gamma(4, 10, 600)])
    rows = [
        row
        for i, s in enumerate(took)
        for row in (("s", "z", f"t{i}", 2 * i, "started"), ("s", "z", f"t{i}", 2 * i + s, "done"))
    ]
    output = estimator(ServiceModel()).final(window_rows(rows))
    truth = float(np.quantile(rng.gamma(4, 10, 1_000_000), 0.95))
    assert output["sample"][-1] == 500
    assert abs(output["p95_s"][-1] / truth - 1) < 0.05
    before = float(np.quantile(took[:2000], 0.95))
    assert abs(output["p95_s"][output.height * 3 // 4] / before - 1) < 0.1


@pytest.mark.slow
def test_memory_is_bounded():
    """Ten thousand tasks whose end was lost and two thousand that ended leave only the young and the sample."""
    rows = [("s", "z", f"t{i}", i, "started") for i in range(10_000)]
    rows += [("s", "z", f"u{i}", 5 * i, how) for i in range(2000) for how in ("started", "done")]
    subject = estimator()
    subject.final(window_rows(rows))
    state = subject.learned._state
    assert state.open.height <= (MODEL.open_us + WINDOW) // SECOND
    assert state.sample.height == MODEL.sample


def test_task_windows_hand_on_each_transition_once_and_survive_a_restart():
    """What is peeked at and what is closed are the relevant rows of those windows, sorted."""
    first = [("s", "z", "a", 1, "started"), ("s", "z", "a", 5, "queued"), ("s", "z", "a", 61, "done")]
    windows = TaskWindows(WINDOW)
    windows.fold(frame(first))
    ahead = windows.peek(frame([("s", "z", "b", 2, "started")]), 0, WINDOW)
    assert ahead.select("task", "transition").rows() == [("a", "started"), ("b", "started")]
    resumed = TaskWindows(WINDOW)
    resumed.restore(windows.snapshot())
    closed = resumed.close(WINDOW)
    assert closed.schema == pl.Schema(TASK_SCHEMA)
    assert closed.rows() == [("s", "z", "a", 0, SECOND, "started", 100_000)]
    assert resumed.close(2 * WINDOW)["transition"].to_list() == ["done"]
    assert resumed.close(2 * WINDOW).height == 0
