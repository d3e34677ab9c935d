"""What estimates, reviews and counts come to, as rows of outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import polars as pl

from domain.demand.book import Closed
from domain.inventory.orders import PROPOSED_ORDER_SCHEMA
from domain.inventory.review import Reviewed
from domain.inventory.stockroom import Findings
from flows.estimators import Rows
from flows.stock.signals import drift_signals, invariant_signals, leak_signals
from flows.stock.tables import joined, table
from schemas.outputs import ADJUSTMENT, DEMAND, ORDER_PROPOSAL, RECONCILIATION, REPLENISHMENT, SIGNAL

_FATES: Final = {"time_us": "event_time", "expires_us": "expires_at"}
_RENAMED: Final = {"time_us": "event_time", "proposal_id": "proposal"}


def estimated(closed: Closed) -> list[Rows]:
    """Estimates of closed buckets, and what drifted."""
    told: list[Rows] = []
    if closed.estimates.height:
        told.append((DEMAND.name, table(DEMAND, closed.estimates)))
    if closed.drifts.height:
        told.append((SIGNAL.name, drift_signals(closed.drifts)))
    return told


def reviewed(review: Reviewed) -> list[Rows]:
    """Reviews of a bucket's items."""
    return [(REPLENISHMENT.name, table(REPLENISHMENT, review.rows, _RENAMED))] if review.rows.height else []


def proposed(review: Reviewed, estimates: pl.DataFrame) -> pl.DataFrame:
    """What a review proposes, in PROPOSED_ORDER_SCHEMA; `estimates` are those of its bucket."""
    units = review.rows.select("site", "sku", "uom", "review")
    bucket_us = pl.lit(int(estimates["bucket_end"][0]) - int(estimates["bucket_start"][0]))
    transfers = review.transfers.rename({"to_site": "site"}).select(
        "site", "sku", "from_site", "time_us", "quantity", "reason", "proposal_id", kind=pl.lit("transfer")
    )
    orders = review.orders.select(
        "site",
        "sku",
        "time_us",
        "reason",
        "proposal_id",
        from_site=pl.lit(None, pl.String),
        quantity="recommended",
        kind=pl.lit("order"),
    ).select(transfers.columns)
    rows = pl.concat([transfers, orders]).join(units, on=["site", "sku"], how="left", maintain_order="left")
    expires = (pl.col("time_us") + (pl.col("review") * bucket_us).cast(pl.Int64)).alias("expires_us")
    model = pl.lit(estimates["model"][0]).alias("demand_model")
    return rows.rename({"proposal_id": "proposal"}).with_columns(expires, model).select(PROPOSED_ORDER_SCHEMA.keys())


def ordered(fates: pl.DataFrame) -> list[Rows]:
    """What became of proposed orders and transfers (ORDER_SCHEMA)."""
    return [(ORDER_PROPOSAL.name, table(ORDER_PROPOSAL, fates, _FATES))] if fates.height else []


def found(findings: Findings, base_units: Callable[[pl.Series], pl.Series]) -> list[Rows]:
    """What the stockroom found that somebody should know of, or decide upon; `base_units` gives those of SKUs."""
    told: list[Rows] = []
    looks, adjustments = joined(findings.looks), joined(findings.adjustments)
    invariants, leaks = joined(findings.invariants), joined(findings.leaks)
    if looks is not None:
        named = {"as_of_us": "as_of", "looked_us": "event_time"}
        measured = looks.with_columns(uom=base_units(looks["sku"]))
        told.append((RECONCILIATION.name, table(RECONCILIATION, measured, named)))
    if adjustments is not None:
        measured = adjustments.with_columns(uom=base_units(adjustments["sku"]))
        told.append((ADJUSTMENT.name, table(ADJUSTMENT, measured, _FATES)))
    if invariants is not None:
        told.append((SIGNAL.name, invariant_signals(invariants)))
    if leaks is not None:
        told.append((SIGNAL.name, leak_signals(leaks)))
    return told
