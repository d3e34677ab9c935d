"""Simulated sites that sell, against their own truth and the contracts."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import pytest

from domain.demand.classes import Classifier
from domain.twin.config import NO_DEFECTS, Defects
from domain.twin.demand_config import TradeConfig, clean
from domain.twin.demand_path import demand_path
from domain.twin.stock_records import COUNT, FORECAST, ITEM, MOVE, ORDER_LINE, POINT_OF_SALE, PROMOTION
from domain.twin.stock_trade import STREAMS, Trade
from quality.gate import Gate
from quality.registration import register
from schemas.batch import RawBatch
from schemas.messages import Messages
from schemas.registry import find_contract

pytestmark = pytest.mark.slow

SMALL = TradeConfig(days=28, skus=16, sites=2)
DISORDER_US = 300_000_000


def simulated(config):
    """Lines by stream, in order of arrival, and the truth."""
    trade = Trade(config)
    lines = sorted((line for some in trade.lines() for line in some), key=lambda line: line.delivered_us)
    streams = {stream: [line for line in lines if line.stream == stream] for stream in STREAMS}
    return streams, trade.truth()


def rows(lines):
    return [json.loads(line.text) for line in lines]


def us(text):
    moment = datetime.fromisoformat(text)
    return int(moment.replace(microsecond=0).timestamp()) * 1_000_000 + moment.microsecond


@pytest.fixture(scope="module")
def perfect():
    """Two sites where every paper is as it should be."""
    return simulated(clean(SMALL))


@pytest.fixture(scope="module")
def messy():
    """Two sites where much goes wrong."""
    return simulated(replace(SMALL, defects=Defects(0.02, 0.05, 0.02, 0.03, 0.02)))


def refused(stream, lines):
    """Numbers of the lines that the gate of the stream's contract refuses."""
    offsets = np.arange(len(lines), dtype=np.int64)
    arrived = np.array([line.delivered_us for line in lines], dtype=np.int64)
    batch = RawBatch(stream, "0", Messages.of([line.text for line in lines]), offsets, arrived)
    gated = Gate(register(find_contract(f"{stream}@1")), ("event_time",))(batch)
    assert gated.good.height + gated.rejects.height == len(lines)
    return set(gated.rejects["offset"].to_list())


def test_a_run_depends_on_its_config_alone():
    """The same seed gives the same bytes and truth, another one others."""
    config = replace(SMALL, days=14, skus=4)
    one, same, other = (simulated(c) for c in (config, config, replace(config, seed=2)))
    assert one == same
    assert one[0][MOVE] != other[0][MOVE]
    assert one[1]["demand"] != other[1]["demand"]


def test_messages_are_what_contracts_want(perfect):
    """The gate refuses none, every stream has some, and they come in order of event time but for small disorder."""
    for stream, lines in perfect[0].items():
        assert lines, stream
        assert not refused(stream, lines)
        told = [us(row["event_time"]) for row in rows(lines)]
        if stream != MOVE:
            assert all(line.delivered_us - at <= DISORDER_US for line, at in zip(lines, told, strict=True))
    items = rows(perfect[0][ITEM])
    fields = {field.name for field in find_contract("item@1").fields}
    assert all(set(item) == fields for item in items)


def test_malformed_messages_are_refused_and_no_others(messy):
    """Each fate that is called malformed is refused by the gate, and each other message passes it."""
    streams, truth = messy
    malformed = Counter()
    for row in truth["messages"]:
        if row["fate"].startswith("malformed."):
            malformed[row["stream"]] += row["messages"]
    assert {stream: len(refused(stream, lines)) for stream, lines in streams.items() if malformed[stream]} == malformed
    assert len({row["fate"] for row in truth["messages"]}) >= 13


