"""Demand that is forecast becomes work ahead of its tasks, joined by event time, whatever comes first."""

from __future__ import annotations

import json

import polars as pl
import pytest

from flows.alignment.sections import WorkRule
from flows.run import run
from flows.setting_sections import Stock
from flows.settings import Settings, Time
from flows.sources import files
from tests.flows.warehouse import table

from .floor import START, alignment, at, clean, decided, settings_of_floor, written

TIME = Time(window_s=90, lateness_s=30)  # each window costs as much as hundreds of messages
STOCK = Stock(bucket="hour", horizon=4, disorder_s=60.0)
HOURS, LINES = 30, 12
RULES = (
    WorkRule(site="north", sku="bolt", zone="pick", units=0.5),
    WorkRule(sku="nut", zone="pack", units=2.0),
)
LAG_S = 1_800.0


def lines(skus=("bolt", "nut", "pin")):
    """Order lines of two sites, a dozen an hour of each SKU, from thirty hours before the robots to their end."""
    for hour in range(-HOURS, 1):
        for number in range(LINES):
            for site in ("north", "south"):
                for sku in skus:
                    seconds = hour * 3600 + number * 300 + 1
                    fields = {
                        "event_id": f"{site}-{sku}-{hour}-{number}",
                        "site": site,
                        "sku": sku,
                        "quantity": 3.0,
                        "uom": "each",
                        "priority": 5,
                        "in_stock": True,
                        "event_time": at(seconds),
                    }
                    yield START.timestamp() + seconds, json.dumps(fields).encode()


def settings_with_demand(folder, streams, **how) -> Settings:
    chosen = alignment(work=RULES, work_version="7", demand_lag_s=LAG_S, horizons_s=(900.0, 3600.0, 7200.0))
    inputs = written(folder / "in", streams)
    settings = settings_of_floor(folder, inputs, chosen, time=TIME, **how)
    lines_of = settings.sources["telemetry"].model_copy(
        update={"contract": "demand.line@1", "path": inputs / "demand.line.jsonl"}
    )
    return settings.model_copy(update={"stock": STOCK, "sources": settings.sources | {"orders": lines_of}})


@pytest.fixture(scope="module")
def joined(tmp_path_factory) -> Settings:
    """A run over robots, tasks and order lines."""
    settings = settings_with_demand(tmp_path_factory.mktemp("joined"), clean() | {"demand.line": list(lines())})
    run(settings)
    return settings


def work(settings: Settings, zone: str) -> pl.DataFrame:
    return table(settings, "alignment").filter(site="north", zone=zone).sort("event_time", "horizon_s")


@pytest.mark.slow
def test_forecasts_are_work_for_horizons_of_a_bucket_and_more(joined):
    """Thirty-six bolts an hour at half a unit each are eighteen units an hour, of the mapping that is told."""
    rows = work(joined, "pick").filter(pl.col("horizon_s") >= 3600)
    assert set(rows["demand_source"]) == {"forecast"}
    assert set(rows["work_version"]) == {"7"}
    per_hour = rows["demand"] / (rows["horizon_s"] / 3600)
    assert per_hour.to_list() == pytest.approx([18.0] * rows.height, rel=0.1)
    assert (rows["demand_lo95"] < rows["demand"]).all()
    assert (rows["demand"] < rows["demand_hi95"]).all()


@pytest.mark.slow
def test_what_arrives_tells_more_of_less_than_a_bucket_and_of_zones_without_rules(joined):
    """Of a quarter of an hour, and of the dock, for which no rule speaks."""
    short = work(joined, "pick").filter(pl.col("horizon_s") < 3600)
    assert set(short["demand_source"]) | set(work(joined, "dock")["demand_source"]) == {"arrivals"}


@pytest.mark.slow
def test_demand_without_a_rule_is_told_once(joined):
    """Pins have none, nor have bolts in the south."""
    told = table(joined, "signal").filter(kind="demand_unmapped")["subject"].to_list()
    assert sorted(told) == ["north/pin", "south/bolt", "south/pin"]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_the_join_does_not_depend_on_batches_or_workers(joined, tmp_path, monkeypatch, workers):
    """Small batches of one stream come long before or after those of another."""
    monkeypatch.setattr(files, "_CHUNK", 80_000)
    again = settings_with_demand(tmp_path, clean() | {"demand.line": list(lines())}, workers=workers, every_s=0.5)
    run(again)
    assert decided(again) == decided(joined)
