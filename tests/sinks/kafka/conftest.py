"""Rows and topics for tests of the Kafka sink."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from schemas.outputs import SIGNAL
from sinks.kafka.events import ID_HEADER
from tests.conftest_kafka import Kafka

START = datetime(2026, 1, 1, tzinfo=UTC)


def signals(first: int, last: int, reason: str = "because") -> pl.DataFrame:
    """Signals number `first` to `last` (exclusive): a frame with one distinct key each."""
    rows = [
        {
            "kind": "test",
            "subject": f"s{n}",
            "event_time": START + timedelta(seconds=n),
            "severity": "info",
            "reason": reason,
            "evidence": "{}",
        }
        for n in range(first, last)
    ]
    return pl.DataFrame(rows, schema=SIGNAL.schema)


class Topics:
    """The three topics of a flow, and what is in that of the signals."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self.signal = kafka.topic(2)
        other = kafka.topic()
        self.names = {"estimates": other, "signals": self.signal, "quarantine": other}
        self.run_id = uuid.uuid4().hex

    def subjects(self) -> Counter[str]:
        """How often each subject is out, for readers of committed messages."""
        messages = self._kafka.read(self.signal)
        ids = {dict(m.headers() or [])[ID_HEADER] for m in messages}
        found = Counter((m.key() or b"").decode().removeprefix("test/") for m in messages)
        assert len(ids) == len(found)
        return found


def once(first: int, last: int) -> Counter[str]:
    """What `Topics.subjects` should say."""
    return Counter(f"s{n}" for n in range(first, last))


@pytest.fixture
def topics(kafka: Kafka) -> Topics:
    return Topics(kafka)
