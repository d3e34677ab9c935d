"""Orders and transfers that were proposed, what people decided about them, and what came of it.

Rules:

- A proposal is open until it is decided, expires, or the next one of the same kind for the same SKU and site takes its
  place. It is decided once, taken back once and remembered for a while, as all proposals are (`settlement`).
- An accepted one counts as if it were on order (of a transfer: as if it were under way) until its papers come: moves
  `order` of the SKU at the site, or `transfer_out` to it from the other site. Papers count from the proposal on, so
  that one that is written before its acceptance is read counts as well; the oldest accepted proposal takes them first.
- One whose papers have not come `hold_us` after its acceptance lapses: it counts no more.
- One that is taken back counts no more. What is on paper by then stays in the book until papers take that back.
- After a rejected one, or one taken back, none of its kind is proposed for the SKU and site for `hold_us`.
- Things happen in order of their time, papers before decisions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import polars as pl

from domain.inventory.proposal_tables import (
    BY_TIME,
    DECISION_SCHEMA,
    ORDER_SCHEMA,
    PAPER_SCHEMA,
    REFUSED_DECISION_SCHEMA,
    Said,
)
from domain.inventory.settlement import MEMORY_US, Proposal, Settlement, Status
from domain.inventory.tables import Schema
from domain.streaming.frames import frame_of
from domain.streaming.versions import demand_version
from schemas.ids import event_id

REVERSAL_TYPE: Final = "inventory.replenishment.reversal.v1"
"""Names the kind of id."""

Key = tuple[str, str, str, str | None]
"""Kind (order or transfer), site, SKU, and the site that gives."""

_STATE_VERSION: Final = 2
_NEVER: Final = 2**62

PROPOSED_ORDER_SCHEMA: Final[Schema] = {
    name: ORDER_SCHEMA[name] for name in ORDER_SCHEMA if name not in {"reversal", "status", *Said._fields}
}
"""What a review proposes; `time_us` is the review's."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Order(Proposal):
    """A proposal and what became of it; `left` is what no paper has come for yet."""

    kind: str
    site: str
    from_site: str | None
    sku: str
    time_us: int
    quantity: int
    uom: str
    expires_us: int
    reason: str
    demand_model: str
    left: int

    @property
    def key(self) -> Key:
        return self.kind, self.site, self.sku, self.from_site


AWAITED_SCHEMA: Final[Schema] = {"site": pl.String, "sku": pl.String, "accepted": pl.Int64}
"""What was accepted and has no paper yet, as changes of positions in thousandths: of a transfer also the giver's."""

_PLACE: Final = dict.fromkeys(("kind", "site", "sku", "from_site"), pl.String)

HELD_SCHEMA: Final[Schema] = {**_PLACE, "held_until_us": pl.Int64}
"""What was rejected lately, and until when nothing of the kind is proposed."""


