"""A controller on real topics: it hears each setpoint once, answers on the control topic, and is heard."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import pytest

from domain.twin.streams import ROBOT_STATE, TASK
from flows.settings import Kafka as KafkaSettings
from flows.settings import KafkaSource, Settings, Time, Topics
from sinks.kafka.events import ID_HEADER
from tests.conftest_kafka import Kafka, until
from tests.flows.process import start
from tests.flows.warehouse import settings_of, table

from .floor import START, alignment, answer, clean, time_of

pytestmark = pytest.mark.xdist_group("kafka kills")

MINUTES = 40
ROUNDS = 4


def minutes() -> Iterator[dict[str, list[bytes]]]:
    """What robots say and what is said of tasks, a minute at a time."""
    for number in range(MINUTES):
        begin = START.timestamp() + number * 60
        yield {
            stream: [line for time, line in clean()[stream] if begin <= time < begin + 60]
            for stream in (ROBOT_STATE, TASK)
        }


def setpoints(kafka: Kafka, topic: str) -> list[tuple[str, dict[str, object]]]:
    """Identity and content of all setpoints that were sent, as a reader of committed messages finds them."""
    found = []
    for message in kafka.read(topic):
        headers = dict(message.headers() or [])
        body = json.loads(message.value() or b"{}")
        if headers["ce_type"] == b"takt.signal.setpoint.v1" and body["status"] == "sent":
            found.append((headers[ID_HEADER].decode(), body))
    return found


def at(setpoint: dict[str, object]) -> float:
    """When it was decided, in seconds from the start."""
    return time_of(json.dumps({"event_time": setpoint["decided_at"]}).encode()) - START.timestamp()


@pytest.mark.slow
@pytest.mark.kafka
def test_a_controller_hears_once_and_is_heard(kafka: Kafka, tmp_path):
    """Between stretches of telemetry it answers all that is new; the flow is stopped and started in the midst."""
    topics = {stream: kafka.topic() for stream in (ROBOT_STATE, TASK, "control")}
    outputs = Topics(**{role: kafka.topic() for role in Topics.model_fields})
    sources = {
        name.partition(".")[0]: KafkaSource(kind="kafka", contract=f"{name}@1", topic=topic)
        for name, topic in topics.items()
    }
    update = {
        "kafka": KafkaSettings(bootstrap=kafka.broker.bootstrap),
        "topics": outputs,
        "sources": sources,
        "alignment": alignment(),
        "time": Time(lateness_s=10, idle_after_s=1.0),
    }
    settings: Settings = settings_of(tmp_path, tmp_path).model_copy(update=update)
    answered: set[str] = set()
    flow, left = start(settings), minutes()

    def heard() -> bool:
        """Whether there is something new; a minute passes, as a fleet of which nobody speaks holds nobody back."""
        for stream, lines in next(left, {}).items():
            kafka.produce(topics[stream], lines)
        return len(setpoints(kafka, outputs.signals)) > len(answered)

    for number in range(ROUNDS):
        until(heard, 90)
        for _, body in setpoints(kafka, outputs.signals):
            name = str(body["setpoint"])
            if name not in answered:
                answers = [answer(name, "accepted", at(body) + 30), answer(name, "completed", at(body) + 60)]
                kafka.produce(topics["control"], [line for _, line in answers])
                answered.add(name)
        if number == ROUNDS // 2:
            flow.disturb(0, 0.0, signal.SIGTERM)
            flow = start(settings)
    until(lambda: heard() or _completed(settings) > 0, 90)
    flow.disturb(0, 0.0, signal.SIGTERM)
    told = setpoints(kafka, outputs.signals)
    assert len({name for name, _ in told}) == len(told) == len({body["setpoint"] for _, body in told})
    assert _completed(settings) > 0


def _completed(settings: Settings) -> int:
    return table(settings, "setpoint").filter(status="completed").height
