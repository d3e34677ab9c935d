"""Demand to work: the most specific rule, sums over SKUs, and what no rule is about told."""

from __future__ import annotations

from math import fsum

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.alignment.work import DEMAND, UNMAPPED_SCHEMA, WORK_SCHEMA, Rule, WorkMap
from domain.demand.estimates import ESTIMATES
from schemas.errors import SettingsError

HOUR = 3_600_000_000
DAY = 24 * HOUR


def _demand(*rows):
    """(site, sku, category, mean, variance), of a day."""
    data = [(site, sku, category, 0, DAY, mean, variance) for site, sku, category, mean, variance in rows]
    return pl.DataFrame(data, schema=DEMAND, orient="row")


def test_work_adds_up_by_zone():
    """Means by the units of each SKU, variances by their squares, the rate per hour of the horizon."""
    mapping = WorkMap("2026-11", [Rule("pick", 0.5, category="small"), Rule("bulk", 3, sku="crate")])
    rows = (
        ("north", "a", "small", 48.0, 16.0),
        ("north", "b", "small", 96.0, 4.0),
        ("north", "crate", "big", 8.0, 1.0),
    )
    work = mapping.work(_demand(*rows))
    assert work.zones.schema == WORK_SCHEMA
    assert work.zones.rows() == [
        ("north", "bulk", 0, DAY, 1.0, 24.0, 9.0, 1, "2026-11"),
        ("north", "pick", 0, DAY, 3.0, 72.0, 5.0, 2, "2026-11"),
    ]
    assert work.unmapped.height == 0


def test_what_no_rule_is_about_is_told():
    """And is no work of zero; a SKU without robot work has a rule that says so."""
    mapping = WorkMap("1", [Rule("pick", 1, site="north", category="small"), Rule("hands", 0, sku="sofa")])
    work = mapping.work(_demand(("south", "a", "small", 5.0, 1.0), ("south", "sofa", None, 2.0, 1.0)))
    assert work.unmapped.schema == UNMAPPED_SCHEMA
    assert work.unmapped.rows() == [("south", "a", "small", 0, DAY, 5.0, "1")]
    assert work.zones.select("zone", "rate", "skus").rows() == [("hands", 0.0, 1)]


def test_the_most_specific_rule_holds():
    """SKU before category before any; of these, one site before any."""
    keys = [(), ("site",), ("category",), ("site", "category"), ("sku",), ("site", "sku")]
    value = {"site": "north", "sku": "a", "category": "small"}
    rules = [Rule(str(n), 1, **{name: value[name] for name in key}) for n, key in enumerate(keys)]
    for n in reversed(range(len(rules))):
        found = WorkMap("1", rules[: n + 1][::-1]).rule("north", "a", "small")
        assert found is not None
        assert found.zone == str(n)
    assert WorkMap("1", rules).rule("north", "b", None) == rules[1]
    assert WorkMap("1", rules).rule("south", "b", None) == rules[0]


def test_horizons_are_not_mixed():
    """Demand of another horizon is another row."""
    rows = pl.concat([_demand(("n", "a", None, 24.0, 1.0)), _demand(("n", "b", None, 24.0, 1.0))])
    rows = rows.with_columns(horizon_end=pl.Series([DAY, 2 * DAY]))
    assert WorkMap("1", [Rule("z", 1)]).work(rows).zones["rate"].to_list() == [1.0, 0.5]


def test_rules_about_the_same_are_an_error_that_names_both():
    """Together with all else that is wrong."""
    with pytest.raises(SettingsError) as raised:
        WorkMap("", [Rule("pick", 1, sku="a"), Rule("bulk", 2, sku="a"), Rule("*", -1, sku="a", category="c")])
    message = str(raised.value)
    assert "zone='pick'" in message
    assert "zone='bulk'" in message
    for part in ("no version", "are about the same", "needs a zone", "both a SKU", "at least 0"):
        assert part in message


def test_a_rule_given_twice_is_an_error():
    """Even if both say the same: one of them will be changed some day."""
    with pytest.raises(SettingsError, match="about the same"):
        WorkMap("1", [Rule("pick", 1, sku="a"), Rule("pick", 1, sku="a")])


@pytest.mark.parametrize("units", [float("nan"), float("inf"), -0.1])
def test_units_are_finite_and_not_negative(units):
    """Else one rule would spoil a whole zone."""
    with pytest.raises(SettingsError, match="work units"):
        WorkMap("1", [Rule("pick", units)])


def test_it_takes_what_demand_gives():
    """The columns are those of the estimates of demand."""
    assert all(ESTIMATES[name] == dtype for name, dtype in DEMAND.items())


_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["n", "s"]),
        st.sampled_from("abcdef"),
        st.sampled_from(["x", "y", None]),
        st.floats(0, 1e12),
        st.floats(0, 1e24),
    ),
    max_size=25,
    unique_by=lambda row: row[:2],
)


@settings(deadline=None)
@given(_ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_show(rows, random):
    """Not in the last bit; and no demand is lost: all is work or unmapped."""
    mapping = WorkMap("1", [Rule("p", 0.1, category="x"), Rule("q", 0.7, site="n", sku="a"), Rule("q", 1.3, sku="b")])
    one = mapping.work(_demand(*rows))
    other = mapping.work(_demand(*random.sample(rows, len(rows))))
    assert one.zones.equals(other.zones)
    assert one.unmapped.equals(other.unmapped)
    assert one.zones["skus"].sum() + one.unmapped.height == len(rows)
    plain = {}
    for site, sku, category, mean, _ in rows:
        rule = mapping.rule(site, sku, category)
        if rule:
            plain.setdefault((site, rule.zone), []).append(rule.units * mean)
    assert {row[:2]: row[2] for row in one.zones.select("site", "zone", "mean").rows()} == {
        key: fsum(parts) for key, parts in plain.items()
    }
