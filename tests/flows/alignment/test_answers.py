"""Controllers answer setpoints: that is followed; what comes twice, too late or about nothing changes nothing."""

from __future__ import annotations

import json

import polars as pl
import pytest

from flows.settings import Time
from tests.flows.warehouse import table

from .floor import START, answer, clean, decided, sums, worked_off

TIME = Time(lateness_s=30)


def first_setpoints(settings):
    """The first setpoint of each zone, in order of zone, and when it was decided in seconds from the start."""
    sent = table(settings, "setpoint").filter(status="sent").sort("site", "zone", "decided_at")
    first = sent.unique(("site", "zone"), keep="first", maintain_order=True)
    at = first["decided_at"].dt.timestamp("us") / 1e6 - START.timestamp()
    return list(zip(first["setpoint"], at, strict=True))


def fates(settings, setpoint):
    """Statuses of a setpoint in order of time."""
    rows = table(settings, "setpoint").filter(setpoint=setpoint).sort("event_time", maintain_order=True)
    return rows["status"].to_list()


@pytest.fixture(scope="module")
def silent(tmp_path_factory):
    """A run in which a source for answers has none about setpoints."""
    nobody = answer("no-such-setpoint", "accepted", 5.0, "stray")
    adjustment = json.loads(answer("no-such-proposal", "accepted", 6.0, "other")[1]) | {"about": "adjustment"}
    rows = [nobody, (START.timestamp() + 6.0, json.dumps(adjustment).encode())]
    rows.append(answer("nor-this-one", "accepted", 2_000.0, "last"))
    return worked_off(tmp_path_factory.mktemp("silent"), clean() | {"control": rows}, time=TIME)


@pytest.fixture(scope="module")
def answers(silent):
    """Five zones, five ways to answer their first setpoint."""
    (a, at), (b, _), (c, _), (d, _), (e, _) = first_setpoints(silent)
    return {
        a: [answer(a, "accepted", at + 20), answer(a, "completed", at + 100)],
        b: [answer(b, "rejected", at + 30)],
        c: [answer(c, "accepted", at + 20), answer(c, "failed", at + 60)],
        d: [answer(d, "accepted", at + 20), answer(d, "rejected", at + 40), answer(d, "accepted", at + 50, "again")],
        e: [answer(e, "accepted", at + 900)],
    }


@pytest.fixture(scope="module")
def answered(answers, tmp_path_factory):
    """A run with these answers."""
    rows = sorted(row for some in answers.values() for row in some)
    return worked_off(tmp_path_factory.mktemp("answered"), clean() | {"control": rows}, time=TIME)


@pytest.mark.slow
def test_answers_are_followed(answered, answers):
    """In time they bring their status; a contradiction, a repetition and a late answer do not."""
    a, b, c, d, e = answers
    assert fates(answered, a)[:3] == ["sent", "accepted", "completed"]
    assert fates(answered, b)[:2] == ["sent", "rejected"]
    assert fates(answered, c)[:3] == ["sent", "accepted", "failed"]
    assert fates(answered, d)[:2] == ["sent", "accepted"]
    assert "rejected" not in fates(answered, d)
    assert fates(answered, e)[:2] == ["sent", "unacknowledged"]
    kinds = table(answered, "signal").filter(pl.col("subject").is_in([b, c, e])).sort("subject", "kind")
    assert set(kinds["kind"]) == {"setpoint_rejected", "setpoint_failed", "setpoint_unacknowledged"}


@pytest.mark.slow
def test_refused_answers_are_quarantined_and_counted(answered, answers):
    """With their bytes and a reason, and every row is somewhere."""
    refused = table(answered, "quarantine")
    reasons = {codes[0] for codes in refused["reasons"]}
    assert reasons == {"setpoint.decided", "setpoint.late"}
    assert refused["raw"].to_list() == [m for some in answers.values() for _, m in some if m in set(refused["raw"])]
    counted = sums(answered)
    assert counted["rows_in"] == counted["good"] + counted["quarantined"]
    assert counted["quarantined"] == 2


@pytest.mark.slow
def test_each_message_is_answered_for_by_one_step(silent):
    """What is about a setpoint is refused here, what is about an adjustment where stock is kept; neither by both."""
    reasons = table(silent, "quarantine").sort("offset")["reasons"].to_list()
    assert reasons == [["setpoint.unknown"], ["proposal.unknown"], ["setpoint.unknown"]]
    counted = sums(silent)
    assert (counted["rows_in"], counted["quarantined"]) == (counted["good"] + 3, 3)


@pytest.mark.slow
def test_nobody_who_answers_makes_each_setpoint_an_exception(silent):
    """Each that was sent long enough before the end becomes unanswered, which is told once an hour of a zone."""
    rows = table(silent, "setpoint")
    end = rows["event_time"].max()
    due = rows.filter((pl.col("status") == "sent") & (pl.col("decided_at") + pl.duration(minutes=6) < end))
    ended = rows.filter(pl.col("status") != "sent")
    assert due.join(ended, on="setpoint", how="anti").height == 0
    told = table(silent, "signal").filter(kind="setpoint_unacknowledged")
    silent = rows.filter(status="unacknowledged")
    assert told.height == silent.select("site", "zone").unique().height < silent.height
    assert set(told["subject"]) <= set(silent["setpoint"])


@pytest.mark.slow
def test_repeated_answers_change_nothing(answered, answers, tmp_path):
    """Each answer again, byte for byte, a minute later."""
    rows = [row for some in answers.values() for row in some]
    again = worked_off(tmp_path, clean() | {"control": sorted(rows + rows)}, time=TIME)
    assert decided(again) == decided(answered)
    assert sums(again)["duplicates"] == len(rows)