def test_messages_add_up(messy):
    """Every message has one fate, and all that are not lost or under way are there, repeated and late as said."""
    streams, truth = messy
    fates = defaultdict(Counter)
    for row in truth["messages"]:
        fates[row["stream"]][row["fate"]] += row["messages"]
    for stream, lines in streams.items():
        gone = fates[stream]["lost"] + fates[stream]["under_way"]
        assert len(lines) == fates[stream].total() - gone
    sales = streams[POINT_OF_SALE]
    broken = refused(POINT_OF_SALE, sales)
    found, first = Counter(), {}
    for line in (line for number, line in enumerate(sales) if number not in broken):
        sale = json.loads(line.text)
        earlier = first.setdefault(sale["event_id"], line)
        if earlier is not line:
            assert 0 < line.delivered_us - earlier.delivered_us <= 120_000_000
            found["duplicate" if earlier.text == line.text else "conflict"] += 1
        elif line.delivered_us - us(sale["event_time"]) > DISORDER_US:
            found["late"] += 1
    assert found == {fate: fates[POINT_OF_SALE][fate] for fate in ("late", "duplicate", "conflict")}


def test_with_perfect_paperwork_the_book_is_the_stock_and_what_leaked(perfect):
    """Sums of moves are what is there and what has leaked, to the unit."""
    streams, truth = perfect
    book = Counter()
    for move in rows(streams[MOVE]):
        if move["reason"] != "order":
            book[move["site"], move["sku"], move["location"]] += move["quantity"]
    missing = Counter()
    for move in truth["unbooked"]:
        missing[move["site"], move["sku"], move["location"]] += move["quantity"]
    for place in truth["stock"]:
        key = (place["site"], place["sku"], place["location"])
        assert book[key] == place["on_hand"] + place["leaked"] - missing[key]
    assert sum(place["leaked"] for place in truth["stock"]) == sum(leak["quantity"] for leak in truth["leaks"]) > 0


def test_papers_that_never_come_are_known(messy):
    """Also where papers are lost, malformed and late the book is the stock, but for leaks and what is not booked."""
    streams, truth = messy
    book, seen = Counter(), set()
    broken = refused(MOVE, streams[MOVE])
    for number, line in enumerate(streams[MOVE]):
        if number not in broken:
            move = json.loads(line.text)
            identity = (move["site"], move["document"], move["line"])
            if identity not in seen and move["reason"] != "order":
                book[move["site"], move["sku"], move["location"]] += move["quantity"]
            seen.add(identity)
    for move in truth["unbooked"]:
        book[move["site"], move["sku"], move["location"]] += move["quantity"]
    wanted = {(p["site"], p["sku"], p["location"]): p["on_hand"] + p["leaked"] for p in truth["stock"]}
    assert wanted == dict(book)


def test_nothing_on_order_or_under_way_falls_below_zero(perfect):
    """Goods are ordered before they come and sent before they arrive, also between sites."""
    streams, _ = perfect
    coming = Counter()
    between = 0
    for move in sorted(rows(streams[MOVE]), key=lambda move: move["event_time"]):
        here = (move["site"], move["sku"], move["location"])
        match move["reason"]:
            case "order":
                coming["order", *here] += move["quantity"]
            case "receipt":
                coming["order", *here] -= move["quantity"]
            case "transfer_out":
                to_site = move["to_site"] or move["site"]
                between += move["to_site"] is not None
                coming["transit", to_site, move["sku"], move["to_location"]] -= move["quantity"]
            case "transfer_in":
                coming["transit", *here] -= move["quantity"]
        assert min(coming.values(), default=0) >= 0, move
    assert between


def test_sales_are_what_was_asked_for_and_could_be_had(perfect):
    """A day's sales are what the truth says; those who found too little left a sale that says so, and only they."""
    streams, truth = perfect
    sold, short = Counter(), set()
    for sale in rows([*streams[ORDER_LINE], *streams[POINT_OF_SALE]]):
        key = (sale["site"], sale["sku"], sale["event_time"][:10])
        sold[key] += sale["quantity"]
        if not sale["in_stock"]:
            short.add(key)
    days = {(day["site"], day["sku"], day["day"]): day for day in truth["demand"]}
    assert all(sold[key] == day["sold"] <= day["asked"] for key, day in days.items())
    assert short == {key for key, day in days.items() if day["sold"] < day["asked"]}
    assert 0 < len(short) < 0.2 * len(days)
    moved = Counter()
    for move in rows(streams[MOVE]):
        if move["reason"] == "sale":
            moved[move["site"], move["sku"]] -= move["quantity"]
    assert moved == {
        key: total
        for key in {key[:2] for key in sold}
        if (total := sum(number for name, number in sold.items() if name[:2] == key))
    }


