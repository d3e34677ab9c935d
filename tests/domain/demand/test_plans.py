"""What is known ahead: versions, when they became known, and when they are over."""

from __future__ import annotations

import msgspec
import polars as pl

from domain.demand.calendar import Calendar
from domain.demand.plans import FORECASTS, PROMOTIONS, Plans

DAY = 86_400_000_000
KEY = ("s", "a")


def plans(promotions=(), forecasts=()):
    made = Plans(Calendar("day"))
    made.promote(pl.DataFrame([(p[0], *KEY, *p[1:]) for p in promotions], schema=PROMOTIONS, orient="row"))
    made.forecast(pl.DataFrame([(*KEY, *f) for f in forecasts], schema=FORECASTS, orient="row"))
    return made


def ahead(made, day, horizon=3):
    return made.ahead(KEY, day * DAY, [(day + n) * DAY for n in range(1, horizon + 2)])


def test_promotions_cover_the_buckets_they_touch():
    """A promotion from noon of day 2 to midnight before day 4 covers days 2 and 3."""
    made = plans([("p", 2 * DAY + DAY // 2, 4 * DAY, 0)])
    assert ahead(made, 0).promoted_ahead == [False, True, True]
    assert [ahead(made, day).promoted for day in range(5)] == [False, False, True, True, False]
    assert made.ahead(("s", "other"), 0, [DAY, 2 * DAY]) is None


def test_a_promotion_holds_from_the_bucket_in_which_it_became_known():
    """One known on day 1 does not show at the end of day 0; a later version of the same name replaces it."""
    made = plans([("p", 0, 9 * DAY, DAY), ("p", 0, 3 * DAY, 2 * DAY), ("q", 5 * DAY, 6 * DAY, 0)])
    assert ahead(made, 0).promoted_ahead == [False, False, False]
    assert ahead(made, 1).promoted_ahead == [True, True, True]
    assert ahead(made, 2).promoted_ahead == [False, False, True]


def test_a_forecast_counts_only_if_known_before_its_bucket():
    """Of versions the last known before the bucket holds; what comes during it is hindsight."""
    made = plans(forecasts=[(2 * DAY + 5, 3000, DAY), (2 * DAY, 4000, DAY + 5), (2 * DAY, 9000, 2 * DAY)])
    assert ahead(made, 0).outside_ahead == [None, None, None]
    assert ahead(made, 1).outside_ahead == [4.0, None, None]
    assert ahead(made, 2).outside == 4.0


def test_what_is_over_is_forgotten_and_the_rest_survives_storage():
    """After forgetting nothing of the past is held; a restored book of plans says the same as the one stored."""
    made = plans([("p", 0, 9 * DAY, 0)], [(2 * DAY, 1000, 0), (5 * DAY, 2000, 0)])
    made.forget(3 * DAY)
    copy = Plans(Calendar("day"))
    copy.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(made.snapshot())))
    assert [ahead(copy, day) for day in range(3, 9)] == [ahead(made, day) for day in range(3, 9)]
    assert ahead(copy, 4).outside_ahead == [2.0, None, None]
    copy.forget(9 * DAY)
    assert ahead(copy, 9) is None
    assert copy.snapshot() == [[], []]
