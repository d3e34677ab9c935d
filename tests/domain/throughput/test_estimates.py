"""Estimates on time and final against a plain loop over windows and scipy's gamma distribution."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from domain.streaming.frames import from_bytes
from domain.throughput.counters import PARTIAL_SCHEMA
from domain.throughput.estimates import ThroughputEstimator
from domain.throughput.levels import LEVEL_SCHEMA, levels
from domain.throughput.rate import RateModel
from schemas.errors import RecoveryError
from schemas.outputs import THROUGHPUT

MINUTE = 60_000_000
HOUR = 60 * MINUTE
MODEL = RateModel(discount=0.9, prior_tasks=2.0, prior_rate=30.0)
VALUES = [n for n in THROUGHPUT.schema if n not in ("window_start", "window_end", "revision", "final")]
RATES = VALUES[VALUES.index("rate") : VALUES.index("service_dispersion") + 1]


def partial(rows):
    """Partial of rows (site, zone, robot, window number, tasks, busy seconds, available seconds)."""
    return pl.DataFrame(
        [
            (site, zone, robot, window * MINUTE, 1, tasks, 0, round(busy * 1e6), round(available * 1e6), 0, 0.0, 0, 0)
            for site, zone, robot, window, tasks, busy, available in rows
        ],
        schema=PARTIAL_SCHEMA,
        orient="row",
    )


def level_rows(rows):
    return levels(partial(rows))


def state(subject):
    """Stored state with frames as rows: the bytes under nulls are not defined."""
    stored = msgspec.msgpack.decode(subject.snapshot())
    frames = [stored["learned"]["book"], *filter(None, [stored["pending"], stored["revisions"]])]
    return [from_bytes(frame).rows() for frame in frames if from_bytes(frame).height]


def estimator(model=MODEL):
    return ThroughputEstimator(model, MINUTE, "robot.state@1")


class Loop:
    """One entity, one window at a time; every window in which it was silent is a window without exposure."""

    def __init__(self, model):
        self.model, self.n, self.e, self.q = model, 0.0, 0.0, 0.0
        self.block = None
        self.squares = self.blocks = 0.0

    def window(self, n, hours, robots, pool):
        """Learn a window; what its block came to, if one ended."""
        d = self.model.discount
        furthest = 9 * self.dispersion(pool)
        self.n, self.e, self.q = d * self.n, d * self.e, d * self.q
        if self.block is None and hours > 0 and self.q and self.n * self.e / self.q >= 10 * robots:
            self.block = [self.n / self.e, self.q / self.e**2, 0, 0.0]
        self.n, self.e, self.q = self.n + n, self.e + hours, (d if hours > 0 else 1) * self.q + hours
        if self.block is None or not robots:
            return None
        self.block[2] += n
        self.block[3] += hours
        rate, doubt, tasks, spent = self.block
        if rate * spent < 10 * robots:
            return None
        x = min((tasks - rate * spent) ** 2 / (rate * spent * (1 + spent * doubt)), furthest)
        self.block, self.squares, self.blocks = None, 0.98 * self.squares + x, 0.98 * self.blocks + 1
        return x

    def dispersion(self, pool):
        return max((5 * (5 + pool[0]) / (5 + pool[1]) + self.squares) / (5 + self.blocks), 0.05)

    def belief(self, prior_rate, pool):
        dispersion = self.dispersion(pool)
        weight = self.e / self.q / dispersion if self.q else 0.0
        shape = self.model.prior_tasks + weight * self.n
        scale = 1 / (self.model.prior_tasks / prior_rate + weight * self.e)
        low, high = stats.gamma.ppf([0.025, 0.975], shape, scale=scale).tolist()
        return [shape * scale, low, high, dispersion]


def summed(rows):
    """Tasks, busy and available seconds, and robots, per (level, site, entity)."""
    sums, robots = defaultdict(lambda: [0, 0.0, 0.0]), defaultdict(set)
    for site, zone, robot, _, *values in rows:
        for key in (("robot", site, robot), ("zone", site, zone), ("site", site, site)):
            robots[key].add(robot)
            sums[key] = [was + value for was, value in zip(sums[key], values, strict=True)]
    return {key: (*sums[key], len(robots[key])) for key in sums}


def oracle(windows, last):
    """Expected (rate, lo, hi, dispersion, the same of the service rate) per (level, site, entity) of window `last`."""
    loops = defaultdict(lambda: (Loop(MODEL), Loop(MODEL)))
    pools = defaultdict(lambda: ([0.0, 0.0], [0.0, 0.0]))
    for window in range(last + 1):
        sums = summed(windows.get(window, []))
        before = {site: [tuple(pool) for pool in both] for site, both in pools.items()}
        ended = defaultdict(lambda: ([], []))
        for key in sorted(set(loops) | set(sums)):
            tasks, busy, available, robots = sums.get(key, (0, 0.0, 0.0, 0))
            for i, spent in enumerate((available, busy)):
                x = loops[key][i].window(tasks, spent / 3600, robots, before.get(key[1], [(0, 0)] * 2)[i])
                if x is not None and key[0] == "robot":
                    ended[key[1]][i].append(x)
        for site, both in ended.items():
            for pool, xs in zip(pools[site], both, strict=True):
                pool[:] = 0.998 ** len(xs) * pool[0] + sum(xs), 0.998 ** len(xs) * pool[1] + len(xs)
    out = {}
    for key in sums:
        row = []
        for i, pool in enumerate(pools[key[1]]):
            prior = MODEL.prior_rate
            if key[0] != "site":
                prior = loops["site", key[1], key[1]][i].belief(prior, pool)[0]
            known = i == 0 or loops[key][i].e > 0
            row += loops[key][i].belief(prior, pool) if known else [None] * 4
        out[key] = row
    return out


def rates(frame):
    return {row[:3]: list(row[3:]) for row in frame.select("level", "site", "entity", *RATES).rows()}


robot_windows = st.lists(
    st.tuples(
        st.sampled_from([("s1", "z1", "r1"), ("s1", "z2", "r1"), ("s1", "z2", "r2"), ("s2", "z1", "r3")]),
        st.integers(0, 12),
        st.one_of(st.integers(0, 5), st.sampled_from([12, 40])),
        st.sampled_from([0.0, 10.0, 59.0]),
        st.sampled_from([0.0, 60.0, 600.0]),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda r: (r[0], r[1]),
)


def by_window(specs):
    windows = defaultdict(list)
    for place, window, tasks, busy, available in specs:
        windows[window].append((*place, window, tasks, busy, available))
    return dict(sorted(windows.items()))


def same(found, expected):
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        assert found[key] == [None if v is None else pytest.approx(v, rel=1e-9) for v in values]


@settings(max_examples=100, deadline=None)
@given(robot_windows)
@pytest.mark.slow
def test_final_estimates_equal_a_loop_over_all_windows(specs):
    """Rates and quantiles of every final window equal the loop's, empty windows included."""
    windows = by_window(specs)
    subject = estimator()
    for window, rows in windows.items():
        same(rates(subject.final(level_rows(rows))), oracle(windows, window))