@pytest.mark.parametrize("kind", TradeConfig().kinds, ids=lambda kind: kind.name)
def test_demand_is_of_its_class(kind):
    """A long series is classified as what it is, and its mean is what is expected."""
    path = demand_path(TradeConfig(days=2_000), kind, "plain", np.random.default_rng(5))
    classifier = Classifier()
    for number in path.asked.tolist():
        classifier.learn_one(float(number))
    assert classifier.demand_class == kind.name
    error = 4 * np.sqrt(path.asked.var() * len(path.asked))
    assert path.asked.sum() == pytest.approx(path.expected.sum(), abs=error)


def test_promotions_are_announced_and_kept(perfect):
    """Sales of promoted days name the promotion, announced a week before; its factor is in what is expected."""
    streams, truth = perfect
    announced = {(row["site"], row["promotion"]): row for row in rows(streams[PROMOTION])}
    assert announced
    for promotion in announced.values():
        ahead = datetime.fromisoformat(promotion["starts_at"]) - datetime.fromisoformat(promotion["event_time"])
        assert ahead == timedelta(days=7)
    named = [s for s in rows([*streams[ORDER_LINE], *streams[POINT_OF_SALE]]) if s["promotion"]]
    for sale in named:
        promotion = announced[sale["site"], sale["promotion"]]
        assert promotion["starts_at"] <= sale["event_time"] < promotion["ends_at"]
    uplift = {(series["site"], series["sku"]): series["uplift"] for series in truth["series"]}
    promoted = [day for day in truth["demand"] if day["promoted"]]
    assert len(promoted) == 6 * len(announced)
    for day in promoted:
        assert day["expected"] == pytest.approx(day["base"] * uplift[day["site"], day["sku"]], rel=1e-3)
        assert uplift[day["site"], day["sku"]] > 1.7


def test_levels_change_once(perfect):
    """A changing series goes on at another level; on the same weekday a week apart nothing else is different."""
    _, truth = perfect
    base = {(day["site"], day["sku"], date.fromisoformat(day["day"])): day["base"] for day in truth["demand"]}
    changing = [series for series in truth["series"] if series["changes_at"]]
    assert {series["change"] for series in changing} <= {0.5, 2.0}
    assert changing
    for series in changing:
        at = datetime.fromisoformat(series["changes_at"]).date()
        before = base[series["site"], series["sku"], at - timedelta(days=7)]
        assert base[series["site"], series["sku"], at] == pytest.approx(before * series["change"], rel=1e-3)


def test_counts_saw_what_was_there(perfect):
    """With perfect paperwork a count says what the truth says, and only leaking stock differs from the book."""
    streams, truth = perfect
    counted = {row["event_id"]: row for row in rows(streams[COUNT])}
    for count in truth["counts"]:
        assert counted[count["event_id"]]["quantity"] == count["on_hand"]
        assert count["slip"] is None


def test_a_planner_says_the_mean_times_a_bias():
    """Forecasts come before their day; on average they are the truth times the planner's bias."""
    streams, truth = simulated(replace(clean(SMALL), days=120, skus=3, sites=1, defects=NO_DEFECTS))
    expected = {(day["sku"], day["day"]): day["expected"] for day in truth["demand"]}
    ratios = defaultdict(list)
    for row in rows(streams[FORECAST]):
        assert row["event_time"] <= row["bucket_start"]
        if expected[row["sku"], row["bucket_start"][:10]] > 5:
            ratios[row["sku"]].append(row["quantity"] / expected[row["sku"], row["bucket_start"][:10]])
    biases = {series["sku"]: series["planner_bias"] for series in truth["series"]}
    for sku, some in ratios.items():
        assert np.mean(some) == pytest.approx(biases[sku], rel=0.05)
    assert len(ratios) == 2
