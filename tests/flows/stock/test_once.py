"""An event that comes through several partitions or sources counts once, and every copy is accounted for."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from domain.streaming.partition import IDENTITY, OFFSET, PARTITION, RAW, Stream
from domain.streaming.watermark import TimeBounds
from domain.streaming.windows import TIME
from flows.carried import LATE, SOURCE
from flows.stock.once import Once
from flows.stock.streams import MOVE
from schemas.batch import CONTENT
from schemas.outputs import OUTPUTS

from .lanes import RESULTS
from .site import DAY_S, DEDUPE_S, HOUR_S, text
from .step_flow import Lane, StockFlow
from .test_silence import MOVES, count, move

COUNTS = ["good", "quarantined", "late", "duplicates", "conflicts"]
HERE, THERE = MOVES
PARTS = Path("parts-are-too-small-for-files")

ONE = [move(f"m{hour}", 1, hour * HOUR_S) for hour in range(6)]
LATE_COPY = [move("there", 1, 4 * HOUR_S), ONE[1]]
END = [move("end", 0, 30 * DAY_S)]
END_THERE = [move("end there", 0, 30 * DAY_S)]


def sale(name: str, time_s: float) -> bytes:
    """A bolt sold at the till."""
    row = {"event_id": name, "site": "north", "sku": "bolt", "quantity": 1.0, "uom": "each", "in_stock": True}
    return json.dumps(row | {"event_time": text(time_s)}).encode()


def played(lanes: dict[Lane, Sequence[bytes]], dice: random.Random | None = None) -> StockFlow:
    """All lanes to their ends: one after the other, or row by row in any order with a restart now and then."""
    flow = StockFlow(PARTS)
    for lane in flow.lanes:
        if lane not in lanes:
            flow.end(lane)
    for lane, rows in _batches(lanes, dice):
        flow.read(lane, rows)
        if dice and dice.random() < 0.2:
            flow.resume()
            for one in flow.lanes:
                if one not in lanes:
                    flow.end(one)
    for lane in lanes:
        flow.end(lane)
    flow.finish()
    return flow


def _batches(lanes: dict[Lane, Sequence[bytes]], dice: random.Random | None) -> Iterator[tuple[Lane, Sequence[bytes]]]:
    if dice is None:
        yield from lanes.items()
        return
    left = {lane: list(rows) for lane, rows in lanes.items()}
    while any(left.values()):
        lane = dice.choice([lane for lane, rows in left.items() if rows])
        yield lane, [left[lane].pop(0)]


def sums(flow: StockFlow, lane: Lane) -> dict[str, int]:
    """What became of the rows of a lane; they add up to the rows read."""
    source, partition = lane
    rows = flow.table("accounting").filter(source=source, partition=partition)
    found = rows.select(pl.col("rows_in", *COUNTS).sum()).row(0, named=True)
    assert found.pop("rows_in") == sum(found.values()) == flow.read_so_far[lane]
    return {name: value for name, value in found.items() if value}


def on_hand(flow: StockFlow) -> Decimal:
    return flow.newest("stock_move").filter(sku="bolt")["on_hand"].sum()


def test_a_move_through_two_partitions_is_booked_once():
    """Its copy is a duplicate in the partition that is behind by name, also where it came late in that one."""
    flow = played({HERE: [*ONE, *END], THERE: [*LATE_COPY, *END_THERE]})
    assert on_hand(flow) == 7
    assert sums(flow, HERE) == {"good": 7}
    assert sums(flow, THERE) == {"good": 2, "duplicates": 1}
    assert flow.table("quarantine").height == 0


def test_what_came_last_of_two_copies_is_told_as_far_as_it_is_known():
    """At an end of input, windows that are not final book a copy once, too."""
    flow = played({HERE: ONE, THERE: ONE[-1:]})
    assert on_hand(flow) == 6


@pytest.mark.parametrize(
    ("other", "booked"),
    [
        (move("m3", 5, 3 * HOUR_S), 6),
        (move("another-name", 1, 3 * HOUR_S, document="m3"), 6),
        (move("m3", 1, 5 * HOUR_S, document="another-paper"), 6),
    ],
    ids=["another quantity", "another id for the same paper", "another paper of the same id"],
)
def test_another_move_under_a_known_identity_is_a_conflict(other, booked):
    """With its bytes and its place; whichever came first in event time counts, and by name where times are the same."""
    flow = played({HERE: [*ONE, *END], THERE: [other, *END_THERE]})
    assert on_hand(flow) == booked
    counted = [sums(flow, lane).get("conflicts", 0) for lane in MOVES]
    assert sum(counted) == 1
    (row,) = flow.table("quarantine").to_dicts()
    assert (row["kind"], row["reasons"], row["contract"]) == ("conflict", ["identity.conflict"], "inventory.move@1")
    assert row["partition"] == MOVES[counted.index(1)][1]
    assert row["raw"] in {other, ONE[3]}


def test_two_moves_of_one_partition_never_share_an_id():
    """A sender that gives all lines of a document one id is told so: the lake would take them for one."""
    lines = [move("paper", 1, 0), move("paper", 1, 0, line="2")]
    flow = played({HERE: [*lines, *END]})
    assert sums(flow, HERE) == {"good": 2, "conflicts": 1}
    moves = flow.newest("stock_move").filter(sku="bolt")
    assert moves["event_id"].n_unique() == moves.height == 2


def test_counts_and_sales_through_two_partitions_count_once():
    """One look of each kind at the count, and one bolt sold."""
    counts = [count("c", 6, 5 * HOUR_S + 600)]
    sales = [sale("s", 5 * HOUR_S)]
    twice: dict[Lane, Sequence[bytes]] = {("inventory.count", part): counts for part in "01"}
    twice |= {("pos.sale", part): sales for part in "01"}
    lanes = {HERE: [*ONE, move("later", 0, 20 * DAY_S), *END], **twice}
    flow = played(lanes)
    assert flow.table("reconciliation")["stage"].to_list() == ["final", "first"]
    assert flow.table("demand")["sold"].sum() == 1
    for lane in twice:
        assert sums(flow, lane) == ({"good": 1} if lane[1] == "0" else {"duplicates": 1})


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_order_of_arrival_cuts_and_restarts_change_nothing(seed):
    """Every table, refused rows and sums included."""
    conflict = move("m3", 5, 3 * HOUR_S)
    lanes = {HERE: [*ONE, *END], THERE: [*ONE[:3], conflict, *LATE_COPY, *END_THERE]}
    expected, found = played(lanes), played(lanes, random.Random(seed))
    for name in [*RESULTS, "late", "quarantine"]:
        assert found.table(name).equals(expected.table(name)), name
    assert [sums(found, lane) for lane in lanes] == [sums(expected, lane) for lane in lanes]
    assert sums(found, THERE)["duplicates"] == 4


SPEC = Stream("inventory.move@1", "hash", ("event_id",), {}, TimeBounds(1, 0, 0), round(DEDUPE_S * 1e6))


def rows(name: str, time_s: float, count: int = 1) -> dict[str, pl.DataFrame]:
    """So many moves of a time."""
    frame = pl.select(pl.int_range(count, dtype=pl.UInt64).alias(OFFSET)).with_columns(
        event_id=pl.format("{}-{}", pl.lit(name), OFFSET), **{CONTENT: pl.lit(7, pl.UInt64)}
    )
    moment = pl.lit(round(time_s * 1e6), pl.Int64).cast(pl.Datetime("us", "UTC")).alias(TIME)
    carried = {SOURCE: pl.lit("s"), PARTITION: pl.lit("0"), RAW: pl.lit(b""), LATE: pl.lit(value=False)}
    return {MOVE: frame.with_columns(moment, frame["event_id"].hash().alias(IDENTITY), **carried)}


def test_identities_are_forgotten_when_the_horizon_has_passed():
    """As they are in a partition; the memory does not grow with all that ever came."""
    once = Once(SPEC.dedupe_us, {"s": SPEC})
    kept = [MOVE in once.sift(rows("move", time_s))[0] for time_s in (0, DEDUPE_S, DEDUPE_S + 1, 2 * DEDUPE_S)]
    assert kept == [True, False, True, False]
    sizes = []
    for step in range(3, 13):
        once.sift(rows(str(step), step * DEDUPE_S, 3_000))
        sizes.append(sum(piece[0] for pieces in once.snapshot()[1].values() for piece in pieces))
    assert max(sizes) <= sum(sizes[:1]) * 4


def test_a_count_and_a_statement_of_one_id_are_two():
    """Ids are a stream's own: each has its looks and its proposal, under keys and ids of their own."""
    row = json.loads(count("c", 30, 5 * HOUR_S + 600))
    statement = {name: row[name] for name in ("event_id", "site", "sku", "location", "uom", "as_of", "event_time")}
    lanes: dict[Lane, Sequence[bytes]] = {
        HERE: [*ONE, move("later", 0, 20 * DAY_S), *END],
        ("inventory.count", "0"): [json.dumps(row).encode()],
        ("inventory.snapshot", "0"): [json.dumps(statement | {"on_hand": 30.0}).encode()],
    }
    flow = played(lanes)
    looks = flow.table("reconciliation")
    assert looks.select(OUTPUTS["reconciliation"].key).sort("kind", "stage").rows() == [
        ("c", kind, stage) for kind in ("count", "statement") for stage in ("final", "first")
    ]
    proposed = flow.table("adjustment").filter(status="proposed")
    assert sorted(proposed["kind"]) == ["count", "statement"]
    assert proposed["proposal"].n_unique() == 2