@settings(max_examples=40, deadline=None)
@given(robot_windows, st.integers(1, 5), st.randoms(use_true_random=False), st.booleans())
@pytest.mark.slow
def test_what_is_published_depends_on_the_rows_alone(specs, lag, chance, resume):
    """On-time estimates are the loop's over the rows known then; finals are published where they differ."""
    windows = by_window(specs)
    early = {w: [r for r in rows if chance.random() < 0.8] for w, rows in windows.items()}
    subject, order = estimator(), list(windows)
    latest, stages = {}, {}
    for i in range(len(order) + lag):
        if i >= lag:
            window = order[i - lag]
            stages[window] = windows[window]
            published = subject.final(level_rows(windows[window]))
            before = dict(latest.get(window, {}))
            for row in published.iter_rows(named=True):
                key = row["level"], row["site"], row["entity"]
                values = [row[n] for n in VALUES]
                assert row["final"]
                assert row["revision"] == (key in before)
                assert values != before.get(key), "a row was published again unchanged"
                latest.setdefault(window, {})[key] = values
            found = {k: [v[VALUES.index(name)] for name in RATES] for k, v in latest[window].items()}
            same(found, oracle(stages, window))
        if i < len(order):
            window = order[i]
            stages[window] = early[window]
            published = subject.on_time(level_rows(early[window]))
            if early[window]:
                same(rates(published), oracle(stages, window))
            latest[window] = {
                (r["level"], r["site"], r["entity"]): [r[n] for n in VALUES] for r in published.iter_rows(named=True)
            }
        if resume:
            before, resumed = state(subject), estimator()
            resumed.restore(subject.snapshot())
            subject = resumed
            assert state(subject) == before
    reference = estimator()
    for rows in windows.values():
        reference.final(level_rows(rows))
    assert state(reference) == state(subject), "what was learned depends on more than the final windows"


