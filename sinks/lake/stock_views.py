"""Stock in the lake: what is there, what was there, and what was known of it.

Every move has two times. `event_time` is when it happened; `booked_time` is when the book learned of it, which is later
for a move that came late. So there are two pasts, and any mixture of them:

- `stock_as_it_was(t)`: what happened by t, with all that was learned since;
- `stock_as_known(t)`: what was booked by t, which is also the book rolled back to t;
- `stock_as_of(happened_by, booked_by)`: what happened by the one, as far as it was booked by the other.

Both ends are inclusive. All are sums over the newest revision of each move, so none depends on snapshots or on the
order in which moves came, and each works as far back as there are moves.
"""

from __future__ import annotations

from schemas.outputs import ADJUSTMENT, ORDER_PROPOSAL, STOCK_MOVE, Column, Output
from sinks.lake.derived import Derived
from sinks.lake.meta import RECORDED_AT

_BALANCES = ("on_hand", "allocated", "in_transit", "on_order", "backorder")
_POSITION = "on_hand + on_order + in_transit - allocated - backorder"
_MOVE = {column.name: column for column in STOCK_MOVE.columns}
_PLACE = tuple(_MOVE[name] for name in ("site", "sku", "location"))
_DECIMAL = "DECIMAL(18, 3)"
_HAPPENED = "m.event_time <= CAST({} AS TIMESTAMP WITH TIME ZONE)"
_BOOKED = "m.booked_time <= CAST({} AS TIMESTAMP WITH TIME ZONE)"

_HELD = (
    Column("on_hand", "decimal", "per uom", "What lies there"),
    Column("allocated", "decimal", "per uom", "Part of it that is promised to orders"),
    Column("in_transit", "decimal", "per uom", "On its way there from another location of ours"),
    Column("on_order", "decimal", "per uom", "On its way there from a supplier"),
    Column("backorder", "decimal", "per uom", "Owed to customers"),
    Column("position", "decimal", "per uom", _POSITION),
)
_STOCK_COLUMNS = (
    *_PLACE,
    _MOVE["uom"],
    *_HELD,
    Column("moves", "integer", "1", "Changes behind it; a transfer is one here and one at its destination"),
    Column("last_event_time", "timestamp", "UTC", "When the latest of them happened"),
    Column("last_booked_time", "timestamp", "UTC", "When the latest of them was booked"),
)


def _stock(name: str, grain: str, comment: str) -> Output:
    return Output(name=name, grain=grain, comment=comment, columns=_STOCK_COLUMNS, key=("site", "sku", "location"))


def _balances(condition: str = "true", without: str = "") -> str:
    """Sums per key over the newest revisions `m` of the moves under a condition, and not in what is joined."""
    sums = ", ".join(f"sum(m.{name})::{_DECIMAL} AS {name}" for name in _BALANCES)
    return (
        f"SELECT site, sku, location, uom, {', '.join(_BALANCES)}, ({_POSITION})::{_DECIMAL} AS position,"
        " moves, last_event_time, last_booked_time FROM"
        f" (SELECT m.site, m.sku, m.location, any_value(m.uom) AS uom, {sums}, count(*) AS moves,"
        " max(m.event_time) AS last_event_time, max(m.booked_time) AS last_booked_time"
        f" FROM main.stock_move_latest AS m {without} WHERE {condition} GROUP BY m.site, m.sku, m.location)"
    )


NOW = _stock(
    "stock_now",
    "one row per site, sku and location that anything was ever booked at",
    "Balances and position now: all moves that are booked",
)
AS_IT_WAS = _stock(
    "stock_as_it_was",
    "one row per site, sku and location at which anything had happened by t",
    "Stock as it was at t: all that happened by then, as known now",
)
AS_KNOWN = _stock(
    "stock_as_known",
    "one row per site, sku and location at which anything was booked by t",
    "Stock as we knew it at t: the book rolled back to what was booked by then",
)
AS_OF = _stock(
    "stock_as_of",
    "one row per site, sku and location at which anything had happened and was booked by then",
    "Stock by both times: what happened by the one, as far as it was booked by the other",
)
WITHOUT = _stock(
    "stock_without",
    "one row per site, sku and location at which anything else is booked",
    "The book as it would be without one document: its moves, and all that takes them back, are left out",
)

_WITHOUT_SQL = (
    "WITH RECURSIVE gone AS ("
    "SELECT o.event_id FROM main.stock_move AS o WHERE o.document = the_document"
    " UNION SELECT c.event_id FROM main.stock_move AS c JOIN gone ON c.corrects = gone.event_id) "
    + _balances(without="ANTI JOIN gone ON m.event_id = gone.event_id")
)

