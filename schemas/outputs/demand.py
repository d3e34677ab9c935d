"""Outputs of demand and of replenishment, where demand meets stock."""

from __future__ import annotations

from schemas.outputs.model import Column, Output

_PLACE = (Column("site", "string", "", "Site"), Column("sku", "string", "", "Stock keeping unit"))
_BUCKET = (
    Column("bucket_start", "timestamp", "UTC", "Start of the calendar bucket, inclusive"),
    Column("bucket_end", "timestamp", "UTC", "End of the bucket, exclusive; the row was made with what is before it"),
)
_EXPERTS = ("tsb", "ses", "holt_winters", "snarimax", "outside")

DEMAND = Output(
    name="demand",
    grain="one row per site, sku and calendar bucket",
    comment="Demand of each closed bucket, and what is expected of the buckets after it",
    columns=(
        *_PLACE,
        Column("category", "string", "", "Category of the SKU, whose demand stands in while there is no history"),
        *_BUCKET,
        Column("sold", "number", "per uom", "What was ordered and sold in the bucket, in the base unit"),
        Column("demand", "number", "per uom", "What was asked for as far as one can tell: stock-outs are made up for"),
        Column("censored", "boolean", "", "Whether more might have been asked for, had there been stock"),
        Column("promoted", "boolean", "", "Whether a promotion ran in the bucket"),
        Column(
            "demand_class", "string", "", "smooth, erratic, intermittent or lumpy; null while unknown", nullable=True
        ),
        Column("next_mean", "number", "per uom", "Expected demand of the next bucket"),
        Column("next_variance", "number", "per uom2", "Variance of the next bucket's demand"),
        Column("horizon", "integer", "1", "Buckets ahead that mean, variance and interval are for, together"),
        Column("horizon_end", "timestamp", "UTC", "End of the last of them"),
        Column("mean", "number", "per uom", "Expected demand from bucket_end to horizon_end"),
        Column("variance", "number", "per uom2", "Its variance"),
        Column("lower", "integer", "per uom", "Lower end of the interval of that demand"),
        Column("upper", "integer", "per uom", "Upper end"),
        Column("level", "number", "1", "Miss rate that was asked for so that 95 % of intervals hold"),
        Column(
            "missed",
            "boolean",
            "",
            "Whether the interval whose horizon ended with this bucket missed; null without one",
            nullable=True,
        ),
        *(
            Column(f"weight_{name}", "number", "1", f"Weight of {name}; null where it takes no part", nullable=True)
            for name in _EXPERTS
        ),
        Column("cold", "boolean", "", "Whether the category still stands in for a history"),
        Column("model", "string", "", "Name and version of the model with all its parameters"),
    ),
    key=("site", "sku", "bucket_start"),
    event_type="takt.estimate.demand.v1",
    topic="estimates",
    flow="stock",
    subject=("site", "sku"),
)

REPLENISHMENT = Output(
    name="replenishment",
    grain="one row per site, sku and review",
    comment="Reorder points and what to order, by demand, lead time and position at the end of a bucket",
    columns=(
        *_PLACE,
        Column("event_time", "timestamp", "UTC", "Time of the review: end of a bucket"),
        Column("status", "string", "", "order, enough, no_demand, no_history, invalid or held (rejected lately)"),
        Column("policy", "string", "", "s_S: at or below s, order up to S. r_Q: at or below R, order whole lots Q"),
        Column("uom", "string", "", "Base unit of the item, in which all quantities of the row are"),
        Column(
            "position",
            "decimal",
            "per uom",
            "on_hand + on_order + in_transit - allocated - backorder, all places, and what was accepted",
        ),
        Column("accepted", "decimal", "per uom", "Part of it that was accepted and is on no paper yet"),
        Column("available", "decimal", "per uom", "On hand and not allocated, all places"),
        Column("reorder_point", "decimal", "per uom", "Order at or below it", nullable=True),
        Column("order_up_to", "decimal", "per uom", "Level that an order brings the position to", nullable=True),
        Column("order_quantity", "decimal", "per uom", "Least that is ordered", nullable=True),
        Column("recommended", "decimal", "per uom", "What to order now, in whole packs; 0 for nothing"),
        Column("safety_stock", "number", "per uom", "Reorder point less the mean demand it covers", nullable=True),
        Column("demand_mean", "number", "per uom", "Expected demand of a bucket", nullable=True),
        Column("demand_sd", "number", "per uom", "Its standard deviation", nullable=True),
        Column("lead_time_mean", "number", "{bucket}", "Mean lead time"),
        Column("lead_time_sd", "number", "{bucket}", "Its standard deviation"),
        Column("review", "number", "{bucket}", "Time between reviews"),
        Column("service", "string", "", "cycle: cycles without a stock-out. fill: demand met from stock"),
        Column("service_level", "number", "1", "Share that is aimed at"),
        Column("reason", "string", "", "Why, in a sentence with the numbers"),
        Column("proposal", "string", "", "Id of the order that is proposed; null for none", nullable=True),
    ),
    key=("site", "sku", "event_time"),
)

ORDER_PROPOSAL = Output(
    name="order_proposal",
    grain="one row per proposed order or transfer and status it came to",
    comment="What to order, or to move from a site that has too much: why, what was decided, and what came of it",
    columns=(
        Column("proposal", "string", "", "Id: a digest of what is proposed and when. Decisions name it"),
        Column("reversal", "string", "", "Id under which an accepted proposal can be taken back"),
        Column(
            "status",
            "string",
            "",
            "proposed, accepted, rejected, expired, ordered (its papers came), lapsed or reversed",
        ),
        Column("kind", "string", "", "order (from a supplier) or transfer (from another site)"),
        Column("site", "string", "", "Site that needs it"),
        Column("from_site", "string", "", "Site that gives it; null for an order", nullable=True),
        Column("sku", "string", "", "Stock keeping unit"),
        Column(
            "event_time", "timestamp", "UTC", "When it came to that; of one that is proposed, the time of the review"
        ),
        Column("quantity", "decimal", "per uom", "How much, in the base unit"),
        Column("uom", "string", "", "Base unit"),
        Column("expires_at", "timestamp", "UTC", "Decisions after it are refused: the next review replaces it"),
        Column("reason", "string", "", "Why, in a sentence with the numbers"),
        Column("demand_model", "string", "", "Demand model behind it, with its parameters"),
        Column("decision", "string", "", "Event that decided, or the proposal that took its place", nullable=True),
        Column("by", "string", "", "Who decided", nullable=True),
        Column("comment", "string", "", "Why, in their words", nullable=True),
    ),
    key=("proposal", "status"),
    event_type="takt.signal.replenishment.v1",
    topic="signals",
    flow="stock",
    subject=("site", "sku"),
)
