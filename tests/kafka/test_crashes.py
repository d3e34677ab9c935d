"""Kafka to Kafka through the engine: readers of committed messages see each output once, whoever is killed.

Kills of a flow at random moments are in `tests/flows/test_kills_kafka.py`.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest_kafka import Kafka

CHILD = Path(__file__).with_name("child.py")
COUNT = 10_000


class Flow:
    """Runs of the child flow over one pair of topics and one recovery folder."""

    def __init__(self, kafka: Kafka, folder: Path) -> None:
        self._kafka = kafka
        self._folder = folder
        self._source, self._target = kafka.topic(2), kafka.topic(2)
        for partition in (0, 1):
            numbers = range(partition, COUNT, 2)
            kafka.produce(self._source, [b"%d" % n for n in numbers], partition)

    def start(self, die_at: int = 0, *, pause_s: float = 0.02) -> subprocess.Popen[str]:
        """Start a run and wait until it is about to begin."""
        places = [
            self._kafka.broker.bootstrap,
            self._source,
            self._target,
            str(self._folder),
            str(pause_s),
            str(die_at),
        ]
        with (self._folder.parent / "errors.log").open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, str(CHILD), *places], stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self.await_line(process, "ready")
        return process

    def await_line(self, process: subprocess.Popen[str], line: str) -> None:
        """Wait until a run says so, or fail because it has ended."""
        assert process.stdout is not None
        # The iterator ends with the process; lines between are the flow's log.
        assert any(said == f"{line}\n" for said in process.stdout), self.errors()

    def errors(self) -> str:
        """What the runs have written to standard error."""
        return (self._folder.parent / "errors.log").read_text()[-3000:]

    def output(self) -> Counter[str]:
        """How often each number is out."""
        return Counter((m.key() or b"").decode().removeprefix("test/") for m in self._kafka.read(self._target))


@pytest.fixture
def flow(kafka: Kafka, tmp_path: Path) -> Iterator[Flow]:
    return Flow(kafka, tmp_path / "recovery")


def expected() -> Counter[str]:
    return Counter(str(n) for n in range(COUNT))


@pytest.mark.slow
def test_killed_between_the_two_commits(flow: Flow) -> None:
    """A kill after the Kafka transaction and before the engine's commit doubles nothing, even twice in a row."""
    for die_at in (1, 1, 3, 1, 2):
        assert flow.start(die_at).wait(120) == -signal.SIGKILL, flow.errors()
    assert flow.start().wait(120) == 0, flow.errors()
    assert flow.output() == expected()


@pytest.mark.slow
def test_broker_killed_under_load(kafka: Kafka, flow: Flow) -> None:
    """The broker is killed and started again while the flow runs: the flow goes on and ends right."""
    process = flow.start(pause_s=0.05)
    for _ in range(2):
        flow.await_line(process, "committed")
        kafka.broker.kill()
        kafka.broker.start()
    assert process.wait(180) == 0, flow.errors()
    assert flow.output() == expected()
