"""Setpoints: bound to what they say, in force when carried out, renewed in time, held when nobody can decide."""

from __future__ import annotations

import msgspec
import pytest

from domain.alignment.setpoint_config import SetpointConfig
from domain.alignment.setpoint_tables import REFUSALS
from schemas.errors import RecoveryError, SettingsError
from tests.domain.alignment.setpoints.desk import MINUTE, WHY, Desk, answers


def test_a_setpoint_says_what_when_and_why():
    """All that a controller and an auditor need, under an id of exactly that."""
    desk, other = Desk().at(5), Desk().at(5)
    name, changed = desk.want(12, present=10), other.want(13, present=10)
    row = desk.rows[0]
    assert (row["robots"], row["previous"], row["renews"], row["status"], row["cut"]) == (12, None, None, "sent", "")
    times = (row["time_us"], row["decided_us"], row["effective_us"], row["expires_us"])
    assert [t // MINUTE for t in times] == [5, 5, 15, 65]
    assert (row["controller"], row["parameters"], row["inputs"]) == ("smith@1", "gain=1", "digest")
    assert Desk().at(5).want(12, present=10) == name != changed


def test_completed_means_in_force():
    """Sent and accepted setpoints are pending, slot by slot until they take effect."""
    desk = Desk().at(0)
    first = desk.want(10)
    assert (desk.in_force, desk.pending) == (None, (10, 10))
    desk.at(5, (first, "accepted", 1))
    second = desk.want(12)
    assert (desk.in_force, desk.pending) == (None, (10, 12))
    desk.at(10, (second, "accepted", 6), (first, "completed", 9))
    assert (desk.in_force, desk.pending) == (10, (12,))
    desk.at(15, (second, "completed", 14.5))
    assert (desk.in_force, desk.pending) == (12, ())
    assert desk.statuses == ["sent", "accepted", "sent", "accepted", "completed", "completed", "superseded"]
    assert desk.rows[-1]["superseded_by"] == second
    assert desk.kinds == desk.codes == []


def test_what_is_overdue_is_expected_at_the_next_interval():
    """Accepted, its time of effect past, and not said to be carried out."""
    desk = Desk().at(0)
    first = desk.want(10)
    desk.at(40, (first, "accepted", 1))
    assert (desk.in_force, desk.pending) == (None, (10,))


@pytest.mark.parametrize(("decision", "kind"), [("rejected", "rejected"), ("failed", "failed"), ("expired", "lapsed")])
def test_the_one_before_stays_when_one_is_not_carried_out(decision, kind):
    """And somebody is told, once."""
    desk = Desk().at(0)
    first = desk.want(10)
    desk.at(5, (first, "completed", 2))
    second = desk.want(12)
    desk.at(10, (second, decision, 6), (second, decision, 7))
    assert (desk.in_force, desk.pending, desk.kinds, desk.codes) == (10, (), [kind], [])
    told = desk.exceptions[0]
    assert (told["robots"], told["in_force"], told["setpoint"]) == (12, 10, second)
    assert desk.want(10) is None


def test_no_answer_in_time_is_an_exception():
    """Once; an answer after that is refused, and what may be carried out or not is said anew."""
    desk = Desk().at(0)
    first = desk.want(10)
    desk.at(3.99)
    assert desk.kinds == []
    desk.at(5, (first, "completed", 4))
    assert (desk.in_force, desk.pending) == (None, ())
    assert (desk.kinds, desk.codes, desk.statuses) == (
        ["unacknowledged"],
        ["setpoint.late"],
        ["sent", "unacknowledged"],
    )
    assert [row["time_us"] for row in desk.exceptions] == [4 * MINUTE]
    assert desk.want(10) not in {None, first}
    desk.at(100, (first, "completed", 99))
    assert desk.codes == ["setpoint.late"] * 2
    assert set(desk.kinds) == {"unacknowledged"}


def test_what_was_not_answered_in_time_stays_so():
    """Also when a later one comes into force: it is told once what became of it."""
    desk = Desk().at(0)
    first = desk.want(10)
    desk.at(5)
    second = desk.want(10)
    desk.at(10, (second, "completed", 6), (first, "completed", 7))
    assert (desk.in_force, desk.codes) == (10, ["setpoint.late"])
    assert desk.statuses == ["sent", "unacknowledged", "sent", "completed"]


def test_what_nobody_answers_is_said_again_ever_less_often():
    """As long as the same is wanted: a change goes out at once, and an answer begins it all anew."""
    desk, sent = Desk().at(0), []
    for minute in range(0, 130, 5):
        desk.at(minute)
        if desk.want(10 if minute < 100 else 12):
            sent.append(minute)
    assert sent == [0, 5, 15, 35, 60, 75, 95, 100, 105, 115]
    answered = desk.at(130).want(13)
    desk.at(135, (answered, "completed", 131))
    again = [minute for minute in range(140, 160, 5) if desk.at(minute).want(14)]
    assert again == [140, 145, 155]


def test_doubt_is_cleared_by_saying_again_what_was_before():
    """An unanswered setpoint may have been carried out, so going back is a setpoint too, not a renewal."""
    desk = Desk().at(0)
    first = desk.want(10)
    desk.at(5, (first, "completed", 1))
    desk.want(12)
    desk.at(10)
    back = desk.want(10)
    assert back is not None
    assert desk.rows[-1]["renews"] is None


@pytest.mark.parametrize(
    ("said", "then", "code"),
    [
        ("accepted", "rejected", "setpoint.decided"),
        ("completed", "failed", "setpoint.decided"),
        ("rejected", "accepted", "setpoint.decided"),
        ("expired", "completed", "setpoint.expired"),
        ("accepted", "shrugged", "setpoint.no_acknowledgement"),
    ],
)
def test_a_contradiction_changes_nothing(said, then, code):
    """It is refused, with a reason."""
    desk = Desk().at(0)
    name = desk.want(10)
    desk.at(1, (name, said, 0.5))
    before = (desk.in_force, desk.pending, list(desk.rows))
    desk.at(2, (name, then, 1))
    assert (desk.in_force, desk.pending, desk.rows) == before
    assert desk.codes == [code]
    assert code in REFUSALS


def test_answers_to_what_nobody_sent_are_refused():
    """And so are those to what ended too long ago to be known."""
    desk = Desk().at(0)
    name = desk.want(10)
    desk.at(1, ("nonsense", "accepted", 0.5))
    desk.at(60)  # it expires, and is remembered for a day
    desk.at(2_000, (name, "accepted", 60 + 1_439), (name, "accepted", 60 + 1_440))
    assert desk.codes == ["setpoint.unknown", "setpoint.late", "setpoint.unknown"]


def test_a_later_one_in_force_supersedes_an_earlier():
    """Whatever is said about the earlier one then."""
    desk = Desk().at(0)
    first = desk.want(10)
    desk.at(3)
    second = desk.want(12)
    desk.at(6, (second, "completed", 3.5), (first, "completed", 3.8))
    assert (desk.in_force, desk.codes, desk.kinds) == (12, ["setpoint.superseded"], [])


def test_what_stays_is_renewed_in_time():
    """Never sent twice before; accepted renewals are in force, and nothing lapses as long as there are some."""
    desk = Desk().at(0)
    name = desk.want(10)
    desk.at(5, (name, "completed", 1))
    sent = [name]
    for minute in range(5, 300, 5):
        desk.at(minute + 0.0)
        renewal = desk.want(10)
        if renewal:
            sent.append(renewal)
            desk.at(minute + 1, (renewal, "accepted", minute + 0.5))
        assert desk.in_force == 10
    rows = [row for row in desk.rows if row["status"] == "sent"]
    assert [row["decided_us"] // MINUTE for row in rows] == list(range(0, 300, 40))
    assert [row["renews"] for row in rows] == [None, *sent[:-1]]
    assert {row["previous"] for row in rows[1:]} == {10}
    assert desk.kinds == desk.codes == []


def test_a_controller_that_lost_takt_finds_its_setpoint_expired():
    """Renewals nobody answers do not prolong what is in force."""
    desk = Desk().at(0)
    name = desk.want(10)
    desk.at(1, (name, "completed", 0.5))
    for minute in range(5, 65, 5):
        desk.at(minute)
        desk.want(10)
        assert desk.in_force == (10 if minute < 60 else None)
    lapsed = [row for row in desk.exceptions if row["kind"] == "lapsed"]
    assert [(row["setpoint"], row["time_us"] // MINUTE) for row in lapsed] == [(name, 60)]


def test_a_renewal_of_what_is_not_carried_out_yet_waits_for_that():
    """Accepted, it is no more in force than what it prolongs; then both are, until its own time is over."""
    desk = Desk().at(0)
    name = desk.want(10)
    desk.at(40, (name, "accepted", 1))
    renewal = desk.want(10)
    desk.at(45, (renewal, "accepted", 41))
    assert (desk.in_force, desk.pending) == (None, (10,))
    desk.at(50, (name, "completed", 46))
    assert (desk.in_force, desk.pending) == (10, ())
    desk.at(99)
    assert (desk.in_force, desk.kinds) == (10, [])
    desk.at(100)
    assert (desk.in_force, desk.kinds) == (None, ["lapsed"])


def test_a_rejected_renewal_leaves_what_it_would_have_prolonged():
    """Until that one's own time is over."""
    desk = Desk().at(0)
    name = desk.want(10)
    desk.at(40, (name, "completed", 0.5))
    renewal = desk.want(10)
    desk.at(45, (renewal, "rejected", 41))
    assert desk.in_force == 10
    desk.at(60)
    assert (desk.in_force, desk.kinds) == (None, ["rejected", "lapsed"])


def test_an_accepted_renewal_that_fails_leaves_what_it_prolonged():
    """The one before stays in force, here too."""
    desk = Desk().at(0)
    name = desk.want(10)
    desk.at(40, (name, "completed", 0.5))
    renewal = desk.want(10)
    desk.at(50, (renewal, "accepted", 41), (renewal, "failed", 42))
    assert (desk.in_force, desk.exceptions[0]["in_force"]) == (10, 10)


def test_a_spell_is_told_once_and_ended_by_a_decision():
    """In between nothing is said, and a decision that says nothing new ends it all the same."""
    desk = Desk().at(0)
    name = desk.want(10)
    desk.at(5, (name, "completed", 1))
    for minute in (5, 10, 15):
        desk.at(minute).hold("no_data" if minute > 5 else "stale")
    desk.at(20).want(10)
    held, resumed = desk.rows[2:]
    assert (held["status"], resumed["status"]) == ("held", "resumed")
    assert held["setpoint"] == resumed["setpoint"] != name
    assert (held["robots"], held["cause"], held["expires_us"]) == (10, "stale", 35 * MINUTE)
    desk.at(25).hold()
    assert desk.statuses[-1] == "held"


def test_what_is_held_is_renewed_up_to_the_end_of_the_spell_and_then_expires():
    """Half an hour here: what would have ended at minute 60 lasts until the spell's own end."""
    desk = Desk().at(0)
    name = desk.want(10)
    desk.at(35, (name, "completed", 1))
    for minute in range(35, 100, 5):
        desk.at(minute)
        for row in desk.hold():
            if row["status"] == "sent":
                desk.at(minute + 1, (row["setpoint"], "accepted", minute + 0.5))
    sent = [row for row in desk.rows if row["status"] == "sent"]
    assert [(row["robots"], row["decided_us"] // MINUTE, row["expires_us"] // MINUTE) for row in sent] == [
        (10, 0, 60),
        (10, 40, 65),
    ]
    assert sent[1]["reason"].startswith("held as the telemetry")
    assert [(row["kind"], row["time_us"] // MINUTE) for row in desk.exceptions] == [("lapsed", 65)]


def test_a_zone_nobody_heard_of_is_held_without_a_setpoint():
    """There is nothing to hold, and nothing is made up."""
    desk = Desk().at(0)
    rows = desk.hold("no_data")
    assert [(row["status"], row["robots"]) for row in rows] == [("held", None)]
    assert desk.at(5).hold("no_data") == []


def test_decisions_keep_their_time_and_order():
    """Anything else would make the result depend on how the calls came."""
    desk = Desk().at(5)
    desk.want(10, zone="pick")
    again = Desk()
    again.setpoints.restore(desk.setpoints.snapshot())
    again.now = desk.now
    for one in (desk, again, desk.at(5)):
        with pytest.raises(ValueError, match="is decided about after"):
            one.want(10, zone="pack")
    with pytest.raises(ValueError, match="advance first"):
        desk.setpoints.issue("north", "z", 10, 6 * MINUTE, WHY)
    with pytest.raises(ValueError, match="goes back"):
        desk.at(4)
    with pytest.raises(ValueError, match="belongs to the time after"):
        desk.setpoints.advance(answers(("x", "accepted", 6 * MINUTE)), 6 * MINUTE)


def test_a_snapshot_of_another_version_is_refused():
    """Never guessed at."""
    with pytest.raises(RecoveryError, match="version 0"):
        Desk().setpoints.restore(msgspec.msgpack.encode({"version": 0}))


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"interval_us": 0}, "interval"),
        ({"expires_after_us": 20 * MINUTE}, "longer than 20 min"),
        ({"memory_us": MINUTE}, "remembered"),
    ],
)
def test_times_that_cannot_work_are_refused(fields, what):
    """With what is wrong."""
    with pytest.raises(SettingsError, match=what):
        SetpointConfig(**fields)
