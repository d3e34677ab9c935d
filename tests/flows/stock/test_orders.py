"""Order proposals are decided on the control stream: what is accepted is seen, what is rejected is not asked again."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import cache

import polars as pl
import pytest

from .site import DAY_S, HOUR_S, START, text
from .step_flow import StockFlow
from .test_effects import Row, item, opening, played, sale

pytestmark = pytest.mark.slow

DAYS = 13
SALES = [sale(day, 10 + day % 3) for day in range(DAYS)]


def order(day: int, units: float) -> Row:
    """The purchase order for bolts, as the buying department books it."""
    row = opening(units) | {"event_id": f"po-{day}", "document": f"po-{day}", "reason": "order"}
    return row | {"event_time": text(day * DAY_S + 11 * HOUR_S), "record_time": text(day * DAY_S + 11 * HOUR_S)}


def decision(name: str, proposal: str, said: str, day: float, **values: str) -> Row:
    return {
        "event_id": name,
        "proposal": proposal,
        "decision": said,
        "by": "jo",
        "event_time": text(day * DAY_S),
    } | values


def run(decisions: list[Row], *moves: Row) -> StockFlow:
    flow = played(pos_sale=SALES, item=[item()], inventory_move=[opening(5), *moves], control=decisions)
    sums = flow.table("accounting").filter(source="control").select(pl.col("rows_in", "good", "quarantined").sum())
    assert sums.row(0) == (
        len(decisions),
        len(decisions) - flow.table("quarantine").height,
        flow.table("quarantine").height,
    )
    return flow


@cache
def undecided() -> StockFlow:
    return run([])


@cache
def asked() -> dict[str, object]:
    """The order that is proposed at the end of the ninth day."""
    rows = undecided().table("order_proposal").filter(status="proposed", event_time=START + timedelta(days=9))
    return rows.row(0, named=True)


def reviews(flow: StockFlow) -> dict[int, Row]:
    """Reviews of the bolt by the days that had passed."""
    rows = flow.table("replenishment").to_dicts()
    return {(row["event_time"] - START).days: row for row in rows}


def fates(flow: StockFlow) -> list[tuple[str, str | None, str | None]]:
    rows = flow.table("order_proposal").filter(proposal=asked()["proposal"]).sort("event_time", "status")
    return rows.select("status", "decision", "by").rows()


def test_an_undecided_order_is_replaced_by_the_next_review():
    """Each is told to have expired; what is needed is proposed again every day."""
    assert fates(undecided()) == [("proposed", None, None), ("expired", None, None)]
    assert reviews(undecided())[10]["status"] == "order"


def test_an_accepted_order_counts_until_its_purchase_order_comes():
    """Nothing more is asked for the day after; once the paper is there, it is on order and no longer only accepted."""
    proposal = str(asked()["proposal"])
    yes = decision("yes", proposal, "accepted", 9.4, about="order")
    flow = run([yes, decision("again", proposal, "accepted", 9.5)])
    quantity = asked()["quantity"]
    assert fates(flow)[:2] == [("proposed", None, None), ("accepted", "yes", "jo")]
    after = reviews(flow)[10]
    assert after["accepted"] == quantity
    assert after["recommended"] < quantity
    assert "was accepted and is on no paper yet" in after["reason"]
    placed = run([yes], order(10, float(str(quantity))))
    assert fates(placed) == [("proposed", None, None), ("accepted", "yes", "jo"), ("ordered", None, None)]
    assert (reviews(placed)[11]["accepted"], reviews(placed)[11]["position"]) == (0, reviews(flow)[11]["position"])


def test_an_accepted_order_is_taken_back_by_its_reversal_id():
    """From then on it is in no position; reviews are as if it had been rejected, and the control stream adds up."""
    back = str(asked()["reversal"])
    said = [decision("yes", str(asked()["proposal"]), "accepted", 9.4), decision("undo", back, "accepted", 10.4)]
    flow = run([*said, decision("twice", back, "accepted", 10.5, about="order")])
    assert fates(flow) == [("proposed", None, None), ("accepted", "yes", "jo"), ("reversed", "undo", "jo")]
    found = {day: (row["accepted"] > 0, row["status"]) for day, row in reviews(flow).items() if 9 <= day < DAYS}
    assert found == {9: (False, "order"), 10: (True, "enough"), 11: (False, "held")}
    assert flow.table("quarantine").height == 0


def test_a_rejected_order_is_not_proposed_again_for_a_week():
    """Reviews say so; another decision about it is refused, and so is one about an unknown id."""
    proposal = str(asked()["proposal"])
    said = [decision("no", proposal, "rejected", 9.4), decision("yes", proposal, "accepted", 9.5)]
    flow = run([*said, decision("other", "nobody knows", "accepted", 9.5, about="order")])
    assert fates(flow) == [("proposed", None, None), ("rejected", "no", "jo")]
    later = [day for day in reviews(flow) if 9 < day < DAYS]
    assert {reviews(flow)[day]["status"] for day in later} == {"held"}
    proposed = flow.table("order_proposal").filter(status="proposed")["event_time"].max()
    assert proposed == START + timedelta(days=9)
    reasons = flow.table("quarantine").select("reasons").to_series().to_list()
    assert sorted(reasons) == [["proposal.decided"], ["proposal.unknown"]]
    assert asked()["quantity"] > Decimal(0)
