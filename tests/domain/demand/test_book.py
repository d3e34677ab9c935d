"""All series of a flow: the same whatever the cuts, order, memory and restarts; judged in time; calibrated."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from domain.demand.book import DemandBook
from domain.demand.conformal import AdaptiveLevel
from domain.demand.estimates import DRIFTS, ESTIMATES
from domain.demand.model import DemandModel
from domain.demand.plans import FORECASTS, PROMOTIONS
from domain.demand.rows import ROWS
from domain.demand.shelf import Shelf
from schemas.errors import RecoveryError

DAY = 86_400_000_000
MODEL = DemandModel(horizon=3, rest_after=10)


def sales(rng, series, days, start=0):
    """Rows of several series of all classes, with stock-outs, promotions, long gaps and a change of category."""
    rows = []
    for number in range(series):
        chance, size = rng.choice([0.05, 0.3, 1.0]), rng.choice([2, 20])
        for day in range(start, start + days):
            for _ in range(int(rng.random() < chance) * int(rng.integers(1, 3))):
                milli = int(rng.poisson(size)) * 1000
                time = day * DAY + int(rng.integers(0, DAY))
                flags = bool(rng.random() < 0.05), bool(rng.random() < 0.05)
                category = "odd" if number % 2 else ("even" if day < 20 else None)
                rows.append((f"site{number % 2}", f"sku{number:03}", time, milli, *flags, category))
    return pl.DataFrame(rows, schema=ROWS, orient="row")


def plan(series):
    promotions = [("p", f"site{n % 2}", f"sku{n:03}", 22 * DAY, 26 * DAY, 20 * DAY) for n in range(0, series, 3)]
    forecasts = [
        (f"site{n % 2}", f"sku{n:03}", day * DAY, 3000, 0) for n in range(0, series, 4) for day in range(12, 30)
    ]
    return (
        pl.DataFrame(promotions, schema=PROMOTIONS, orient="row"),
        pl.DataFrame(forecasts, schema=FORECASTS, orient="row"),
    )


def run(rows, cuts, *, plans=None, max_live=1000, model=MODEL, restart=False):
    """Estimates and drifts of rows given in calls that end at `cuts` (us)."""
    book, parts, before = DemandBook(model, max_live), [], -(2**62)
    for frame, take in zip(plans or (), (DemandBook.promote, DemandBook.forecast), strict=False):
        take(book, frame)
    for cut in cuts:
        book.add(rows.filter((pl.col("time_us") >= before) & (pl.col("time_us") < cut)))
        parts.append(book.advance(cut))
        before = cut
        if restart:
            stored, book = book.snapshot(), DemandBook(model, max_live)
            book.restore(stored)
    return pl.concat(p.estimates for p in parts), pl.concat(p.drifts for p in parts), book


@pytest.fixture(scope="module")
def example():
    rows = sales(np.random.default_rng(1), 24, 60)
    return rows, plan(24), run(rows, [60 * DAY], plans=plan(24))


def test_estimates_are_one_row_per_series_and_bucket(example):
    """Every series has a row for every bucket from its first sale until it rests, in the columns that are promised."""
    rows, _, (estimates, drifts, _) = example
    assert dict(estimates.schema) == ESTIMATES
    assert dict(drifts.schema) == DRIFTS
    assert estimates.select("bucket_start", "site", "sku").is_duplicated().sum() == 0
    expected = set()
    for (site, sku), part in rows.group_by("site", "sku"):
        days = sorted(set((part["time_us"] // DAY).to_list()))
        expected |= {(site, sku, day * DAY) for d in days for day in range(d, min(d + MODEL.rest_after + 1, 60))}
    assert set(estimates.select("site", "sku", "bucket_start").rows()) == expected
    assert estimates["sold"].sum() == rows["quantity"].sum() / 1000
    assert (estimates["bucket_end"] - estimates["bucket_start"] == DAY).all()
    assert (estimates["horizon_end"] - estimates["bucket_end"] == 3 * DAY).all()
    numbers = estimates.select("demand", "mean", "variance", "next_mean", "next_variance", "level")
    assert numbers.select(pl.all_horizontal(pl.all().is_finite() & (pl.all() >= 0)).all()).item()
    assert (estimates["lower"] <= estimates["upper"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("step", [DAY // 3, DAY, 11 * DAY])
def test_cuts_do_not_show(example, step):
    """Rows given in calls of hours, days or weeks, in any order within a call, give the same estimates."""
    rows, plans, (estimates, drifts, _) = example
    shuffled = rows.sample(fraction=1, shuffle=True, seed=2)
    other, other_drifts, _ = run(shuffled, [*range(step, 60 * DAY, step), 60 * DAY], plans=plans)
    assert other.equals(estimates)
    assert other_drifts.equals(drifts)


@pytest.mark.slow
@pytest.mark.parametrize("max_live", [1, 5])
def test_memory_does_not_show(example, max_live):
    """With next to no series at work and the rest packed after every bucket, estimates are the same bit for bit."""
    rows, plans, (estimates, drifts, _) = example
    other, other_drifts, book = run(rows, [60 * DAY], plans=plans, max_live=max_live)
    assert other.equals(estimates)
    assert other_drifts.equals(drifts)
    assert book.live <= max_live


@pytest.mark.slow
@pytest.mark.parametrize("step", [DAY // 2, 5 * DAY])
def test_restarts_do_not_show(example, step):
    """Stored and restored into a new book after every call, within buckets too: the same bit for bit."""
    rows, plans, (estimates, drifts, book) = example
    cuts = [*range(step, 60 * DAY, step), 60 * DAY]
    other, other_drifts, restored = run(rows, cuts, plans=plans, restart=True)
    assert other.equals(estimates)
    assert other_drifts.equals(drifts)
    assert restored.snapshot() == book.snapshot()


def test_sites_do_not_show_in_each_other(example):
    """A site's estimates are the same with and without the other site, so sites may be dealt out to workers."""
    rows, plans, (estimates, _, _) = example
    own = pl.col("site") == "site1"
    alone, _, _ = run(rows.filter(own), [60 * DAY], plans=[frame.filter(own) for frame in plans])
    assert alone.equals(estimates.filter(own))


