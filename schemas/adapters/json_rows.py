"""Rows of a frame as JSON messages, so that tabular inputs go through the same gate as everything else."""

from __future__ import annotations

import msgspec
import polars as pl

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_FIRST_S, _LAST_S = -62_135_596_800, 253_402_300_799
"""Seconds since 1970 at the ends of the years 1 to 9999, which RFC 3339 can tell."""
_PER_SECOND = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def as_json(frame: pl.DataFrame) -> list[bytes]:
    """One JSON object per row: timestamps as RFC 3339 in UTC (naive ones are UTC), nulls left out.

    Days and timestamps that RFC 3339 cannot tell, like "infinity", are text that no contract takes for a time.

    >>> as_json(pl.DataFrame({"robot": ["r1"], "x": [None], "battery": [50.5]}))
    [b'{"robot":"r1","battery":50.5}']
    """
    texts = [_text(name, dtype) for name, dtype in frame.schema.items() if isinstance(dtype, pl.Datetime | pl.Date)]
    rows = frame.with_columns(texts).iter_rows(named=True)
    return [_ENCODER.encode({k: v for k, v in row.items() if v is not None}) for row in rows]


def _text(name: str, dtype: pl.Datetime | pl.Date) -> pl.Expr:
    day = isinstance(dtype, pl.Date)
    moment = pl.col(name).cast(pl.Datetime("ms")) if day else pl.col(name)
    zone, unit = (dtype.time_zone, dtype.time_unit) if isinstance(dtype, pl.Datetime) else (None, "ms")
    # Polars panics where it shall write other years.
    tellable = pl.when((moment.to_physical() // _PER_SECOND[unit]).is_between(_FIRST_S, _LAST_S)).then(moment)
    utc = tellable.dt.convert_time_zone("UTC") if zone else tellable
    text = utc.dt.strftime("%Y-%m-%d" if day else "%Y-%m-%dT%H:%M:%S%.6fZ")
    return text.fill_null(pl.col(name).to_physical().cast(pl.String)).alias(name)
