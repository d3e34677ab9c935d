"""After kill -9 at any moment and a restart, lake and topics equal those of an undisturbed run, from Kafka to both."""

from __future__ import annotations

import itertools
import random
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Message

from domain.twin.warehouse import STREAMS
from flows.ingest import to_topic
from flows.recovery import Run
from flows.settings import Kafka as KafkaSettings
from flows.settings import KafkaSource, Output, Settings, Time, Topics
from schemas.registry import find_contract
from sinks.kafka.events import ID_HEADER, WRITER_HEADER
from tests.conftest_kafka import Kafka

from .alignment.floor import DECIDED, alignment
from .process import FlowProcess, start
from .warehouse import FILLED, settings_of, small_day, table, tables

pytestmark = pytest.mark.xdist_group("kafka kills")

# As in test_kills: epochs that close windows, then runs that are killed before they close one again.
MANY_ROWS = 100
FEW_ROWS = 5
TIME = Time(window_s=90, lateness_s=30)  # each window costs as much as hundreds of messages

Event = tuple[object, ...]
"""All of a message but its offset and time, which are of the moment, and its writer, whose name has the run in it."""


@dataclass(frozen=True)
class Inputs:
    """The day of the warehouse on topics, one per stream."""

    kafka: Kafka
    topics: dict[str, str]

    def outputs(self) -> Topics:
        """Topics for the results of one run."""
        return Topics(**{role: self.kafka.topic(2) for role in Topics.model_fields})

    def settings(self, folder: Path, outputs: Topics, *, eager: bool = False, **how: Any) -> Settings:
        """Settings of a run from these topics to a lake in `folder` and to `outputs`."""
        sources = {
            stream.partition(".")[0]: KafkaSource(kind="kafka", contract=f"{stream}@1", topic=topic, stop_at_end=True)
            for stream, topic in self.topics.items()
        }
        kafka = KafkaSettings(bootstrap=self.kafka.broker.bootstrap)
        update = {"kafka": kafka, "topics": outputs, "output": Output(eager=eager), "sources": sources}
        update |= {"alignment": alignment(), "time": TIME}
        return settings_of(folder, folder, **how).model_copy(update=update)

    def events(self, settings: Settings) -> Counter[Event]:
        """What readers of committed messages find on the topics of a run, and how often."""
        run = msgspec.json.decode((settings.recovery.folder / "run.json").read_bytes(), type=Run)
        writer = f"takt-throughput-{run.run_id}-kafka-0".encode()
        names: dict[str, str] = settings.topics.model_dump()
        return Counter(_event(role, m, writer) for role, topic in names.items() for m in self.kafka.read(topic))


def _event(role: str, message: Message, writer: bytes) -> Event:
    headers = dict(message.headers() or [])
    assert headers.pop(WRITER_HEADER) == writer, "a crash must not change who writes"
    return headers[ID_HEADER], role, message.partition(), message.key(), tuple(headers.items()), message.value()


@pytest.fixture(scope="module")
def inputs(kafka: Kafka) -> Inputs:
    """The inputs, keyed by entity as `takt ingest` does."""
    topics = {stream: kafka.topic(2) for stream in STREAMS}
    settings = Settings(kafka=KafkaSettings(bootstrap=kafka.broker.bootstrap))
    for stream, topic in topics.items():
        messages = [*small_day(stream=stream).messages]
        assert to_topic([messages], settings, topic, find_contract(f"{stream}@1"), lambda _: None) == len(messages)
    return Inputs(kafka, topics)


@pytest.fixture(scope="module")
def undisturbed(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], Counter[Event]]:
    """The tables and the events of a run that nobody disturbs."""
    settings = inputs.settings(tmp_path_factory.mktemp("undisturbed"), inputs.outputs())
    assert start(settings).end() == 0
    expected, events = tables(settings), inputs.events(settings)
    assert all(expected[name].count("\n") > 1 for name in [*FILLED, *DECIDED])
    assert {role for _, role, *_ in events} == {"estimates", "signals", "quarantine"}
    assert len({identity for identity, *_ in events}) == events.total(), "an id is out twice"
    return expected, events


def kill(
    settings: Settings, number: int, dice: random.Random, many_rows: int = MANY_ROWS, few_rows: int = FEW_ROWS
) -> FlowProcess:
    """Start the flow and kill it: in turn at any moment, and right after a commit of its first or second sink."""
    if number % 2:
        flow = start(settings, batch_rows=few_rows)
        flow.disturb(dice.randint(0, 6), dice.uniform(0, 0.3), signal.SIGKILL)
    else:
        flow = start(settings, batch_rows=many_rows, die_after_commit=1 + number // 2 % 4)
        assert flow.end() == -signal.SIGKILL
        assert flow.lake.value - flow.kafka.value == (number // 2 + 1) % 2
    return flow


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kills", "workers", "eager"),
    [(20, (1, 1, 2, 2, 1), False), (3, (1,), True)],
    ids=["one worker and two in turn, each also after itself", "eager"],
)
def test_killed_runs_leave_lake_and_topics_of_an_undisturbed_one(inputs, undisturbed, tmp_path, kills, workers, eager):
    """Kills at start, in the midst, between the sinks' commits and between these and the engine's change nothing.

    Eager events may be out more than once, but then as they were; the lake is the same.
    """
    expected, events = undisturbed
    dice = random.Random(20)
    turns = itertools.cycle(workers)
    outputs = inputs.outputs()
    after_output = 0
    for number in range(kills):
        settings = inputs.settings(tmp_path, outputs, eager=eager, every_s=0.02, workers=next(turns))
        after_output += kill(settings, number, dice).commits > 0
    assert after_output >= kills // 2
    settings = inputs.settings(tmp_path, outputs, eager=eager, workers=next(turns))
    messages = sum(len(small_day(stream=stream).messages) for stream in STREAMS)
    assert 0 < table(settings, "accounting")["rows_in"].sum() < messages
    assert start(settings).end() == 0
    assert tables(settings) == expected
    found = inputs.events(settings)
    assert not found.keys() - events.keys(), "events that an undisturbed run has not"
    assert (events - found).total() == 0, "events are missing"
    assert ((found - events).total() > 0) == eager
