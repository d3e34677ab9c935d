"""Setpoints do not depend on how calls were cut, how rows came, what was said twice or too late, or on restarts."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.alignment.setpoint_config import SetpointConfig
from domain.alignment.setpoint_tables import ACKNOWLEDGEMENT_SCHEMA
from domain.alignment.setpoints import Answered, Setpoints
from tests.domain.alignment.setpoints.desk import LIMITS, MINUTE, REVIEW, WHY

ZONES = ("pack", "pick")
CONFIG = SetpointConfig(
    interval_us=REVIEW,
    delay_us=REVIEW,
    ack_within_us=4 * MINUTE,
    expires_after_us=25 * MINUTE,
    hold_us=30 * MINUTE,
    memory_us=40 * MINUTE,
)

_ANSWERS = st.lists(
    st.tuples(st.sampled_from(["accepted", "completed", "rejected", "failed", "expired", "odd"]), st.integers(0, 9)),
    max_size=3,
)
_REVIEWS = st.lists(
    st.tuples(*[st.one_of(st.sampled_from([4, 4, 4, 5, 9]), st.sampled_from(["stale", "no_data"])) for _ in ZONES]),
    min_size=1,
    max_size=14,
)


@dataclass
class Told:
    """Everything that a run told, and what was in force and pending at each review."""

    frames: list
    asked: list

    def all(self, name):
        return pl.concat([getattr(frame, name) for frame in self.frames])


def _run(reviews, said, random, cuts=(), again=(), restart=True):
    """Reviews five minutes apart. To the n-th setpoint sent it is answered what `said[n]` says, minutes after.

    Cut at other minutes besides, restored from a snapshot at each, rows in any order. Every answer comes `again` so
    many minutes later.
    """
    ends = sorted({n * REVIEW for n in range(len(reviews))} | {cut * MINUTE for cut in cuts})
    setpoints, rows, told, sent = Setpoints(CONFIG, LIMITS), [], Told([], []), 0
    for end in ends:
        due = [row for row in rows if row[-1] < end]
        rows = [row for row in rows if row[-1] >= end]
        frame = pl.DataFrame(random.sample(due, len(due)), schema=ACKNOWLEDGEMENT_SCHEMA, orient="row")
        told.frames.append(setpoints.advance(frame, end))
        if end % REVIEW == 0 and end // REVIEW < len(reviews):
            for zone, wanted in zip(ZONES, reviews[end // REVIEW], strict=True):
                told.asked.append((setpoints.in_force("n", zone, end), setpoints.pending("n", zone, end)))
                if isinstance(wanted, str):
                    issued = setpoints.hold("n", zone, end, wanted)
                else:
                    issued = setpoints.issue("n", zone, wanted, end, WHY, 5)
                empty = told.frames[-1]
                told.frames.append(Answered(issued, empty.exceptions.clear(), empty.refused.clear()))
                for name in issued.filter(pl.col("status") == "sent")["setpoint"]:
                    rows += _answers(name, said[sent % len(said)] if said else [], end, again)
                    sent += 1
        if restart:
            state, setpoints = setpoints.snapshot(), Setpoints(CONFIG, LIMITS)
            setpoints.restore(state)
    return told


def _answers(name, said, now, again):
    rows = []
    for n, (decision, minutes) in enumerate(said):
        for m, more in enumerate((0, *again)):
            rows.append((f"{name}-{n}-{m}", name, decision, "wms", None, now + (minutes + more) * MINUTE))
    return rows


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(
    _REVIEWS,
    st.lists(_ANSWERS, max_size=8),
    st.lists(st.integers(0, 70), max_size=5),
    st.randoms(use_true_random=False),
)
def test_cuts_restarts_and_order_change_nothing(reviews, said, cuts, random):
    """A call per review or many more, a restored snapshot after each, rows as they happen to come."""
    whole = _run(reviews, said, random, cuts=[100], restart=False)
    cut = _run(reviews, said, random, cuts=[*cuts, 100])
    for name in ("setpoints", "exceptions", "refused"):
        assert whole.all(name).equals(cut.all(name))
    assert whole.asked == cut.asked


@settings(deadline=None, max_examples=40)
@given(_REVIEWS, st.lists(_ANSWERS, max_size=8), st.integers(0, 70), st.randoms(use_true_random=False))
def test_what_is_said_again_changes_nothing(reviews, said, more, random):
    """At once or later, even too late: only refusals tell of it."""
    once, twice = (_run(reviews, said, random, again=again) for again in ((), (more,)))
    assert once.asked == twice.asked
    for name in ("setpoints", "exceptions"):
        assert once.all(name).equals(twice.all(name))


@settings(deadline=None, max_examples=40)
@given(_REVIEWS, st.lists(_ANSWERS, max_size=8), st.randoms(use_true_random=False))
def test_late_answers_change_nothing(reviews, said, random):
    """To setpoints that had no answer in time, compared with none at all."""
    late = [[(decision, 4 + minutes) for decision, minutes in answers] for answers in said]
    never, told = _run(reviews, [], random), _run(reviews, late, random)
    assert never.asked == told.asked
    for name in ("setpoints", "exceptions"):
        assert never.all(name).equals(told.all(name))
    assert set(told.all("refused")["code"]) <= {"setpoint.late", "setpoint.no_acknowledgement"}


@settings(deadline=None, max_examples=60)
@given(_REVIEWS, st.lists(_ANSWERS, max_size=8), st.randoms(use_true_random=False))
def test_what_always_holds(reviews, said, random):
    """Ids are unique per status, one exception each, nothing new in a spell, and only what was carried out in force."""
    told = _run(reviews, said, random, cuts=[200], restart=False)
    rows, exceptions = told.all("setpoints"), told.all("exceptions")
    assert not rows.select("setpoint", "status").is_duplicated().any()
    assert not exceptions["exception"].is_duplicated().any()
    unanswered = rows.filter(pl.col("status") == "unacknowledged")["setpoint"]
    assert set(unanswered) == set(exceptions.filter(pl.col("kind") == "unacknowledged")["setpoint"])
    assert rows["time_us"].is_sorted()
    done = set(rows.filter(pl.col("status").is_in(["completed", "accepted"]))["robots"])
    assert {robots for robots, _ in told.asked} <= done | {None}
    for n, zone in enumerate(ZONES):
        _demand_steady_spells(rows.filter(pl.col("zone") == zone), [review[n] for review in reviews])


def _demand_steady_spells(rows, wanted):
    """Sent in a spell are renewals only, of what stood before it, and none lasts beyond it."""
    spell = None
    for row in rows.iter_rows(named=True):
        if row["status"] in {"held", "resumed"}:
            spell = row if row["status"] == "held" else None
        elif row["status"] == "sent" and isinstance(wanted[row["decided_us"] // REVIEW], str):
            assert spell
            assert row["renews"]
            assert row["robots"] == row["previous"]
            assert row["expires_us"] <= spell["expires_us"]
    holds = sum(
        isinstance(now, str) and not isinstance(last, str) for last, now in zip([0, *wanted], wanted, strict=False)
    )
    assert (rows["status"] == "held").sum() == holds