def test_snapshots_between_closed_buckets_pack_no_series_again(monkeypatch):
    """While no bucket closes, a snapshot reuses the packed series."""
    rows = sales(np.random.default_rng(3), 5, 5)
    _, _, book = run(rows, [5 * DAY])
    first = book.snapshot()
    monkeypatch.setattr("domain.demand.shelf.Shelf.snapshot", None)
    book.add(rows.with_columns(time_us=pl.lit(6 * DAY)))
    book.advance(5 * DAY + 1)
    assert book.snapshot() != first


@pytest.mark.slow
@pytest.mark.parametrize(("rest_after", "empty"), [(10, 16), (3, 8)])
def test_a_series_that_wakes_goes_on_as_if_it_had_been_awake(rest_after, empty):
    """After empty days, the first of them awake, forecasts equal those of a book in which nothing ever rests.

    Intervals do not: none is given, so none is judged, while a series rests, nor the first days after.
    """
    demand = 1 + np.random.default_rng(4).poisson(3, (6, 60 + empty))
    demand[:, 30 : 30 + empty] = 0
    rows = [("s", f"{n}", day * DAY, int(q) * 1000, False, False, None) for (n, day), q in np.ndenumerate(demand) if q]
    frame, end = pl.DataFrame(rows, schema=ROWS, orient="row"), (60 + empty) * DAY
    resting, _, _ = run(frame, [end], model=DemandModel(horizon=3, rest_after=rest_after))
    awake, _, _ = run(frame, [end], model=DemandModel(horizon=3, rest_after=1000))
    asleep = pl.col("bucket_start").is_between((30 + rest_after) * DAY, (29 + empty) * DAY)
    assert resting.filter(asleep).is_empty()
    intervals = ("model", "variance", "level", "lower", "upper", "missed")
    assert resting.drop(intervals).equals(awake.filter(~asleep).drop(intervals))
    woken = resting.filter(pl.col("bucket_start") >= (30 + empty) * DAY)
    judged = woken.filter(pl.col("missed").is_not_null())["bucket_start"]
    assert judged.min() == (33 + empty) * DAY


