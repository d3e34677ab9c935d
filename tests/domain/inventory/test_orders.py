"""Proposed orders and transfers: decided once, awaited until their papers come, and held when they were rejected."""

from __future__ import annotations

import polars as pl
import pytest

from domain.inventory.orders import PROPOSED_ORDER_SCHEMA, REVERSAL_TYPE, Orders, papers_of
from domain.inventory.proposal_tables import DECISION_SCHEMA, PAPER_SCHEMA
from domain.inventory.tables import POSTING_SCHEMA
from schemas.errors import RecoveryError
from schemas.ids import event_id

HOUR = 3_600_000_000
DAY = 24 * HOUR
HOLD = 3 * DAY


def proposed(*rows, at):
    """(id, kind, from_site, quantity): what a review at a time proposes for the bolt at north, until the next day."""
    place = {"site": "north", "sku": "bolt", "time_us": at, "uom": "each", "expires_us": at + DAY}
    made = [
        {"proposal": name, "kind": kind, "from_site": giver, "quantity": quantity, "reason": "r", "demand_model": "m"}
        for name, kind, giver, quantity in rows
    ]
    return pl.DataFrame([row | place for row in made], schema=PROPOSED_ORDER_SCHEMA)


def decisions(*rows):
    """(proposal, decision, time)."""
    data = [(f"d{at}-{what}", name, what, "jo", "seen", at) for name, what, at in rows]
    return pl.DataFrame(data, schema=DECISION_SCHEMA, orient="row")


def papers(*rows):
    """(kind, from_site, quantity, time) of the bolt at north."""
    data = [(kind, "north", "bolt", giver, quantity, at) for kind, giver, quantity, at in rows]
    return pl.DataFrame(data, schema=PAPER_SCHEMA, orient="row")


def ordering(name="a", quantity=100, at=DAY):
    """One proposed order of the review at a time."""
    orders = Orders(HOLD)
    orders.propose(proposed((name, "order", None, quantity), at=at), at)
    return orders


def fates(told):
    return told.select("proposal", "status", "time_us", "decision").rows()


def awaited(orders):
    return {site: left for site, _, left in orders.awaited().rows()}


def test_an_accepted_order_is_awaited_until_its_papers_come():
    """As much as is on no paper yet; then it is ordered. The same acceptance again does nothing."""
    orders = ordering()
    told, refused = orders.advance(
        decisions(("a", "accepted", DAY + HOUR), ("a", "accepted", DAY + 3 * HOUR)),
        papers(("order", None, 60, DAY + 2 * HOUR)),
        DAY + 4 * HOUR,
    )
    assert fates(told) == [("a", "accepted", DAY + HOUR, f"d{DAY + HOUR}-accepted")]
    assert told.select("by", "comment").rows() == [("jo", "seen")]
    assert refused.height == 0
    assert awaited(orders) == {"north": 40}
    told, _ = orders.advance(decisions(), papers(("order", None, 50, 2 * DAY)), 2 * DAY)
    assert fates(told) == [("a", "ordered", 2 * DAY, None)]
    assert awaited(orders) == {}


def test_a_paper_before_the_acceptance_is_read_counts():
    """Whoever orders first and approves then does not make it twice; what was ordered before the review does not."""
    orders = ordering()
    orders.advance(decisions(), papers(("order", None, 30, DAY + HOUR)), DAY + HOUR)
    orders.advance(decisions(("a", "accepted", DAY + 2 * HOUR)), papers(), DAY + 2 * HOUR)
    assert awaited(orders) == {"north": 70}
    orders = ordering()
    both = decisions(("a", "accepted", DAY + HOUR))
    told, _ = orders.advance(both, papers(("order", None, 100, DAY + HOUR)), DAY + HOUR)
    assert [status for _, status, *_ in fates(told)] == ["accepted", "ordered"]
    assert awaited(orders) == {}


@pytest.mark.parametrize("accepted", [2 * DAY + 1, 2 * DAY + 3])
def test_a_paper_fills_the_oldest_accepted_order_first(accepted):
    """And then the next, which is accepted before it or after it."""
    orders = ordering("a", 100, DAY)
    orders.advance(decisions(("a", "accepted", DAY + HOUR)), papers(), 2 * DAY)
    orders.propose(proposed(("b", "order", None, 50), at=2 * DAY), 2 * DAY)
    told, _ = orders.advance(decisions(("b", "accepted", accepted)), papers(("order", None, 120, 2 * DAY + 2)), 3 * DAY)
    assert ("a", "ordered", 2 * DAY + 2, None) in fates(told)
    assert awaited(orders) == {"north": 30}


