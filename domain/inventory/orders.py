"""Orders and transfers that were proposed, what people decided about them, and what came of it.

Rules:

- A proposal is open until it is decided, expires, or the next one of the same kind for the same SKU and site takes its
  place. It is decided once; the same decision again does nothing, another one is refused.
- An accepted one counts as if it were on order (of a transfer: as if it were under way) until its papers come: moves
  `order` of the SKU at the site, or `transfer_out` to it from the other site. Papers count from the proposal on, so
  that one that is written before its acceptance is read counts as well; the oldest accepted proposal takes them first.
- One whose papers have not come `hold_us` after its acceptance lapses: it counts no more.
- A rejected one is not proposed again, nor any other of its kind for the SKU and site, for `hold_us`.
- Things happen in order of their time, papers before decisions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import msgspec
import polars as pl

from domain.inventory.proposal_tables import (
    BY_TIME,
    CHANGED,
    DECIDED,
    DECISION_SCHEMA,
    EXPIRED,
    NO_DECISION,
    ORDER_SCHEMA,
    PAPER_SCHEMA,
    REFUSED_DECISION_SCHEMA,
    Said,
)
from domain.inventory.tables import Schema
from domain.streaming.versions import demand_version

Status = Literal["proposed", "accepted", "rejected", "expired", "ordered", "lapsed"]
Key = tuple[str, str, str, str | None]
"""Kind (order or transfer), site, SKU, and the site that gives."""

_DAY_US: Final = 86_400_000_000
_MEMORY_US: Final = 90 * _DAY_US
"""What was settled so long ago is forgotten; decisions about it are refused as about unknown ones."""
_STATE_VERSION: Final = 1
_STATUS: Final[dict[str, Status]] = {"accepted": "accepted", "rejected": "rejected", "expired": "expired"}

PROPOSED_ORDER_SCHEMA: Final[Schema] = {
    name: ORDER_SCHEMA[name] for name in ORDER_SCHEMA if name not in {"status", *Said._fields}
}
"""What a review proposes; `time_us` is the review's."""


