"""The frames and expectations that a sample is audited with.

Two suites per contract. `<contract>@<version>` holds the rules that the gate decides, on all rows that can be
decoded. `<contract>@<version> accepted` holds what only Great Expectations can tell (the contract's distribution,
uniqueness and other lane rules) and the volume check, on the rows that the gate let through.
"""

from __future__ import annotations

import math
from typing import Final

import polars as pl

from quality.audit_sample import Sample
from quality.gate import FUTURE
from quality.registration import Registered
from quality.suite import Expectation
from schemas.contract import Contract

VOLUME: Final = "volume.update_frequency"
"""Code of the check that entities report as often as the contract says."""

NOT_AFTER: Final = "_not_after"
"""Column: the latest event time that the gate accepts for a row, given when its message arrived."""

VOLUME_RATIO: Final = "_volume_ratio"
"""Column: messages per message that the contract leads one to expect; the same in all rows."""

_LOWEST, _HIGHEST = 0.5, 2.0
_FEWEST: Final = 200  # accepted rows that a rate can be judged from
_INNER: Final = 0.9  # share of the rows that lies between the quantiles, free of stray event times
_MOST_DISTINCT: Final = 0.7  # above this share of distinct entities their number cannot be told from a sample


def gate_rules(registered: Registered) -> list[Expectation]:
    """The rules that the gate decides, with its own rule on future event times as an expectation like the others."""
    compiled = {rule.code for rule in registered.rules}
    rules = [e for e in registered.suite["expectations"] if e["meta"]["code"] in compiled]
    event_time = registered.contract.event_time_field
    kwargs = {"column_A": NOT_AFTER, "column_B": event_time, "or_equal": True}
    return [*rules, _expectation(FUTURE, "expect_column_pair_values_a_to_be_greater_than_b", "critical", kwargs)]


def accepted_rules(registered: Registered, *, volume: bool) -> list[Expectation]:
    """The rules that only Great Expectations checks, and the volume check where it makes sense."""
    if not volume:
        return list(registered.gx_lane)
    kwargs = {"column": VOLUME_RATIO, "min_value": _LOWEST, "max_value": _HIGHEST}
    return [*registered.gx_lane, _expectation(VOLUME, "expect_column_max_to_be_between", "warning", kwargs)]


def volume_ratio(contract: Contract, sample: Sample, accepted: pl.DataFrame) -> float | None:
    """Messages seen per message expected from the contract's update frequency; None where that cannot be told.

    Expected are as many as the entities would send in the event time that the sample spans. How many entities there
    are follows from how many distinct ones the sample has (the occupancy equation n distinct of m draws).
    """
    n = accepted.height
    distinct = accepted[contract.entity_field].n_unique()
    if contract.update_every_s is None or n < _FEWEST or distinct > _MOST_DISTINCT * n:
        return None
    times = accepted[contract.event_time_field].to_physical()
    low, high = times.quantile((1 - _INNER) / 2), times.quantile((1 + _INNER) / 2)
    if low is None or high is None or high <= low:
        return None
    span_s = (high - low) / _INNER / 1e6
    expected = _entities(distinct, n) * span_s / contract.update_every_s
    return (sample.seen - sample.rejected) / expected


def _entities(distinct: int, draws: int) -> float:
    """Number of equally likely entities of which `draws` draws show `distinct`: E (1 - exp(-draws / E)) = distinct."""
    low, high = float(distinct), float(distinct) * 1000
    while high - low > low * 1e-6:
        middle = (low + high) / 2
        if middle * -math.expm1(-draws / middle) < distinct:
            low = middle
        else:
            high = middle
    return low


def _expectation(code: str, kind: str, severity: str, kwargs: dict[str, object]) -> Expectation:
    meta = {"code": code, "severity": severity}
    return {"type": kind, "kwargs": kwargs, "severity": severity, "meta": meta}
