"""The look at what is out, without brokers: it waits as long as it gets on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaError

from schemas.errors import SinkError
from sinks.kafka import scan
from sinks.kafka.connection import KafkaConnection
from sinks.kafka.events import ID_HEADER, WRITER_HEADER

EVENTS = 5


class Told:
    """A message, or that partition 0 of topic `t` is at its end."""

    def __init__(self, offset: int, *, end: bool = False) -> None:
        self._offset = offset
        self._end = end

    def topic(self) -> str:
        return "t"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def headers(self) -> list[tuple[str, bytes]]:
        return [(ID_HEADER, b"%d" % self._offset), (WRITER_HEADER, b"me")]

    def error(self) -> KafkaError | None:
        return KafkaError(KafkaError._PARTITION_EOF) if self._end else None


class Slow:
    """A consumer that takes 100 s for each message, and after these finds the end or nothing any more."""

    now = 0.0
    ends = True

    def __init__(self, _: object) -> None:
        self._messages = self._all()

    def _all(self) -> Iterator[list[Told]]:
        yield from ([Told(offset)] for offset in range(EVENTS))
        while True:
            yield [Told(EVENTS, end=True)] if self.ends else []

    def assign(self, _: object) -> None:
        pass

    def consume(self, *_: float) -> list[Told]:
        Slow.now += 100
        return next(self._messages)

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "Consumer", Slow)
    monkeypatch.setattr(scan.time, "monotonic", lambda: Slow.now)


def ids_out() -> set[str]:
    return scan.ids_out(KafkaConnection(bootstrap="nowhere:9092"), "me", {("t", 0): (0, EVENTS)})


def test_a_long_scan_is_finished() -> None:
    """Much was written since the last snapshot, by others too: it is read, however long that takes."""
    assert ids_out() == {"0", "1", "2", "3", "4"}


def test_a_scan_that_does_not_get_on_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing comes for two minutes, and the end is not there: another writer holds a transaction open."""
    monkeypatch.setattr(Slow, "ends", False)
    with pytest.raises(SinkError, match="got nothing for 120 s"):
        ids_out()
