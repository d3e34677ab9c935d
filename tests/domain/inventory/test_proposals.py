"""Proposals: decided once, bound to what they say, undone by the opposite; whatever the order and cuts of the input."""

from __future__ import annotations

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.inventory.counts import PROPOSED_SCHEMA
from domain.inventory.proposal_tables import DECISION_SCHEMA, REFUSALS
from domain.inventory.proposals import Decided, Proposals
from schemas.errors import RecoveryError

HOUR = 3_600_000_000
WEEK = 7 * 24 * HOUR
END = 40 * WEEK


def _proposed(*rows):
    """(sku, quantity, time): the count is named after its time."""
    data = [("north", sku, "pick", f"count-{t}", "count", quantity, "because", "{}", t) for sku, quantity, t in rows]
    return pl.DataFrame(data, schema=PROPOSED_SCHEMA, orient="row")


def _decisions(*rows):
    """(proposal, decision, time)."""
    data = [(f"d{i}-{t}", proposal, decision, "jo", "seen", t) for i, (proposal, decision, t) in enumerate(rows)]
    return pl.DataFrame(data, schema=DECISION_SCHEMA, orient="row")


def _one(quantity=-5_000):
    proposals = Proposals()
    said = proposals.advance(_proposed(("x", quantity, HOUR)), _decisions(), HOUR)
    return proposals, said.adjustments.row(0, named=True)


def _statuses(said):
    return said.adjustments["status"].to_list()


def test_acceptance_makes_one_move():
    """The same acceptance again, by whomever, does nothing and is no error."""
    proposals, proposal = _one()
    accepted = (proposal["proposal"], "accepted", 2 * HOUR)
    said = proposals.advance(_proposed(), _decisions(accepted, accepted), 3 * HOUR)
    again = proposals.advance(_proposed(), _decisions(accepted), 4 * HOUR)
    assert _statuses(said) == ["accepted"]
    move = said.moves.row(0, named=True)
    assert (move["quantity"], move["reason"], move["document"]) == (-5_000, "adjust", proposal["proposal"])
    assert (move["sku"], move["time_us"], said.moves.height) == ("x", 2 * HOUR, 1)
    assert again.adjustments.height == again.moves.height == again.refused.height == said.refused.height == 0


def test_a_reversal_makes_the_opposite_move_once():
    """It corrects the move it undoes, and is possible only after acceptance."""
    proposals, proposal = _one()
    reverse = (proposal["reversal"], "accepted", 2 * HOUR)
    early = proposals.advance(_proposed(), _decisions(reverse), 2 * HOUR)
    accept = (proposal["proposal"], "accepted", 3 * HOUR)
    reverse = (proposal["reversal"], "accepted", 4 * HOUR)
    said = proposals.advance(_proposed(), _decisions(accept, reverse, reverse), 5 * HOUR)
    assert early.refused["code"].to_list() == ["proposal.not_accepted"]
    assert said.moves["quantity"].to_list() == [-5_000, 5_000]
    assert said.moves["corrects"][1] == said.moves["event_id"][0]
    assert said.moves["document"].to_list() == [proposal["proposal"], proposal["reversal"]]
    assert _statuses(said) == ["accepted", "reversed"]


@pytest.mark.parametrize(
    ("first", "then", "code"),
    [
        ("rejected", "accepted", "proposal.decided"),
        ("accepted", "rejected", "proposal.decided"),
        ("expired", "accepted", "proposal.expired"),
        ("shelved", "shelved", "proposal.no_decision"),
    ],
)
def test_a_second_thought_is_refused(first, then, code):
    """What was decided stays, and the refusal says why."""
    proposals, proposal = _one()
    name = proposal["proposal"]
    said = proposals.advance(_proposed(), _decisions((name, first, 2 * HOUR), (name, then, 3 * HOUR)), 4 * HOUR)
    assert set(said.refused["code"]) == {code}
    assert code in REFUSALS
    assert said.adjustments.height == (first != "shelved")


def test_it_expires_by_event_time_and_only_then():
    """Accepted in the last moment it counts; at the moment of expiry it no longer does."""
    for at, status, refused in ((WEEK + HOUR - 1, "accepted", []), (WEEK + HOUR, "expired", ["proposal.expired"])):
        proposals, proposal = _one()
        said = proposals.advance(_proposed(), _decisions((proposal["proposal"], "accepted", at)), END)
        assert (_statuses(said), said.refused["code"].to_list()) == ([status], refused)
        assert said.adjustments["time_us"].to_list() == [at]


def test_a_later_proposal_takes_the_place_of_an_open_one():
    """So the same loss, counted twice, is not made good twice."""
    proposals, old = _one()
    said = proposals.advance(
        _proposed(("x", -6_000, 2 * HOUR)), _decisions((old["proposal"], "accepted", 3 * HOUR)), 4 * HOUR
    )
    assert _statuses(said) == ["expired", "proposed"]
    assert said.adjustments["decision"][0] == said.adjustments["proposal"][1]
    assert said.refused["code"].to_list() == ["proposal.changed"]
    assert said.moves.height == 0


def test_nobody_decides_about_what_is_not_there_yet():
    """A decision from before the proposal, and one about an id nobody gave."""
    proposals, proposal = Proposals(), _one()[1]
    asked = _decisions((proposal["proposal"], "accepted", HOUR - 1), ("nonsense", "accepted", 2 * HOUR))
    said = proposals.advance(_proposed(("x", -5_000, HOUR)), asked, 3 * HOUR)
    assert said.refused["code"].to_list() == ["proposal.unknown"] * 2
    assert _statuses(said) == ["proposed"]


