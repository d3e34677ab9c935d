"""Outputs of demand and stock."""

from __future__ import annotations

from schemas.outputs.evidence import COUNT_EVIDENCE
from schemas.outputs.model import Column, Output

_PLACE = (
    Column("site", "string", "", "Site"),
    Column("sku", "string", "", "Stock keeping unit"),
    Column("location", "string", "", "Place within the site"),
)
_UOM = Column("uom", "string", "", "Base unit of the SKU's dimension, in which all quantities of the row are")
_KIND = Column("kind", "string", "", "count, or statement of another system: each may have an id of the other")
_REVISED = (
    Column("revision", "integer", "1", "0 when first told; one more each time it is told again, changed"),
    Column("final", "boolean", "", "True if told when no later row could change it; see also accounting.final_until"),
)

STOCK_MOVE = Output(
    name="stock_move",
    grain="one row per move, leg and revision: a transfer has a leg at its destination",
    comment="The stock ledger: what each move changed. Balances are sums over stock_move_latest, as of two times",
    columns=(
        Column("event_id", "string", "", "The move; of a booked adjustment or opening, an id made from what caused it"),
        Column("leg", "integer", "1", "0 at the move's own location, 1 at its destination"),
        *_PLACE,
        Column("reason", "string", "", "What kind of change: receipt, pick, transfer_out, adjust, ..."),
        Column("document", "string", "", "Document that orders or records it"),
        Column("line", "string", "", "Line of the document"),
        Column("corrects", "string", "", "Move that this one takes back", nullable=True),
        _UOM,
        Column("on_hand", "decimal", "per uom", "Change of what lies there"),
        Column("allocated", "decimal", "per uom", "Change of what is promised to orders"),
        Column("in_transit", "decimal", "per uom", "Change of what is on its way from another location of ours"),
        Column("on_order", "decimal", "per uom", "Change of what is on its way from a supplier"),
        Column("backorder", "decimal", "per uom", "Change of what is owed to customers"),
        Column("event_time", "timestamp", "UTC", "When it happened"),
        Column("booked_time", "timestamp", "UTC", "Its place in the stream: event time, or if late when it came"),
        Column("record_time", "timestamp", "UTC", "When the sender recorded it"),
        *_REVISED,
    ),
    key=("event_id", "leg", "revision"),
    latest_by=("event_id", "leg"),
)

STOCK_POSITION = Output(
    name="stock_position",
    grain="one row per site, sku, location, window in which something moved, and revision",
    comment="Balances at the end of each window: the newest row of a key is what is there now",
    columns=(
        *_PLACE,
        Column("window_start", "timestamp", "UTC", "Start of the event-time window, inclusive"),
        Column("window_end", "timestamp", "UTC", "End of the window, for which the balances are"),
        *_REVISED,
        _UOM,
        Column("on_hand", "decimal", "per uom", "What lies there"),
        Column("allocated", "decimal", "per uom", "Part of it that is promised to orders"),
        Column("in_transit", "decimal", "per uom", "On its way there from another location of ours"),
        Column("on_order", "decimal", "per uom", "On its way there from a supplier"),
        Column("backorder", "decimal", "per uom", "Owed to customers"),
        Column("position", "decimal", "per uom", "on_hand + on_order + in_transit - allocated - backorder"),
        Column("postings", "integer", "1", "Changes booked in the window"),
    ),
    key=("site", "sku", "location", "window_start", "window_end", "revision"),
    latest_by=("site", "sku", "location", "window_start", "window_end"),
)

RECONCILIATION = Output(
    name="reconciliation",
    grain="one row per count and look: first, when the count is in, and final, when late papers are in too",
    comment="Counts held against the book as of the moment of the count",
    columns=(
        Column("event_id", "string", "", "The count"),
        _KIND,
        Column("stage", "string", "", "first or final look"),
        *_PLACE,
        Column("as_of", "timestamp", "UTC", "Moment of the count, for which the book is asked"),
        Column("event_time", "timestamp", "UTC", "When it was looked at, on the clock of the events"),
        _UOM,
        Column("counted", "decimal", "per uom", "What was counted, in the base unit"),
        Column("book", "decimal", "per uom", "What the book says for that moment, as known at the look"),
        Column("difference", "decimal", "per uom", "Counted less book"),
        Column("by_moves", "decimal", "per uom", "Part of it that moves within ten minutes of the count explain"),
        Column("by_transfers", "decimal", "per uom", "Part of it that open transfers explain"),
        Column("unexplained", "decimal", "per uom", "What is left"),
        Column("class", "string", "", "ok, timing, raced, mis_key, shrinkage or gain"),
        Column("slip", "string", "", "Kind of slip, where the class is mis_key", nullable=True),
        Column("confidence", "number", "1", "Probability that the class is right"),
        Column("tolerance", "decimal", "per uom", "Differences up to it are ok"),
        Column("value", "number", "{currency}", "Worth of what is left; null without a unit cost", nullable=True),
        Column("reason", "string", "", "Why, in a sentence with the numbers"),
        Column("evidence", "string", "", "Inputs behind it, as JSON; quantities in thousandths", keys=COUNT_EVIDENCE),
    ),
    key=("event_id", "kind", "stage"),
    event_type="takt.estimate.reconciliation.v1",
    topic="estimates",
    flow="stock",
    subject=("site", "sku", "location"),
)

ADJUSTMENT = Output(
    name="adjustment",
    grain="one row per proposal and status it came to",
    comment="Proposed adjustments of the book, what was decided, and what was undone; decide on the control stream",
    columns=(
        Column("proposal", "string", "", "Id of the proposal: a digest of all it says. Decisions name it"),
        Column("reversal", "string", "", "Id under which an accepted proposal can be taken back"),
        Column("status", "string", "", "proposed, accepted, rejected, expired or reversed"),
        Column("event_time", "timestamp", "UTC", "When it came to that, on the clock of the events"),
        *_PLACE,
        Column("quantity", "decimal", "per uom", "What acceptance adds to on hand, in the base unit"),
        Column("uom", "string", "", "Base unit"),
        Column("event_id", "string", "", "The count it follows from"),
        _KIND,
        Column("reason", "string", "", "Why, in a sentence with the numbers"),
        Column("evidence", "string", "", "That of the final look at the count", keys=COUNT_EVIDENCE),
        Column("expires_at", "timestamp", "UTC", "Decisions after it are refused"),
        Column("decision", "string", "", "Event that decided, or the proposal that took its place", nullable=True),
        Column("by", "string", "", "Who decided", nullable=True),
        Column("comment", "string", "", "Why, in their words", nullable=True),
    ),
    key=("proposal", "status"),
    event_type="takt.signal.adjustment.v1",
    topic="signals",
    flow="stock",
    subject=("site", "sku", "location"),
)