@dataclass(slots=True)
class _Order:
    """A proposal and what became of it; `left` is what no paper has come for yet."""

    proposal: str
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
    status: Status = "proposed"
    settled_us: int = 0
    replaced: bool = False
    """A later one took its place."""

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
        self._known: dict[str, _Order] = {}
        self._open: dict[Key, _Order] = {}
        self._awaited: dict[Key, list[_Order]] = {}
        """Accepted ones whose papers have not come, oldest first."""
        self._rejected: dict[Key, int] = {}
        """Until when nothing of the kind is proposed."""
        self._past: deque[_Order] = deque()
        """Those that nothing can happen to any more, by when that came."""

    def known(self, proposals: pl.Series) -> pl.Series:
        """Whether each id is of an order or a transfer."""
        return proposals.is_in(list(self._known))

    def wait(self, until_us: int) -> pl.DataFrame:
        """Time passes; what comes of that, in ORDER_SCHEMA."""
        return _table([*self._pass(until_us)])

    def propose(self, proposed: pl.DataFrame, time_us: int) -> pl.DataFrame:
        """Take in what a review at `time_us`, which has been waited for, proposes (PROPOSED_ORDER_SCHEMA).

        What comes of it is in ORDER_SCHEMA.
        """
        told: list[tuple[Any, ...]] = []
        for row in proposed.select(PROPOSED_ORDER_SCHEMA.keys()).iter_rows(named=True):
            if row["proposal"] in self._known:
                continue
            new = _Order(**row, left=row["quantity"])
            if before := self._open.get(new.key):
                before.replaced = True
                told.append(self._settle(before, "expired", time_us, Said(new.proposal)))
            self._known[new.proposal] = self._open[new.key] = new
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
        return _table(told), pl.DataFrame(refused, schema=REFUSED_DECISION_SCHEMA, orient="row")

    def _waited_for(self, papers: pl.DataFrame) -> pl.DataFrame:
        """Papers of kinds and places that have proposals that are open, or that are decided upon in the same call."""
        places = pl.DataFrame([*self._open, *self._awaited], schema=_PLACE, orient="row")
        return papers.join(places.unique(), on=places.columns, how="semi", nulls_equal=True)

    def _decide(self, decision: tuple[Any, ...], told: list[tuple[Any, ...]]) -> str | None:
        event_id, proposal, verdict, by, comment, time_us = decision
        order, wanted = self._known[proposal], _STATUS.get(verdict)
        if wanted is None:
            return NO_DECISION
        if order.status != "proposed":
            return _against(order, wanted)
        told.append(self._settle(order, wanted, time_us, Said(event_id, by, comment)))
        if wanted == "rejected":
            self._rejected[order.key] = time_us + self._hold
        if wanted == "accepted" and order.left == 0:
            told.append(self._settle(order, "ordered", time_us))
        elif wanted == "accepted":
            self._awaited.setdefault(order.key, []).append(order)
        return None

    def _came(self, paper: tuple[Any, ...], time_us: int) -> Iterator[tuple[Any, ...]]:
        *key, quantity = paper
        kind, site, sku, from_site = key
        place: Key = (kind, site, sku, from_site)
        awaited = self._awaited.get(place, [])
        waiting = [*awaited, *([self._open[place]] if place in self._open else [])]
        for order in waiting:
            taken = min(quantity, order.left)
            order.left -= taken
            quantity -= taken
        for order in [one for one in awaited if one.left == 0]:
            awaited.remove(order)
            yield self._settle(order, "ordered", time_us)
        if not awaited:
            self._awaited.pop(place, None)

    def _settle(self, order: _Order, status: Status, time_us: int, said: Said = BY_TIME) -> tuple[Any, ...]:
        if order.status == "proposed" and status != "proposed":
            del self._open[order.key]
        order.status, order.settled_us = status, time_us
        if status not in {"proposed", "accepted"}:
            self._past.append(order)
        what = {name: getattr(order, name) for name in PROPOSED_ORDER_SCHEMA}
        row = what | {"status": status, "time_us": time_us} | said._asdict()
        return tuple(row[name] for name in ORDER_SCHEMA)

    def _pass(self, until_us: int) -> Iterator[tuple[Any, ...]]:
        """Time passes: proposals expire, accepted ones lapse, and what was settled long ago is forgotten."""
        for order in [one for one in self._open.values() if one.expires_us <= until_us]:
            yield self._settle(order, "expired", order.expires_us)
        for place, awaited in [*self._awaited.items()]:
            while awaited and awaited[0].settled_us + self._hold <= until_us:
                yield self._settle(lapsed := awaited.pop(0), "lapsed", lapsed.settled_us + self._hold)
            if not awaited:
                del self._awaited[place]
        self._rejected = {key: until for key, until in self._rejected.items() if until > until_us}
        while self._past and self._past[0].settled_us <= until_us - _MEMORY_US:
            del self._known[self._past.popleft().proposal]

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
        return pl.DataFrame(rows, schema=HELD_SCHEMA, orient="row")

    def snapshot(self) -> bytes:
        """State as MessagePack of primitives."""
        rejected = [[*key, until] for key, until in self._rejected.items()]
        state = {
            "version": _STATE_VERSION,
            "orders": [asdict(order) for order in self._known.values()],
            "awaited": [order.proposal for orders in self._awaited.values() for order in orders],
            "rejected": rejected,
        }
        return msgspec.msgpack.encode(state)

    def restore(self, data: bytes) -> None:
        """Take up a snapshot; one of another version is refused."""
        state = msgspec.msgpack.decode(data)
        demand_version(state["version"], _STATE_VERSION, "order proposals")
        self._known = {fields["proposal"]: _Order(**fields) for fields in state["orders"]}
        self._open = {order.key: order for order in self._known.values() if order.status == "proposed"}
        done = (one for one in self._known.values() if one.status not in {"proposed", "accepted"})
        self._past = deque(sorted(done, key=lambda one: one.settled_us))
        self._awaited = {}
        for order in (self._known[name] for name in state["awaited"]):
            self._awaited.setdefault(order.key, []).append(order)
        self._rejected = {(kind, site, sku, giver): until for kind, site, sku, giver, until in state["rejected"]}


def papers_of(postings: pl.DataFrame | None) -> pl.DataFrame:
    """PAPER_SCHEMA of what the ledger posted (POSTING_SCHEMA): orders from outside, and transfers between sites."""
    if postings is None:
        return pl.DataFrame(schema=PAPER_SCHEMA)
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
    # Papers of one time in any order come to the same.
    came = [(row[-1], 0, "", None, row[:-1]) for row in papers.select(PAPER_SCHEMA.keys()).iter_rows()]
    asked = [(row[-1], 1, row[0], row, ()) for row in decisions.select(DECISION_SCHEMA.keys()).iter_rows()]
    for time_us, _, _, decision, paper in sorted([*came, *asked], key=lambda event: event[:3]):
        yield time_us, decision, paper


def _against(order: _Order, wanted: str) -> str | None:
    """Why a decision about a settled proposal is refused; None of one that says what is so already."""
    if order.replaced:
        return CHANGED
    if order.status == wanted or (wanted == "accepted" and order.status in {"ordered", "lapsed"}):
        return None
    return EXPIRED if order.status == "expired" else DECIDED


def _table(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=ORDER_SCHEMA, orient="row")