def test_rows_of_the_output_in_any_order_of_input_and_any_cut_into_frames():
    """Shuffled input rows and several windows in one frame give the same published frame."""
    windows = {w: [("s", f"z{r % 2}", f"r{r}", w, r, 6.0 * r, 60.0) for r in range(6)] for w in range(5)}
    single, whole = estimator(), estimator()
    frames = [single.on_time(level_rows(rows)) for rows in windows.values()]
    everything = list(itertools.chain.from_iterable(windows.values()))
    random.Random(1).shuffle(everything)
    together = whole.on_time(level_rows(everything).sample(fraction=1, shuffle=True, seed=2))
    assert together.equals(pl.concat(frames))
    assert together.schema == pl.Schema(THROUGHPUT.schema)
    assert state(single) == state(whole)


def test_levels_add_up_and_a_robot_in_two_zones_is_one():
    """Zones and sites are sums over robots; a robot that changed zones is one row and one robot of the site."""
    rows = level_rows(
        [("s", "z1", "r1", 0, 2, 10, 60), ("s", "z2", "r1", 0, 1, 5, 30), ("s", "z2", "r2", 0, 4, 50, 60)]
    )
    assert rows.schema == pl.Schema(LEVEL_SCHEMA)
    found = {r[:2]: r[2:] for r in rows.select("level", "entity", "robots", "tasks", "busy_us", "available_us").rows()}
    assert found == {
        ("robot", "r1"): (1, 3, 15_000_000, 90_000_000),
        ("robot", "r2"): (1, 4, 50_000_000, 60_000_000),
        ("zone", "z1"): (1, 2, 10_000_000, 60_000_000),
        ("zone", "z2"): (2, 5, 55_000_000, 90_000_000),
        ("site", "s"): (2, 7, 65_000_000, 150_000_000),
    }


def test_windows_learned_twice_are_refused():
    """That final windows come in order is an obligation of the caller; a breach is an error, not a wrong number."""
    subject = estimator()
    subject.final(level_rows([("s", "z", "r", 3, 1, 1, 1)]))
    with pytest.raises(ValueError, match="was learned before"):
        subject.final(level_rows([("s", "z", "r", 3, 1, 1, 1)]))