@pytest.mark.slow
@pytest.mark.parametrize(("slept", "like"), [(24, 10), (25, 4), (12, 5)])
def test_a_long_sleep_ends_in_the_same_place_of_the_season(slept, like):
    """Whole weeks of sleep beyond what is caught up with do not show: estimates are those of a shorter sleep."""

    def woken(gap):
        days = [*range(30), *range(40 + gap, 60 + gap)]
        rows = [("s", "a", day * DAY, (5 + day * (day < 30) % 7 + 1) * 1000, False, False, None) for day in days]
        estimates, _, _ = run(pl.DataFrame(rows, schema=ROWS, orient="row"), [(60 + gap) * DAY])
        times = ("bucket_start", "bucket_end", "horizon_end")
        return estimates.filter(pl.col("bucket_start") >= (40 + gap) * DAY).drop(times)

    assert woken(slept).equals(woken(like))


def test_room_for_levels_is_used_again():
    """Series that are packed again and again leave no more rows behind than there are at work at once."""
    shelf = Shelf(MODEL, 1)
    for number in range(300):
        shelf.wake(("s", f"{number}"), None)
        shelf.tidy()
    shelf.levels.level(np.array([63]))
    with pytest.raises(IndexError):
        shelf.levels.level(np.array([64]))


def test_a_gap_of_years_costs_no_more_than_a_season():
    """A series that comes back after 20 years: no row in between, finite estimates, at once."""
    rows = pl.DataFrame(
        [("s", "a", at * DAY, 5000, False, False, None) for at in (0, 1, 2, 7300, 7301)], schema=ROWS, orient="row"
    )
    estimates, _, _ = run(rows, [7310 * DAY])
    assert estimates.height == 3 + MODEL.rest_after + 2 + 8
    assert estimates["mean"].is_finite().all()


def test_intervals_are_judged_when_their_window_has_closed():
    """The first verdict on a series comes `horizon` buckets after its first interval, and one with every bucket since;
    each equals demand against the bounds issued then."""
    rows = sales(np.random.default_rng(5), 8, 40)
    estimates, _, _ = run(rows, [40 * DAY], model=DemandModel(horizon=3, rest_after=100))
    for _, part in estimates.sort("bucket_start").group_by("site", "sku"):
        demand, lower, upper = (part[name].to_numpy() for name in ("demand", "lower", "upper"))
        for now, verdict in enumerate(part["missed"].to_list()):
            if now < 3:
                assert verdict is None
            else:
                total = demand[now - 2 : now + 1].sum()
                assert verdict == (not lower[now - 3] <= total <= upper[now - 3])


def test_days_are_those_of_the_zone():
    """Sales at 23:30 and 00:30 in Berlin on a day of 23 hours fall into two buckets, the second 23 hours long."""
    at = [int(datetime(2026, 3, 28, 22, 30, tzinfo=UTC).timestamp() * 1e6) + n * 3_600_000_000 for n in (0, 1)]
    rows = pl.DataFrame([("s", "a", time, 1000, False, False, None) for time in at], schema=ROWS, orient="row")
    estimates, _, _ = run(rows, [at[1] + 2 * DAY], model=DemandModel(zone="Europe/Berlin"))
    assert estimates["sold"].to_list()[:2] == [1.0, 1.0]
    assert (estimates["bucket_end"] - estimates["bucket_start"]).to_list()[1] == 23 * 3_600_000_000


def test_late_rows_count_in_the_first_open_bucket():
    """A row of a closed bucket is booked where the book stands, and no estimate is given twice."""
    book = DemandBook(MODEL)
    row = pl.DataFrame([("s", "a", 0, 1000, False, False, None)], schema=ROWS, orient="row")
    book.add(row)
    book.advance(5 * DAY)
    book.add(row)
    estimates = book.advance(6 * DAY).estimates
    assert estimates.select("bucket_start", "sold").rows() == [(5 * DAY, 1.0)]
    assert book.advance(3 * DAY).estimates.is_empty()