class Orders:
    """Proposed orders and transfers of one stream, and their fates."""

    def __init__(self, hold_us: int) -> None:
        self._hold = hold_us
        # An accepted one is awaited for so long and remembered from then on.
        self._settlement = Settlement[_Order](MEMORY_US + hold_us)
        self._open: dict[Key, _Order] = {}
        self._awaited: dict[Key, list[_Order]] = {}
        """Accepted ones whose papers have not come, oldest first."""
        self._rejected: dict[Key, int] = {}
        """Until when nothing of the kind is proposed."""
        self._due_us = _NEVER
        """Nothing expires, lapses or is free again before."""

    def known(self, proposals: pl.Series) -> pl.Series:
        """Whether each id is of an order or a transfer, or of the reversal of one."""
        return proposals.is_in(self._settlement.ids)

    @property
    def waits(self) -> bool:
        """Whether papers can come for anything."""
        return bool(self._open or self._awaited)

    def wait(self, until_us: int) -> pl.DataFrame:
        """Time passes; what comes of that, in ORDER_SCHEMA."""
        return _table([*self._pass(until_us)])

    def propose(self, proposed: pl.DataFrame, time_us: int) -> pl.DataFrame:
        """Take in what a review at `time_us`, which has been waited for, proposes (PROPOSED_ORDER_SCHEMA).

        What comes of it is in ORDER_SCHEMA.
        """
        told: list[tuple[Any, ...]] = []
        for row in proposed.select(PROPOSED_ORDER_SCHEMA.keys()).iter_rows(named=True):
            if row["proposal"] in self._settlement:
                continue
            new = _Order(**row, reversal=event_id(REVERSAL_TYPE, [row["proposal"]]), left=row["quantity"])
            if before := self._open.get(new.key):
                before.replaced = True
                told.append(self._settle(before, "expired", time_us, Said(new.proposal)))
            self._settlement.add(new)
            self._open[new.key] = new
            self._due_us = min(self._due_us, new.expires_us)
            told.append(self._settle(new, "proposed", time_us))
        return _table(told)

    def advance(
        self, decisions: pl.DataFrame, papers: pl.DataFrame, until_us: int
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Decisions (DECISION_SCHEMA) about known proposals and PAPER_SCHEMA up to `until_us`.

        What comes of them, in ORDER_SCHEMA, and what is refused, in REFUSED_DECISION_SCHEMA.
        """
        told: list[tuple[Any, ...]] = []
        refused: list[tuple[Any, ...]] = []
        for time_us, decision, paper in _in_order(decisions, self._waited_for(papers)):
            told += self._pass(time_us)
            if decision is None:
                told += self._came(paper, time_us)
                continue
            code = self._decide(decision, told)
            if code:
                refused.append((*decision, code))
        told += self._pass(until_us)
        return _table(told), frame_of(refused, REFUSED_DECISION_SCHEMA)

    def _waited_for(self, papers: pl.DataFrame) -> pl.DataFrame:
        """Papers of kinds and places that have proposals that are open, or that are decided upon in the same call."""
        if not (papers.height and self.waits):
            return papers.clear()
        places = pl.DataFrame([*self._open, *self._awaited], schema=_PLACE, orient="row")
        return papers.join(places.unique(), on=places.columns, how="semi", nulls_equal=True)

    def _decide(self, decision: tuple[Any, ...], told: list[tuple[Any, ...]]) -> str | None:
        name, proposal, verdict, by, comment, time_us = decision
        order, status, code = self._settlement.answer(proposal, verdict)
        if order is None or status is None:
            return code
        told.append(self._settle(order, status, time_us, Said(name, by, comment)))
        self._due_us = min(self._due_us, time_us + self._hold)
        if status in {"rejected", "reversed"}:
            self._rejected[order.key] = time_us + self._hold
        if status == "accepted" and order.left == 0:
            told.append(self._settle(order, "ordered", time_us))
        return None

    def _came(self, paper: tuple[Any, ...], time_us: int) -> Iterator[tuple[Any, ...]]:
        *key, quantity = paper
        kind, site, sku, from_site = key
        place: Key = (kind, site, sku, from_site)
        awaited = [*self._awaited.get(place, [])]
        waiting = [*awaited, *([self._open[place]] if place in self._open else [])]
        for order in waiting:
            taken = min(quantity, order.left)
            order.left -= taken
            quantity -= taken
        for order in [one for one in awaited if one.left == 0]:
            yield self._settle(order, "ordered", time_us)

    def _settle(self, order: _Order, status: Status, time_us: int, said: Said = BY_TIME) -> tuple[Any, ...]:
        if order.status == "accepted":
            self._await_no_more(order)
        elif order.status == "proposed" and status != "proposed":
            del self._open[order.key]
        if status == "accepted":
            self._awaited.setdefault(order.key, []).append(order)
        self._settlement.settle(order, status, time_us)
        what = {name: getattr(order, name) for name in ("reversal", *PROPOSED_ORDER_SCHEMA)}
        row = what | {"status": status, "time_us": time_us} | said._asdict()
        return tuple(row[name] for name in ORDER_SCHEMA)

    def _await_no_more(self, order: _Order) -> None:
        self._awaited[order.key].remove(order)
        if not self._awaited[order.key]:
            del self._awaited[order.key]

    def _pass(self, until_us: int) -> Iterator[tuple[Any, ...]]:
        """Time passes: proposals expire, accepted ones lapse, and what was settled long ago is forgotten."""
        if until_us >= self._due_us:
            lapses = ((one.settled_us + self._hold, one) for awaited in self._awaited.values() for one in awaited)
            due = [*((one.expires_us, one) for one in self._open.values()), *lapses]
            for time_us, order in sorted((one for one in due if one[0] <= until_us), key=lambda one: one[0]):
                yield self._settle(order, "expired" if order.status == "proposed" else "lapsed", time_us)
            self._rejected = {key: until for key, until in self._rejected.items() if until > until_us}
            later = (time_us for time_us, _ in due if time_us > until_us)
            self._due_us = min([*later, *self._rejected.values()], default=_NEVER)
        self._settlement.forget(until_us)

    def awaited(self) -> pl.DataFrame:
        """AWAITED_SCHEMA, one row per site and SKU."""
        rows: list[tuple[str, str, int]] = []
        for (_, site, sku, from_site), orders in self._awaited.items():
            left = sum(order.left for order in orders)
            rows.append((site, sku, left))
            if from_site is not None:
                rows.append((from_site, sku, -left))
        frame = pl.DataFrame(rows, schema=AWAITED_SCHEMA, orient="row")
        return frame.group_by("site", "sku").agg(pl.col("accepted").sum())

    def held(self) -> pl.DataFrame:
        """HELD_SCHEMA."""
        rows = [(*key, until) for key, until in self._rejected.items()]
        return frame_of(rows, HELD_SCHEMA)

    def snapshot(self) -> bytes:
        """State as MessagePack of primitives."""
        rejected = [[*key, until] for key, until in self._rejected.items()]
        state = {
            "version": _STATE_VERSION,
            "orders": self._settlement.state(),
            "awaited": [order.proposal for orders in self._awaited.values() for order in orders],
            "rejected": rejected,
        }
        return msgspec.msgpack.encode(state)

    def restore(self, data: bytes) -> None:
        """Take up a snapshot; one of another version is refused."""
        state = msgspec.msgpack.decode(data)
        demand_version(state["version"], _STATE_VERSION, "order proposals")
        orders = [_Order(**fields) for fields in state["orders"]]
        self._settlement.restore(orders)
        self._open = {order.key: order for order in orders if order.status == "proposed"}
        self._awaited = {}
        for order in (self._settlement[name] for name in state["awaited"]):
            self._awaited.setdefault(order.key, []).append(order)
        self._rejected = {(kind, site, sku, giver): until for kind, site, sku, giver, until in state["rejected"]}
        self._due_us = 0


def papers_of(postings: pl.DataFrame | None) -> pl.DataFrame:
    """PAPER_SCHEMA of what the ledger posted (POSTING_SCHEMA): orders from outside, and transfers between sites."""
    if postings is None:
        return frame_of((), PAPER_SCHEMA)
    orders = postings.filter(pl.col("reason") == "order", pl.col("on_order") > 0)
    ordered = orders.select(
        "site", "sku", "time_us", kind=pl.lit("order"), from_site=pl.lit(None, pl.String), quantity="on_order"
    )
    legs = postings.filter(pl.col("reason") == "transfer_out")
    left, came = legs.filter(leg=0), legs.filter(pl.col("leg") == 1, pl.col("in_transit") > 0)
    moved = came.join(left.select("event_id", from_site="site"), on="event_id").filter(
        pl.col("site") != pl.col("from_site")
    )
    transfers = moved.select("site", "sku", "time_us", "from_site", kind=pl.lit("transfer"), quantity="in_transit")
    return pl.concat([part.select(PAPER_SCHEMA.keys()) for part in (ordered, transfers)])


def _in_order(
    decisions: pl.DataFrame, papers: pl.DataFrame
) -> Iterator[tuple[int, tuple[Any, ...] | None, tuple[Any, ...]]]:
    """Time, decision or none, and else the paper."""
    if not decisions.height + papers.height:
        return
    # Papers of one time in any order come to the same.
    came = [(row[-1], 0, "", None, row[:-1]) for row in papers.select(PAPER_SCHEMA.keys()).iter_rows()]
    asked = [(row[-1], 1, row[0], row, ()) for row in decisions.select(DECISION_SCHEMA.keys()).iter_rows()]
    for time_us, _, _, decision, paper in sorted([*came, *asked], key=lambda event: event[:3]):
        yield time_us, decision, paper


def _table(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    return frame_of(rows, ORDER_SCHEMA)
