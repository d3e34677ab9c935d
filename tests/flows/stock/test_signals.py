"""Signals about stock and demand: what they are about is named so that no other thing has the name."""

from __future__ import annotations

import polars as pl

from flows.stock.signals import drift_signals, invariant_signals, leak_signals


def test_names_with_a_slash_are_subjects_of_their_own():
    """A site `a/b` and a SKU `b/c` at a site `a` never share a subject; reasons keep names as people wrote them."""
    rows = pl.DataFrame({"site": ["a/b", "a"], "sku": ["c", "b/c"], "location": ["x", "x"]}).with_columns(
        invariant=pl.lit("on_hand"), broken=pl.lit(value=True), time_us=0, event_id=pl.lit("m"), amount=1_000,
        uom=pl.lit("each"), leak=pl.lit("location"), direction=pl.lit("down"), since_us=0, counts=3, statistic=6.0,
        looked_us=0, reason=pl.lit("r"), quantity=2_000, bucket_end=0, before=0.1, after=1.0,
    )  # fmt: skip
    whole_sku = rows.with_columns(location=pl.lit(None, pl.String))
    told = {
        "invariant": invariant_signals(rows),
        "leak": leak_signals(rows),
        "leak of all places": leak_signals(whole_sku),
        "drift": drift_signals(rows),
    }
    assert {name: signals["subject"].to_list() for name, signals in told.items()} == {
        "invariant": ["a%2Fb/c/x/on_hand", "a/b%2Fc/x/on_hand"],
        "leak": ["a%2Fb/c/x", "a/b%2Fc/x"],
        "leak of all places": ["a%2Fb/c", "a/b%2Fc"],
        "drift": ["a%2Fb/c", "a/b%2Fc"],
    }
    assert all("a/b/c" in reason for signals in told.values() for reason in signals["reason"])