def test_papers_come_before_decisions_of_the_same_time():
    """What is taken back while its papers come was ordered: whoever placed it is told of both."""
    orders = Orders(HOLD)
    back = reversal(orders.propose(proposed(("a", "order", None, 100), at=DAY), DAY))
    orders.advance(decisions(("a", "accepted", DAY + 1)), papers(), DAY + 1)
    told, _ = orders.advance(decisions((back, "accepted", DAY + 2)), papers(("order", None, 100, DAY + 2)), DAY + 2)
    assert [status for _, status, *_ in fates(told)] == ["ordered", "reversed"]


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_decisions_at_one_time_that_with_the_lesser_id_is_first(turned):
    """However they lie in a batch."""
    both = decisions(("a", "rejected", DAY + 1), ("a", "accepted", DAY + 1))
    told, refused = ordering().advance(both.reverse() if turned else both, papers(), DAY + 1)
    assert [status for _, status, *_ in fates(told)] == ["accepted"]
    assert refused["decision"].to_list() == ["rejected"]


def test_an_accepted_order_without_papers_lapses():
    """A forgotten order must not keep the shelf empty."""
    orders = ordering()
    orders.advance(decisions(("a", "accepted", DAY + HOUR)), papers(), DAY + HOUR)
    assert fates(orders.wait(DAY + HOUR + HOLD - 1)) == []
    assert fates(orders.wait(DAY + HOUR + HOLD)) == [("a", "lapsed", DAY + HOUR + HOLD, None)]
    assert awaited(orders) == {}


@pytest.mark.parametrize("hold", [HOUR, 100 * DAY])
def test_an_accepted_order_is_awaited_as_long_as_is_set(hold):
    """Less than it would have been open, or longer than settled ones are remembered; over a restart too."""
    orders = Orders(hold)
    told = orders.propose(proposed(("a", "order", None, 100), at=DAY), DAY)
    assert orders.propose(proposed(("a", "order", None, 100), at=DAY), DAY).height == 0
    orders.advance(decisions(("a", "accepted", DAY + HOUR)), papers(), DAY + HOUR)
    lapses = DAY + HOUR + hold
    assert fates(orders.wait(lapses - 1)) == []
    resumed = Orders(hold)
    resumed.restore(orders.snapshot())
    for one in (orders, resumed):
        assert fates(one.wait(lapses)) == [("a", "lapsed", lapses, None)]
        assert one.known(told["reversal"]).all()


def test_a_rejected_order_is_held():
    """Nothing of its kind is proposed for the SKU and site, until the time has passed."""
    orders = ordering()
    told, _ = orders.advance(decisions(("a", "rejected", DAY + HOUR)), papers(), DAY + HOUR)
    assert fates(told) == [("a", "rejected", DAY + HOUR, f"d{DAY + HOUR}-rejected")]
    for until in (DAY + HOUR, DAY + HOUR + HOLD - 1):
        orders.wait(until)
        assert orders.held().rows() == [("order", "north", "bolt", None, DAY + HOUR + HOLD)]
    orders.wait(DAY + HOUR + HOLD)
    assert orders.held().height == 0


def reversal(told):
    """Id of the reversal of the one proposal told."""
    return told["reversal"].unique().item()


@pytest.mark.parametrize("came", [0, 30, 100])
def test_an_accepted_order_is_taken_back_by_its_reversal(came):
    """Once, also when its papers have come: what has none counts no more, and none like it is proposed for a while."""
    orders = Orders(HOLD)
    back = reversal(orders.propose(proposed(("a", "order", None, 100), at=DAY), DAY))
    assert orders.known(pl.Series(["a", back, "b"])).to_list() == [True, True, False]
    orders.advance(decisions(("a", "accepted", DAY + 1)), papers(("order", None, came, DAY + 2)), DAY + 2)
    asked = decisions((back, "accepted", DAY + 3), (back, "accepted", DAY + 4), ("a", "accepted", DAY + 5))
    told, refused = orders.advance(asked, papers(), DAY + 6)
    assert fates(told) == [("a", "reversed", DAY + 3, f"d{DAY + 3}-accepted")]
    assert told.select("reversal", "by", "comment", "quantity").rows() == [(back, "jo", "seen", 100)]
    assert refused.height == 0
    assert awaited(orders) == {}
    assert orders.held()["held_until_us"].to_list() == [DAY + 3 + HOLD]
    assert fates(orders.wait(DAY + 3 + HOLD)) == []
    assert orders.held().height == 0


