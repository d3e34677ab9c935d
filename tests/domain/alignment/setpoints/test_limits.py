"""Hard limits: nothing exceeds them, whatever a controller says."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.alignment.limits import UNLIMITED, Limits, ZoneLimit
from schemas.errors import SettingsError
from tests.domain.alignment.setpoints.desk import CONFIG, Desk

SITE = 25
LIMITS = Limits([ZoneLimit(low=2, high=20, step=4), ZoneLimit(zone="pack", low=0, high=10, step=1)], {"north": SITE})
ZONES = ("pack", "pick", "sort")

_HOSTILE = st.one_of(
    st.floats(),
    st.integers(-(10**400), 10**400),
    st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 1e308, 5e-324, 2.5, 10**30]),
)


@pytest.mark.parametrize(
    ("wanted", "last", "robots", "cut"),
    [
        (10, 8, 10, ""),
        (9.5, 8, 10, ""),
        (12, 8, 12, ""),
        (13, 8, 12, "step"),
        (30, 8, 12, "step"),
        (-30, 8, 4, "step"),
        (-30, 5, 2, "low"),
        (math.inf, 19, 20, "high"),
        (math.nan, 8, 8, "not_a_number"),
        (math.nan, None, 2, "not_a_number"),
        (30, None, 20, "high"),
        (30, 40, 20, "high"),
    ],
)
def test_what_cuts_a_setpoint(wanted, last, robots, cut):
    """It says which limit did."""
    bounded = Limits([ZoneLimit(low=2, high=20, step=4)]).bound("north", "pick", wanted, last, 0)
    assert (bounded.robots, bounded.cut) == (robots, cut)


def test_the_most_specific_limit_holds():
    """Zone before site before any."""
    spelled = (("*", "*"), ("north", "*"), ("*", "pick"), ("north", "pick"))
    limits = Limits([ZoneLimit(0, high, 1, *key) for high, key in enumerate(spelled, 1)])
    found = [limits.of(*key).high for key in (("x", "y"), ("north", "y"), ("x", "pick"), ("north", "pick"))]
    assert found == [1, 2, 3, 4]
    assert (
        Limits([ZoneLimit(0, high, 1, *key) for high, key in enumerate(spelled[:3], 1)]).of("north", "pick").high == 3
    )


def test_a_site_that_is_full_takes_no_robot():
    """Not a negative number of them, where others have more than it may have since a restart."""
    limits = Limits([ZoneLimit(low=2, high=20, step=4)], {"north": 5})
    bounded = [limits.bound("north", "pick", 6, 4, others) for others in (1, 9)]
    assert [(one.robots, one.cut) for one in bounded] == [(4, "site"), (0, "site")]


def test_all_that_is_wrong_is_told_at_once():
    """With where it is."""
    wrong = [ZoneLimit(5, 4, 0, zone="pick"), ZoneLimit(0, 1, 1, zone="pick")]
    with pytest.raises(SettingsError) as raised:
        Limits(wrong, {"north": -1})
    message = str(raised.value)
    for part in ("between 0 and the most", "at least 1 robot", "2 limits", "site north"):
        assert part in message


def test_a_limit_of_one_zone_takes_nothing_away_from_what_holds_for_more():
    """Each number is the most specific that is given; what nobody limits is not limited."""
    limits = Limits([ZoneLimit(step=2), ZoneLimit(low=1, site="north"), ZoneLimit(high=4, site="north", zone="dock")])
    assert limits.of("north", "dock") == (1, 4, 2)
    assert limits.of("south", "dock") == (0, UNLIMITED.high, 2)
    assert Limits().of("north", "dock") == UNLIMITED


def test_numbers_of_different_limits_that_no_zone_could_meet_are_refused():
    """With the zone they meet in, though neither limit names it by itself."""
    with pytest.raises(SettingsError, match="zone dock of site north would have 5 robots at least and 4 at most"):
        Limits([ZoneLimit(low=5, site="north"), ZoneLimit(high=4, zone="dock")])


def test_a_limit_of_any_site_holds_for_sites_without_one():
    """As of zones."""
    limits = Limits([], {"*": 5, "north": 7})
    assert [limits.bound(site, "pick", 9, None, 0).robots for site in ("north", "south")] == [7, 5]


def test_a_first_setpoint_steps_from_the_robots_that_are_there():
    """A model cannot send a whole fleet into a zone at once because nothing was asked for before."""
    desk = Desk(limits=LIMITS).at(0)
    desk.want(20, present=3)
    assert (desk.rows[0]["robots"], desk.rows[0]["cut"]) == (7, "step")


def test_an_unanswered_setpoint_counts_against_the_site():
    """Nobody knows whether it is carried out; once its time is over it no longer counts."""
    desk = Desk(limits=LIMITS).at(0)
    desk.want(20, present=18)
    for minute, robots in ((5, 5), (55, 5), (61, 8)):
        desk.at(minute).want(8, present=8, zone="sort")
        assert desk.rows[-1]["robots"] == robots


def test_of_a_zone_that_was_asked_for_more_than_once_the_most_counts_against_the_site():
    """It has either, not both."""
    desk = Desk(limits=Limits([], {"north": 10})).at(0)
    desk.want(4)
    desk.at(5).want(6)
    desk.want(9, zone="sort")
    assert (desk.rows[-1]["robots"], desk.rows[-1]["cut"]) == (4, "site")


def test_what_is_held_is_not_renewed_beyond_limits_that_are_new():
    """A restart may bring stricter ones: then it expires."""
    desk = Desk().at(0)
    desk.want(10)
    strict = Desk(limits=Limits([ZoneLimit(low=0, high=9, step=4)]))
    strict.setpoints.restore(desk.setpoints.snapshot())
    name = desk.rows[0]["setpoint"]
    for one, statuses in ((strict, ["held"]), (desk, ["held", "sent"])):
        one.at(45, (name, "completed", 1))
        assert [row["status"] for row in one.hold()] == statuses


def _at_work(zones, most):
    """A site of zones with ten robots each, after a restart with so many for all of it."""
    before = Desk(limits=Limits()).at(0)
    for zone in zones:
        before.want(10, zone=zone)
    before.at(5, *((row["setpoint"], "completed", 3) for row in before.rows))
    desk = Desk(limits=Limits([], {"north": most}))
    desk.setpoints.restore(before.setpoints.snapshot())
    return desk.at(10)


@pytest.mark.parametrize(("most", "asked"), [(49, [9]), (40, [8, 8, 8, 8, 8]), (12, [2, 3, 2, 3, 2]), (0, [0] * 5)])
def test_a_lower_limit_of_a_site_is_shared_out(most, asked):
    """Each zone gives up its part, none all that is too much, and nobody comes back for it."""
    zones = "abcde"
    desk = _at_work(zones, most)
    for zone in zones:
        desk.want(10, zone=zone)
    assert [(row["robots"], row["cut"]) for row in desk.rows] == [(robots, "site") for robots in asked]
    desk.at(15, *((row["setpoint"], "completed", 12) for row in desk.rows))
    desk.rows.clear()
    for zone in zones:
        desk.want(10, zone=zone)
    assert desk.rows == []


def test_what_zones_that_nothing_is_known_of_have_is_no_other_zones_share():
    """One that was never asked for robots gets none of a full site; those that can be decided about make room."""
    desk = _at_work("abc", 12)
    for minute in range(10, 35, 5):
        desk.at(minute, *((row["setpoint"], "completed", minute - 2) for row in desk.rows if row["status"] == "sent"))
        desk.rows.clear()
        for zone in "ab":
            desk.want(10, zone=zone)
        desk.hold(zone="c")
        desk.want(10, present=0, zone="d")
    assert [desk.setpoints.in_force("north", zone, desk.now) for zone in "abcd"] == [1, 1, 10, 0]


_ROUND = st.tuples(
    st.fixed_dictionaries(dict.fromkeys(ZONES, _HOSTILE)),
    st.lists(st.tuples(st.integers(0, 200), st.sampled_from(["accepted", "completed", "rejected", "failed"]))),
    st.lists(st.sampled_from(ZONES), max_size=1),
)


@settings(deadline=None, max_examples=50)
@given(st.lists(_ROUND, max_size=15))
def test_no_controller_exceeds_a_limit(rounds):
    """Bounds of each zone, steps from what counts, and the site's sum, whatever is wanted, answered or held."""
    desk = Desk(CONFIG, LIMITS).at(0)
    for minute, (wanted, said, held) in enumerate(rounds, 1):
        names = [row["setpoint"] for row in desk.rows if row["status"] == "sent"] or ["none"]
        desk.at(5 * minute, *((names[i % len(names)], decision, 5 * minute - 0.5) for i, decision in said))
        for zone in ZONES:
            desk.hold("stale", zone) if zone in held else desk.want(wanted[zone], 3, zone)
        assert _most(desk) <= SITE
    for row in desk.rows:
        if row["status"] != "sent":
            continue
        limit = LIMITS.of("north", row["zone"])
        assert 0 <= row["robots"] <= limit.high
        assert row["robots"] >= limit.low or row["cut"] == "site"
        before = 3 if row["previous"] is None else row["previous"]
        assert abs(row["robots"] - before) <= limit.step or row["cut"] in {"low", "site"}


def _most(desk):
    """Robots that zones may have by what they were asked for and was not refused, replaced or expired."""
    ended = {row["setpoint"] for row in desk.rows if row["status"] in {"rejected", "failed", "superseded", "expired"}}
    sent = [row for row in desk.rows if row["status"] == "sent" and row["expires_us"] > desk.now]
    may = [row for row in sent if row["setpoint"] not in ended]
    return sum(max([row["robots"] for row in may if row["zone"] == zone], default=0) for zone in ZONES)