HISTORY = Output(
    name="stock_history",
    grain="one row per move and leg at the place, in the order in which they happened",
    comment="What happened at one site, sku and location, with the balances after each change, as known now",
    columns=(
        *(_MOVE[name] for name in ("event_time", "booked_time", "record_time", "event_id", "leg", "reason")),
        *(_MOVE[name] for name in ("document", "line", "corrects", "uom")),
        *(Column(f"{name}_change", "decimal", "per uom", _MOVE[name].comment) for name in _BALANCES),
        *_HELD,
    ),
    key=("event_id", "leg"),
)


def _history_sql() -> str:
    shown = ("event_time", "booked_time", "record_time", "event_id", "leg", "reason", "document", "line", "corrects")
    changes = ", ".join(f"m.{name} AS {name}_change" for name in _BALANCES)
    running = ", ".join(f"(sum(m.{name}) OVER so_far)::{_DECIMAL} AS {name}" for name in _BALANCES)
    order = "event_time, booked_time, event_id, leg"
    columns = ", ".join((*shown, "uom", *(f"{name}_change" for name in _BALANCES), *_BALANCES))
    return (
        f"SELECT {columns}, ({_POSITION})::{_DECIMAL} AS position FROM"
        f" (SELECT {', '.join(f'm.{name}' for name in (*shown, 'uom'))}, {changes}, {running}"
        " FROM main.stock_move_latest AS m"
        " WHERE m.site = the_site AND m.sku = the_sku AND m.location = the_location"
        f" WINDOW so_far AS (ORDER BY {order} ROWS UNBOUNDED PRECEDING))"
        f" ORDER BY {order}"
    )


_UNDECIDED = ("status", "decision", "by", "comment")

OPEN = Output(
    name="adjustment_open",
    grain="one row per proposal that can still be decided",
    comment="Proposed adjustments that nobody has decided and that have not expired; decide on the control stream",
    columns=(
        *(column for column in ADJUSTMENT.columns if column.name not in _UNDECIDED),
        RECORDED_AT,
    ),
    key=("proposal",),
)

_OPEN_SQL = f"""
    SELECT {", ".join(f"p.{column.name}" for column in OPEN.columns)} FROM main.adjustment AS p
    ANTI JOIN (SELECT proposal FROM main.adjustment WHERE status <> 'proposed') AS d ON p.proposal = d.proposal
    WHERE p.expires_at > greatest((SELECT max(event_time) FROM main.adjustment),
                                  (SELECT max(booked_time) FROM main.stock_move))
"""

ORDER_OPEN = Output(
    name="order_open",
    grain="one row per proposed order or transfer that can still be decided",
    comment="Proposed orders and transfers that nobody has decided and no later review replaced; decide on the control "
    "stream",
    columns=(
        *(column for column in ORDER_PROPOSAL.columns if column.name not in _UNDECIDED),
        RECORDED_AT,
    ),
    key=("proposal",),
)

ORDER_AWAITED = Output(
    name="order_awaited",
    grain="one row per accepted order or transfer whose papers have not all come",
    comment="Accepted orders and transfers that reviews count as if they were on order, until their papers come",
    columns=(*ORDER_PROPOSAL.columns, RECORDED_AT),
    key=("proposal",),
)


def _standing(output: Output, status: str) -> str:
    """Proposals that came to a status and to none after it."""
    settled = {"proposed": "<> 'proposed'", "accepted": "IN ('ordered', 'lapsed', 'reversed')"}[status]
    return f"""
    SELECT {", ".join(f"p.{column.name}" for column in output.columns)} FROM main.order_proposal AS p
    ANTI JOIN (SELECT proposal FROM main.order_proposal WHERE status {settled}) AS d ON p.proposal = d.proposal
    WHERE p.status = '{status}'
"""


_LATEST = """greatest((SELECT max(event_time) FROM main.replenishment),
                                  (SELECT max(booked_time) FROM main.stock_move))"""

STOCK_VIEWS = (
    Derived(NOW, _balances()),
    Derived(AS_IT_WAS, _balances(_HAPPENED.format("t")), ("t",)),
    Derived(AS_KNOWN, _balances(_BOOKED.format("t")), ("t",)),
    Derived(
        AS_OF,
        _balances(f"{_HAPPENED.format('happened_by')} AND {_BOOKED.format('booked_by')}"),
        ("happened_by", "booked_by"),
    ),
    Derived(WITHOUT, _WITHOUT_SQL, ("the_document",)),
    Derived(HISTORY, _history_sql(), ("the_site", "the_sku", "the_location")),
    Derived(OPEN, _OPEN_SQL),
    Derived(ORDER_OPEN, f"{_standing(ORDER_OPEN, 'proposed')} AND p.expires_at > {_LATEST}"),
    Derived(ORDER_AWAITED, _standing(ORDER_AWAITED, "accepted")),
)
"""Views and macros of stock."""