def test_input_that_goes_on_after_its_end_is_told_as_it_changes():
    """A window that comes on time again, or behind another, is told where it changed, and once more when final."""
    subject = estimator()
    subject.on_time(level_rows([("s", "z", "r", 5, 1, 1, 1)]))
    again = subject.on_time(level_rows([("s", "z", "r", 4, 1, 1, 1), ("s", "z", "r", 5, 2, 1, 1)]))
    four = subject.final(level_rows([("s", "z", "r", 4, 1, 1, 1)]))
    five = subject.final(level_rows([("s", "z", "r", 5, 3, 1, 1)]))
    stages = [set(f.select("tasks", "revision", "final").rows()) for f in (again, four, five)]
    assert stages == [{(1, 0, False), (2, 1, False)}, set(), {(3, 2, True)}]


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(robot_windows, st.lists(st.lists(st.integers(0, 12), max_size=6), max_size=4), st.booleans())
def test_a_window_is_estimated_from_the_newest_windows_before_it(specs, order, resume):
    """On time again and in any order, a window's estimates are the loop's over what came last of those before it."""
    windows = by_window(specs)
    subject, known = estimator(), {}
    for turn, starts in enumerate([*order, list(windows)]):
        for window in [start for start in starts if start in windows]:
            known[window] = [(*row[:4], row[4] + turn, *row[5:]) for row in windows[window]]
            told = rates(subject.on_time(level_rows(known[window])))
            expected = oracle({start: rows for start, rows in known.items() if start <= window}, window)
            same(told, {key: values for key, values in expected.items() if key in told})
            if resume:
                data, subject = subject.snapshot(), estimator()
                subject.restore(data)
    reference = estimator()
    for window in sorted(known):
        reference.on_time(level_rows(known[window]))
    after = level_rows([("s1", "z1", "r1", 20, 1, 60, 60)])
    assert subject.on_time(after).equals(reference.on_time(after))


def test_a_window_that_never_becomes_final_is_not_learned():
    """Learning skips an on-time window that was passed over, and so does the look ahead from then on."""
    subject, reference = estimator(), estimator()
    subject.on_time(level_rows([("s", "z", "r", 4, 9, 1, 1)]))
    subject.on_time(level_rows([("s", "z", "r", 5, 1, 1, 1)]))
    subject.final(level_rows([("s", "z", "r", 5, 1, 1, 1)]))
    reference.final(level_rows([("s", "z", "r", 5, 1, 1, 1)]))
    after = level_rows([("s", "z", "r", 6, 1, 1, 1)])
    assert subject.on_time(after).equals(reference.on_time(after))


@pytest.mark.parametrize("late", [("r", 9), ("other", 1)])
def test_the_look_ahead_learns_what_a_final_window_brought(late):
    """A final that differs in a number, or in who worked, counts for windows on time behind those pending."""
    robot, tasks = late
    first, second, third = (level_rows([("s", "z", "r", window, 1, 1, 1)]) for window in range(3))
    changed = level_rows([("s", "z", robot, 0, tasks, 1, 1)])
    subject, reference = estimator(), estimator()
    subject.on_time(first)
    subject.on_time(second)
    subject.final(changed)
    reference.final(changed)
    reference.on_time(second)
    assert subject.on_time(third).equals(reference.on_time(third))


def test_memory_is_bounded_and_forgetting_is_exact():
    """Entities unseen for the memory of the model are gone, and one that returns starts like a new one."""
    subject, fresh = estimator(), estimator()
    subject.final(level_rows([("s", "z", f"r{i}", 0, 5, 30, 60) for i in range(100)]))
    later = level_rows([("s2", "z", "r1", MODEL.memory + 1, 1, 1, 1)])
    subject.final(later)
    assert from_bytes(subject.learned.snapshot()["book"]).height == 3
    back = level_rows([("s", "z", "r7", MODEL.memory + 2, 1, 10, 20)])
    unevicted = estimator()
    unevicted.final(level_rows([("s", "z", "r7", 0, 5, 30, 60)]))
    expected = fresh.final(back)
    assert subject.final(back).equals(expected)
    assert unevicted.final(back).equals(expected)


@pytest.mark.slow
def test_numbers_of_forgotten_entities_are_given_up():
    """Fifteen thousand robots, each seen in one window, never take more room than twice those remembered and a bit."""
    subject = estimator(RateModel(discount=0.1))
    remembered = 102 * (subject.learned.book.model.memory + 1)
    for window in range(150):
        subject.final(level_rows([("s", "z", f"r{window}-{i}", window, 1, 1, 1) for i in range(100)]))
        assert len(subject.learned.book.entities) <= 2 * remembered + 1024
    assert subject.learned.book.state.height <= remembered


def test_a_state_of_another_version_is_refused():
    """A snapshot that this code cannot read stops the flow with the fix."""
    with pytest.raises(RecoveryError, match="version 0"):
        estimator().restore(b"\x81\xa7version\x00")
