"""The controller of the page on signals, on fakes of the Kafka client: what it answers, and that the gate takes it."""

from __future__ import annotations

import runpy
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest

from quality.gate import Gate
from quality.registration import register
from schemas.batch import Messages, RawBatch
from schemas.outputs import SETPOINT
from schemas.registry import find_contract
from sinks.kafka.events import Event, events
from tests.docs.pages import DOCS, blocks

NOW = datetime.now(UTC)
PAGE = DOCS / "how-to" / "act-on-signals.md"
CONTROLLER = next(b.text for b in blocks(PAGE.read_text("utf-8")) if "controller.py" in b.role)


class NoMoreError(Exception):
    """All signals have been read."""


class Message:
    """A message of the client."""

    def __init__(self, event: Event) -> None:
        self.event = event

    def error(self):
        return None

    def headers(self):
        return self.event.headers

    def value(self):
        return self.event.value


def told(setpoint: str, status: str, expires_at: datetime, zone: str = "pick") -> Event:
    """A row of the output as the flow sends it."""
    row = dict.fromkeys(SETPOINT.schema) | {
        "setpoint": setpoint, "site": "north", "zone": zone, "event_time": NOW, "status": status, "robots": 3,
        "decided_at": NOW, "effective_at": NOW, "expires_at": expires_at, "cut": "", "reason": "of demand.",
    }  # fmt: skip
    frame = pl.DataFrame([row], schema=SETPOINT.schema)
    return next(events(SETPOINT, frame, flow="throughput", writer="w"))


def answers(signals: list[Event], script: Path, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the controller sends, until there is nothing more to read."""
    left, sent = list(signals), []

    class Client:
        def __init__(self, settings: dict[str, object]) -> None:
            self.settings = settings

        def subscribe(self, topics: list[str]) -> None:
            assert topics == ["takt.signals"]
            assert self.settings["isolation.level"] == "read_committed"

        def poll(self, _seconds: float) -> Message:
            if not left:
                raise NoMoreError
            return Message(left.pop(0))

        def produce(self, topic: str, *, key: str, value: str) -> None:
            assert topic == "takt.control"
            assert key in value
            sent.append(value.encode())

        def flush(self) -> None:
            pass

        def commit(self, message: Message) -> None:
            pass

    client = ModuleType("confluent_kafka")
    client.Consumer = client.Producer = Client
    monkeypatch.setitem(sys.modules, "confluent_kafka", client)
    with pytest.raises(NoMoreError):
        runpy.run_path(str(script))
    return sent


def test_what_is_new_and_holds_is_answered_as_the_gate_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for a setpoint that comes twice, never for one whose time is over or that only says what became of it."""
    script = tmp_path / "controller.py"
    script.write_text(CONTROLLER, "utf-8")
    hour = timedelta(hours=1)
    first = told("a" * 32, "sent", NOW + hour)
    signals = [first, first, told("c" * 32, "held", NOW + hour), told("b" * 32, "sent", NOW - hour, "pack")]
    sent = answers(signals, script, monkeypatch)
    assert [b"accepted" in one for one in sent] == [True, False]
    contract = find_contract("control@1")
    gate = Gate(register(contract), ("proposal", "decision"))
    at = np.full(len(sent), int(datetime.now(UTC).timestamp() * 1e6), dtype=np.int64)
    good = gate(RawBatch("answers", "0", Messages.of(sent), np.arange(len(sent), dtype=np.int64), at)).good
    assert good["decision"].to_list() == ["accepted", "completed"]
    assert good["proposal"].to_list() == ["a" * 32] * 2