def test_a_new_item_borrows_from_its_category():
    """An item whose first bucket comes when its category sells 50 a day is forecast near 350 for a week at once."""
    rng = np.random.default_rng(6)
    rows = [
        ("s", f"{n}", day * DAY, int(rng.poisson(50)) * 1000, False, False, "c") for n in range(20) for day in range(30)
    ]
    rows += [("s", "new", 29 * DAY, 3000, False, False, "c"), ("s", "lone", 29 * DAY, 3000, False, False, "other")]
    estimates, _, _ = run(pl.DataFrame(rows, schema=ROWS, orient="row"), [30 * DAY], model=DemandModel())
    new = estimates.filter(pl.col("sku") == "new").row(-1, named=True)
    assert new["cold"]
    assert new["mean"] == pytest.approx(350 * 7 / 8 + 21 / 8, rel=0.05)
    assert estimates.filter(pl.col("sku") == "lone")["mean"].item() == pytest.approx(21)


@pytest.mark.slow
def test_drift_is_told_once_with_the_bucket_that_showed_it():
    """Of 30 steady items one trebles its demand: it alone is told, within four weeks."""
    rng = np.random.default_rng(7)
    demand = rng.poisson(8, (140, 30))
    demand[100:, 0] = rng.poisson(24, 40)
    rows = [
        ("s", f"{n:02}", day * DAY, int(q) * 1000, False, False, None) for (day, n), q in np.ndenumerate(demand) if q
    ]
    _, drifts, _ = run(pl.DataFrame(rows, schema=ROWS, orient="row"), [140 * DAY], model=DemandModel())
    assert drifts["sku"].unique().to_list() == ["00"]
    assert 100 * DAY <= drifts["bucket_start"].min() < 128 * DAY
    assert drifts["after"][0] > drifts["before"][0]


@pytest.mark.slow
@pytest.mark.parametrize("horizon", [3, 7])
def test_intervals_cover_lumpy_demand_as_often_as_they_say(horizon):
    """Nominal 95 % over 120 lumpy and intermittent items and 240 days, the first 60 left out: 93 to 98 %."""
    rng = np.random.default_rng(8)
    days, items = 240, 120
    chance, size = rng.uniform(0.1, 0.6, items), rng.uniform(1, 20, items)
    spread = rng.uniform(0.3, 2, items)
    demand = (rng.random((days, items)) < chance) * (
        1 + rng.negative_binomial(spread, spread / (spread + size), (days, items))
    )
    rows = [
        ("s", f"{n:03}", day * DAY, int(q) * 1000, False, False, None) for (day, n), q in np.ndenumerate(demand) if q
    ]
    estimates, _, _ = run(
        pl.DataFrame(rows, schema=ROWS, orient="row"), [days * DAY], model=DemandModel(horizon=horizon)
    )
    late = estimates.filter(pl.col("bucket_start") >= 60 * DAY)
    assert set(late["demand_class"].drop_nulls().unique()) >= {"lumpy", "intermittent"}
    assert 0.93 <= 1 - late["missed"].mean() <= 0.98
    for name in ("lumpy", "intermittent"):
        assert 0.93 <= 1 - late.filter(pl.col("demand_class") == name)["missed"].mean() <= 0.98


def test_state_of_another_version_or_model_is_refused():
    """A snapshot of other parameters is a recovery error that names both."""
    stored = DemandBook(DemandModel(level=AdaptiveLevel(target=0.1))).snapshot()
    with pytest.raises(RecoveryError, match=r"level=0\.1.*level=0\.05"):
        DemandBook(DemandModel()).restore(stored)


def test_huge_quantities_leave_estimates_finite():
    """The largest quantities that 64 bits can hold, in every bucket: finite estimates, bounds in order."""
    rows = [("s", "a", day * DAY, 2**62, False, False, None) for day in range(30)]
    estimates, _, _ = run(pl.DataFrame(rows, schema=ROWS, orient="row"), [31 * DAY])
    assert all(math.isfinite(mean) for mean in estimates["mean"])
    assert (estimates["lower"] <= estimates["upper"]).all()
