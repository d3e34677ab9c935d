"""Answers and decisions by their time, and what is said of setpoints whose time is over."""

from __future__ import annotations

import pytest

from domain.alignment.limits import Limits
from tests.domain.alignment.setpoints.desk import Desk


@pytest.mark.parametrize(
    ("said", "when"), [("accepted", "before it was carried out"), ("completed", "while it was in force")]
)
def test_what_lapses_says_whether_it_was_carried_out(said, when):
    desk = Desk().at(0)
    name = desk.want(10)
    desk.at(60, (name, said, 1))
    assert desk.kinds == ["lapsed"]
    assert when in desk.exceptions[0]["reason"]


def test_no_robots_in_force_are_not_nothing_in_force():
    """Where they are: with zone and site."""
    desk = Desk(limits=Limits()).at(0)
    first = desk.want(0)
    desk.at(5, (first, "completed", 1))
    second = desk.want(1)
    desk.at(10, (second, "rejected", 6))
    assert desk.exceptions[0]["reason"].startswith("a setpoint of 1 robot for pick of north is rejected: ")
    assert desk.exceptions[0]["reason"].endswith("; 0 stay in force")


def test_between_intervals_what_is_sent_is_expected_at_the_end_of_one():
    """Seven minutes are two intervals of five."""
    desk = Desk().at(0)
    name = desk.want(10)
    assert desk.at(3, (name, "accepted", 1)).pending == (10, 10)


def test_time_does_not_go_back_and_no_zone_is_decided_about_twice_at_a_time():
    desk = Desk().at(5)
    desk.want(10)
    with pytest.raises(ValueError, match="once at a time"):
        desk.want(12)
    with pytest.raises(ValueError, match="time goes back"):
        desk.at(10, ("nonsense", "accepted", 4))


@pytest.mark.parametrize("accepted", [1, 3])
def test_answers_count_by_their_time(accepted):
    """However they come; of the same time, that it was accepted comes first. To say so again later says nothing."""
    desk = Desk().at(0)
    name = desk.want(10)
    desk.at(5, (name, "completed", 3), (name, "accepted", accepted), (name, "accepted", 4))
    assert (desk.statuses, desk.codes) == (["sent", "accepted", "completed"], [])
    other = desk.want(12)
    desk.at(8, (other, "accepted", 7), (other, "rejected", 6))
    assert (desk.statuses[-1], desk.codes) == ("rejected", ["setpoint.decided"])