def test_a_lapsed_transfer_is_taken_back_too():
    """Whoever was told to send it is told not to."""
    orders = Orders(HOLD)
    back = reversal(orders.propose(proposed(("t", "transfer", "south", 40), at=DAY), DAY))
    orders.advance(decisions(("t", "accepted", DAY + 1)), papers(), DAY + 1)
    orders.wait(DAY + 1 + HOLD)
    told, _ = orders.advance(decisions((back, "accepted", 6 * DAY)), papers(), 6 * DAY)
    assert fates(told) == [("t", "reversed", 6 * DAY, f"d{6 * DAY}-accepted")]


@pytest.mark.parametrize(
    ("first", "then", "code"),
    [
        (None, "accepted", "proposal.not_accepted"),
        ("rejected", "accepted", "proposal.not_accepted"),
        ("accepted", "rejected", "proposal.no_decision"),
    ],
)
def test_only_what_was_accepted_is_taken_back(first, then, code):
    """And a reversal is accepted, or let be."""
    orders = Orders(HOLD)
    back = reversal(orders.propose(proposed(("a", "order", None, 100), at=DAY), DAY))
    said = [*([("a", first, DAY + 1)] if first else []), (back, then, DAY + 2)]
    _, refused = orders.advance(decisions(*said), papers(), DAY + 3)
    assert refused["code"].to_list() == [code]


def test_what_time_brings_is_told_in_order():
    """However far time leaps: a lapse before an expiry that came after it, so that both are forgotten in that order."""
    orders = ordering()
    orders.advance(decisions(("a", "accepted", DAY + HOUR)), papers(), DAY + HOUR)
    orders.propose(proposed(("b", "order", None, 5), at=4 * DAY), 4 * DAY)
    assert fates(orders.wait(9 * DAY)) == [
        ("a", "lapsed", 4 * DAY + HOUR, None),
        ("b", "expired", 5 * DAY, None),
    ]


def test_an_open_order_expires_with_time_or_by_the_next():
    """The next of its kind takes its place, and is named."""
    assert fates(ordering().wait(2 * DAY)) == [("a", "expired", 2 * DAY, None)]
    assert fates(ordering().advance(decisions(), papers(), 2 * DAY)[0]) == [("a", "expired", 2 * DAY, None)]
    orders = ordering()
    orders.propose(proposed(("t", "transfer", "south", 5), at=DAY + HOUR), DAY + HOUR)
    assert fates(orders.wait(2 * DAY)) == [("a", "expired", 2 * DAY, None)]
    orders = ordering()
    told = orders.propose(proposed(("b", "order", None, 5), ("t", "transfer", "south", 5), at=DAY + HOUR), DAY + HOUR)
    assert fates(told) == [
        ("a", "expired", DAY + HOUR, "b"),
        ("b", "proposed", DAY + HOUR, None),
        ("t", "proposed", DAY + HOUR, None),
    ]


@pytest.mark.parametrize(
    ("first", "then", "code"),
    [
        ("accepted", "rejected", "proposal.decided"),
        ("rejected", "accepted", "proposal.decided"),
        ("expired", "accepted", "proposal.expired"),
        ("completed", None, "proposal.no_decision"),
    ],
)
def test_another_decision_is_refused(first, then, code):
    """With the codes of adjustments."""
    said = [("a", first, DAY + 1), *([("a", then, DAY + 2)] if then else [])]
    _, refused = ordering().advance(decisions(*said), papers(), DAY + 3)
    assert refused["code"].to_list() == [code]


def test_decisions_about_replaced_and_expired_orders_are_refused():
    """Also those that come when time alone has settled them."""
    orders = ordering()
    orders.propose(proposed(("b", "order", None, 5), at=DAY + HOUR), DAY + HOUR)
    late = decisions(("a", "accepted", DAY + 2 * HOUR), ("b", "accepted", 3 * DAY))
    _, refused = orders.advance(late, papers(), 3 * DAY)
    assert refused["code"].to_list() == ["proposal.changed", "proposal.expired"]


