"""Demand and stock from Kafka to lake and Kafka: killed at any moment, they end as if nobody had disturbed them."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows.setting_sections import Kafka as KafkaSettings
from flows.setting_sections import KafkaSource, Output, Topics
from flows.settings import Settings
from tests.conftest_kafka import Kafka

from .process import start
from .stock.lanes import complete, lanes_of
from .stock.runs import FILLED, settings_of_stock, source_name
from .stock.site import PARTITIONS
from .test_kills_kafka import Event, Inputs, kill
from .warehouse import table, tables

pytestmark = pytest.mark.xdist_group("kafka kills")

DAYS = 20
"""So many that a run takes long enough to be killed."""
MANY_ROWS = 16
"""Per poll of each of eighteen partitions, for epochs that close windows."""
FEW_ROWS = 3


@dataclass(frozen=True)
class StockInputs(Inputs):
    """All streams of the two sites on topics."""

    def settings(self, folder: Path, outputs: Topics, *, eager: bool = False, **how: Any) -> Settings:
        """Settings of a run from these topics to a lake in `folder` and to `outputs`."""
        sources = {
            source_name(stream): KafkaSource(kind="kafka", contract=f"{stream}@1", topic=topic, stop_at_end=True)
            for stream, topic in self.topics.items()
        }
        kafka = KafkaSettings(bootstrap=self.kafka.broker.bootstrap)
        update = {"kafka": kafka, "topics": outputs, "output": Output(eager=eager), "sources": sources}
        return settings_of_stock(folder, folder, **how).model_copy(update=update)


@pytest.fixture(scope="module")
def inputs(kafka: Kafka) -> StockInputs:
    """The messages of each lane on its partition, in order of arrival."""
    streams = complete(days=DAYS)
    topics = {stream: kafka.topic(len(PARTITIONS)) for stream in streams}
    for (stream, partition), messages in lanes_of(streams).items():
        kafka.produce(topics[stream], messages, int(partition))
    return StockInputs(kafka, topics)


@pytest.fixture(scope="module")
def undisturbed(inputs: StockInputs, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], Counter[Event]]:
    """The tables and the events of a run that nobody disturbs."""
    settings = inputs.settings(tmp_path_factory.mktemp("undisturbed"), inputs.outputs())
    assert start(settings).end() == 0
    expected, events = tables(settings), inputs.events(settings)
    assert [name for name in FILLED if expected[name].count("\n") == 0] == []
    assert {role for _, role, *_ in events} == {"estimates", "signals", "quarantine"}
    assert len({identity for identity, *_ in events}) == events.total(), "an id is out twice"
    return expected, events


@pytest.mark.slow
@pytest.mark.parametrize(("kills", "workers"), [(8, (1, 1, 2, 2))], ids=["one worker and two, each also after itself"])
def test_killed_runs_leave_lake_and_topics_of_an_undisturbed_one(inputs, undisturbed, tmp_path, kills, workers):
    """Kills at start, in the midst, between the sinks' commits and between these and the engine's change nothing."""
    expected, events = undisturbed
    dice, turns, outputs = random.Random(7), itertools.cycle(workers), inputs.outputs()
    after_output = 0
    for number in range(kills):
        settings = inputs.settings(tmp_path, outputs, every_s=0.02, workers=next(turns))
        after_output += kill(settings, number, dice, MANY_ROWS, FEW_ROWS).commits > 0
    assert after_output >= kills // 2
    settings = inputs.settings(tmp_path, outputs, workers=next(turns))
    read = table(settings, "accounting")["rows_in"].sum()
    assert 0 < read < sum(len(messages) for messages in complete(days=DAYS).values())
    assert start(settings).end() == 0
    assert tables(settings) == expected
    assert inputs.events(settings) == events