def test_the_id_is_that_of_what_is_said():
    """Another quantity is another proposal."""
    (_, one), (_, other), (_, same) = _one(), _one(-4_000), _one()
    assert one == same
    assert one["proposal"] != other["proposal"]
    assert one["reversal"] != other["reversal"]


def test_a_snapshot_of_another_version_is_refused():
    """Never guessed at."""
    with pytest.raises(RecoveryError, match="version 0"):
        Proposals().restore(msgspec.msgpack.encode({"version": 0}))


_PROPOSED = st.lists(
    st.tuples(st.sampled_from("xyz"), st.integers(-9, 9), st.integers(0, 30)), max_size=12, unique=True
)
_DECIDED = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from(("accepted", "rejected", "expired", "odd")), st.integers(0, 400)),
    max_size=25,
)


@settings(deadline=None, max_examples=50)
@given(_PROPOSED, _DECIDED, st.lists(st.integers(0, 400), max_size=5), st.randoms(use_true_random=False))
def test_order_and_cuts_change_nothing(proposed, decided, cuts, random):
    """All of it in one call, or shuffled over many with a restart at each cut; whatever is decided about whatever."""
    proposed = _proposed(*((sku, quantity * 1_000, t * 10 * HOUR) for sku, quantity, t in proposed))
    ids = Proposals().advance(proposed, _decisions(), END).adjustments
    known = sorted({*ids["proposal"], *ids["reversal"], "nonsense"})
    decisions = _decisions(*((known[i % len(known)], what, t * HOUR) for i, what, t in decided))
    whole = _run(proposed, decisions, [END], random)
    cut = _run(proposed, decisions, sorted({*(t * HOUR for t in cuts), END}), random)
    for name in ("adjustments", "moves", "refused"):
        assert getattr(whole, name).equals(getattr(cut, name))
    accepted = whole.adjustments.filter(pl.col("status").is_in(["accepted", "reversed"]))
    assert whole.moves.height == accepted.height
    assert not whole.adjustments.select("proposal", "status").is_duplicated().any()


def _run(proposed, decisions, ends, random):
    """Calls up to each of the ends, from a restored snapshot every time; rows in any order."""
    state, before, said = Proposals(30 * HOUR, 100 * HOUR).snapshot(), -1, []
    for end in ends:
        proposals = Proposals(30 * HOUR, 100 * HOUR)
        proposals.restore(state)
        parts = [f.filter(pl.col("time_us").is_between(before, end, closed="right")) for f in (proposed, decisions)]
        parts = [p[random.sample(range(p.height), p.height)] for p in parts]
        said.append(proposals.advance(parts[0], parts[1], end))
        state, before = proposals.snapshot(), end
    return Decided(*(pl.concat([getattr(s, name) for s in said]) for name in ("adjustments", "moves", "refused")))


@pytest.mark.parametrize("restart", [False, True])
def test_a_reversal_is_remembered_from_when_it_was_made(restart):
    """Not from the acceptance before it: said again it does nothing, until memory has passed since."""
    proposals = Proposals(memory_us=10 * WEEK)
    one = proposals.advance(_proposed(("x", -5_000, HOUR)), _decisions(), HOUR).adjustments.row(0, named=True)
    said = proposals.advance(_proposed(), _decisions((one["proposal"], "accepted", 2 * HOUR)), 2 * HOUR)
    assert said.adjustments.select("by", "comment").rows() == [("jo", "seen")]
    proposals.advance(_proposed(), _decisions((one["reversal"], "accepted", 8 * WEEK)), 8 * WEEK)
    if restart:
        data, proposals = proposals.snapshot(), Proposals(memory_us=10 * WEEK)
        proposals.restore(data)
    for week, codes in ((12, []), (17, []), (18, ["proposal.unknown"]), (19, ["proposal.unknown"])):
        said = proposals.advance(_proposed(), _decisions((one["reversal"], "accepted", week * WEEK)), week * WEEK)
        assert said.refused["code"].to_list() == codes
        assert said.moves.height == 0


def test_what_was_taken_back_at_once_is_forgotten_once():
    """Accepted and reversed at one time, as by hand with a date for a time."""
    proposals = Proposals(memory_us=WEEK)
    one = proposals.advance(_proposed(("x", -5_000, HOUR)), _decisions(), HOUR).adjustments.row(0, named=True)
    asked = _decisions(*((one[name], "accepted", 2 * HOUR) for name in ("proposal", "reversal")))
    said = proposals.advance(_proposed(), asked, 2 * HOUR)
    assert sorted(said.adjustments["status"]) == ["accepted", "reversed"]
    late = _decisions((one["proposal"], "accepted", 2 * WEEK))
    assert proposals.advance(_proposed(), late, 2 * WEEK).refused["code"].to_list() == ["proposal.unknown"]


@pytest.mark.parametrize("restart", [False, True])
def test_memory_goes_by_when_things_were_settled(restart):
    """One that is open for longer than memory is decided; of two settled ones the first settled is forgotten first."""
    proposals = Proposals(10 * WEEK, memory_us=WEEK)
    ids = proposals.advance(_proposed(("x", -5_000, HOUR), ("y", -5_000, HOUR)), _decisions(), HOUR).adjustments
    x, y = ids.sort("sku")["proposal"]
    for hour, asked, codes in (
        (800, [(y, "rejected")], []),
        (850, [(x, "accepted")], []),
        (980, [(x, "accepted"), (y, "rejected")], ["proposal.unknown"]),
        (1_020, [(x, "accepted")], ["proposal.unknown"]),
    ):
        if restart:
            data, proposals = proposals.snapshot(), Proposals(10 * WEEK, memory_us=WEEK)
            proposals.restore(data)
        decisions = _decisions(*((*one, hour * HOUR) for one in asked))
        assert proposals.advance(_proposed(), decisions, hour * HOUR).refused["code"].to_list() == codes