def test_an_accepted_transfer_leaves_one_site_and_comes_to_the_other():
    """Only papers of the same two sites are its own."""
    orders = Orders(HOLD)
    orders.propose(proposed(("t", "transfer", "south", 40), at=DAY), DAY)
    orders.advance(
        decisions(("t", "accepted", DAY + 1)),
        papers(("transfer", "east", 40, DAY + 2), ("order", None, 40, DAY + 2)),
        DAY + 2,
    )
    assert awaited(orders) == {"north": 40, "south": -40}
    told, _ = orders.advance(decisions(), papers(("transfer", "south", 40, DAY + 3)), DAY + 3)
    assert fates(told) == [("t", "ordered", DAY + 3, None)]


def test_papers_are_orders_from_outside_and_transfers_between_sites():
    """Neither what takes an order back, nor what moves within a site."""

    def posting(name, reason, site, leg=0, **values):
        zero = dict.fromkeys(("on_hand", "allocated", "in_transit", "on_order", "backorder"), 0)
        text = dict.fromkeys(("document", "line", "corrects", "uom"), "x")
        times = dict.fromkeys(("valid_us", "record_us", "window_start"), 0) | {"time_us": DAY}
        place = {"event_id": name, "leg": leg, "site": site, "sku": "bolt", "location": "l", "reason": reason}
        return zero | text | times | place | values

    rows = [
        posting("o", "order", "north", on_order=5),
        posting("cancelled", "order", "north", on_order=-5),
        posting("r", "receipt", "north", on_hand=5, on_order=-5),
        posting("t", "transfer_out", "south", on_hand=-3),
        posting("t", "transfer_out", "north", leg=1, in_transit=3),
        posting("back", "transfer_out", "south", on_hand=3),
        posting("back", "transfer_out", "north", leg=1, in_transit=-3),
        posting("within", "transfer_out", "south", on_hand=-2),
        posting("within", "transfer_out", "south", leg=1, in_transit=2),
    ]
    found = papers_of(pl.DataFrame(rows, schema=POSTING_SCHEMA))
    assert found.rows() == [("order", "north", "bolt", None, 5, DAY), ("transfer", "north", "bolt", "south", 3, DAY)]


def test_a_restart_at_any_time_changes_nothing():
    """What is open, awaited, held and settled is stored; a state of another version is refused."""

    def played(restart):
        orders, told = Orders(HOLD), []
        for day in range(1, 12):
            if restart:
                data, orders = orders.snapshot(), Orders(HOLD)
                orders.restore(data)
            at = day * DAY
            told.append(orders.wait(at))
            rows = [(f"o{day}", "order", None, 10 * day), (f"t{day}", "transfer", "south", 5)]
            told.append(orders.propose(proposed(*rows, at=at), at))
            said = [
                (f"o{day}", ("accepted", "rejected", "expired")[day % 3], at + HOUR),
                (f"t{day - 1}", "accepted", at + 2),
                *([(f"t{day}", "accepted", at + 3)] if day % 2 else []),
                *([(event_id(REVERSAL_TYPE, [f"t{day - 2}"]), "accepted", at + 4)] if day % 4 == 3 else []),
            ]
            known = [row for row in said if orders.known(pl.Series([row[0]]))[0]]
            fate, refused = orders.advance(decisions(*known), papers(("order", None, 25, at + 2 * HOUR)), at + 3 * HOUR)
            told += [fate, refused.select(proposal="proposal", status="code")]
            told.append(orders.awaited().sort("site"))
            told.append(orders.held())
        return told

    through = played(restart=False)
    for one, other in zip(through, played(restart=True), strict=True):
        assert one.equals(other)
    statuses = {status for told in through if "status" in told.columns for status in told["status"]}
    assert statuses >= {"accepted", "rejected", "expired", "ordered", "lapsed", "reversed", "proposal.expired"}
    with pytest.raises(RecoveryError, match="order proposals"):
        Orders(HOLD).restore(Orders(HOLD).snapshot().replace(b"version\x02", b"version\x63"))


def test_what_was_settled_long_ago_is_forgotten():
    """The state does not grow with every review."""
    orders = Orders(HOLD)
    for day in range(1, 300):
        orders.wait(day * DAY)
        orders.propose(proposed((f"o{day}", "order", None, 10), at=day * DAY), day * DAY)
    assert orders.known(pl.Series(["o100", "o250", "o299"])).to_list() == [False, True, True]
