"""The book, and what counts said of it, against the stock of simulated sites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import polars as pl

Tables = Mapping[str, pl.DataFrame]
Line = tuple[str, str, str, str]

_PLACE: Final = ("site", "sku", "location")
_LOSS: Final = pl.col("class").is_in(["shrinkage", "gain"])


def lines(truth: Tables, found: Tables) -> Iterator[Line]:
    """Lines of the table; `truth` are tables of `domain.twin.stock_trade.Trade.truth`, `found` those of the lake."""
    yield from _book(truth, found["stock"])
    yield from _leaks(truth, found)
    yield from _counts(truth, found["looks"])
    yield from _messages(truth["messages"], found["accounting"])


def _book(truth: Tables, book: pl.DataFrame) -> Iterator[Line]:
    missing = _unbooked(truth).group_by(_PLACE).agg(pl.col("unbooked").sum())
    both = truth["stock"].join(missing, on=_PLACE, how="left").join(book, on=_PLACE, how="left").fill_null(0)
    wanted = pl.col("on_hand") + pl.col("leaked") - pl.col("unbooked")
    off = both.select((pl.col("book") - wanted).abs().sum()).item()
    summed = both.select(pl.col("on_hand", "leaked", "unbooked", "book").sum()).row(0, named=True)
    yield f"units on hand at {both.height} places", f"{summed['on_hand']:,}", "", ""
    yield "  and leaked, and not booked for want of a paper", f"{summed['leaked']:,}, {-summed['unbooked']:+,}", "", ""
    expected = summed["on_hand"] + summed["leaked"] - summed["unbooked"]
    yield "  in the book", f"{expected:,}", f"{summed['book']:,}", f"{off} off"


def _unbooked(truth: Tables) -> pl.DataFrame:
    """Moves that no good message tells of: place, `at` and `unbooked`, what they added to on hand."""
    if truth["unbooked"].height == 0:
        return pl.DataFrame(schema=dict.fromkeys(_PLACE, pl.String) | {"at": pl.String, "unbooked": pl.Int64})
    return truth["unbooked"].select(*_PLACE, at="event_time", unbooked=pl.col("quantity").cast(pl.Int64))


def _leaks(truth: Tables, found: Tables) -> Iterator[Line]:
    places = truth["leaks"]
    if places.height == 0:
        return
    leaks = set(places.select(_name()).to_series())
    signals = set(found["signals"].filter(pl.col("kind") == "stock_leak")["subject"])
    # A signal names the place, or the site and SKU where all its locations leak together.
    named = {leak for leak in leaks if leak in signals or leak.rpartition("/")[0] in signals}
    misbooked = set(_unbooked(truth).select(_name()).to_series())
    false = {s for s in signals if not any(f"{place}/".startswith(f"{s}/") for place in leaks | misbooked)}
    losses = set(found["looks"].filter(_LOSS).select(_name()).to_series())
    yield "leaks told by slow leak signals", str(len(leaks)), str(len(named)), f"{len(false)} false"
    yield "  by counts of class shrinkage", str(len(leaks)), str(len(leaks & losses)), ""


def _name() -> pl.Expr:
    """A place as signals name it."""
    return pl.concat_str(_PLACE, separator="/")


def _counts(truth: Tables, looks: pl.DataFrame) -> Iterator[Line]:
    both = truth["counts"].join(looks, on="event_id", how="inner", suffix="_named")
    both = both.filter(~pl.col("leaking")).join(_misbooked(truth, both), on="event_id", how="anti")
    sound = both.filter(pl.col("slip").is_null())
    false = sound.filter(_LOSS).height
    per = f"{1000 * false / sound.height:.1f} per 1,000" if sound.height else ""
    yield "false alarms in counts keyed rightly of sound stock", f"{sound.height:,} counts", str(false), per
    slips = both.filter(pl.col("slip").is_not_null())
    right = slips.filter(pl.col("slip") == pl.col("slip_named")).height
    yield "slips of the hand there, named as what they were", str(slips.height), str(right), ""


def _misbooked(truth: Tables, counts: pl.DataFrame) -> pl.DataFrame:
    """Counts of stock that the book has wrong, because moves before them were never booked."""
    before = counts.join(_unbooked(truth), on=_PLACE).filter(pl.col("at") <= pl.col("as_of"))
    return before.group_by("event_id").agg(pl.col("unbooked").sum()).filter(pl.col("unbooked") != 0)


def _messages(messages: pl.DataFrame, accounting: pl.DataFrame) -> Iterator[Line]:
    malformed = pl.col("fate").str.starts_with("malformed.")
    written = {
        "quarantined": malformed,
        "duplicates": pl.col("fate") == "duplicate",
        "conflicts": pl.col("fate") == "conflict",
    }
    for name, fate in written.items():
        truth = int(messages.filter(fate)["messages"].sum())
        told = int(accounting[name][0])
        yield f"messages: {name}", f"{truth:,}", f"{told:,}", f"{told - truth:+}" if told != truth else ""
