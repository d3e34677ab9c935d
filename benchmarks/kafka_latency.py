"""How long after its cause an estimate can be read: from the broker's timestamp to a reader of committed messages.

A producer sends live events of 500 robots at a steady rate. The cause of a window's estimates is the first event that
moves the watermark past the window's end; the broker says when it took it (LogAppendTime). A consumer notes when
each estimate reaches it. All clocks are this machine's.

    python -m benchmarks.kafka_latency [--rate 50000] [--seconds 60] [--eager]
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
from confluent_kafka import Consumer, KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from rich.console import Console

from benchmarks.kafka_flow import LIVE_DISORDER_S, LIVE_WINDOW_S
from deploy.kafka.broker import Broker

TOPIC, ESTIMATES = "robots", "takt.estimates"
_ROBOTS = 500
_TICK_S = 0.01
_WARM_UP_S = 20.0
"""Events before those that count: a flow makes its tables first, and has to catch up with what came meanwhile."""
_TEMPLATE = (
    '{{"event_id":"robot-{robot:04d}-1-{seq}","robot":"robot-{robot:04d}","zone":"zone-{zone:02d}","site":"site-1",'
    '"boot_epoch":1,"seq":{seq},"event_time":"{time}","mode":"busy","battery":54.7,"tasks_done":{tasks},'
    '"busy_s":{busy:.3f},"available_s":{available:.3f},"queue_depth":12,"units":1}}'
)


@dataclass
class Measured:
    """When each window's cause was at the broker, and when each of its estimates was read; seconds since the epoch."""

    causes: dict[float, float] = field(default_factory=dict)
    read: list[tuple[float, float]] = field(default_factory=list)

    def latencies(self, since: float) -> list[float]:
        """Seconds from cause to reader, of all estimates of windows that end after `since`."""
        return [at - self.causes[end] for end, at in self.read if end in self.causes and end > since]


def produce(bootstrap: str, rate: int, seconds: float, measured: Measured) -> None:
    """Send events for a while; every event carries the time at which it is sent."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 2, "compression.type": "lz4"})
    begin, sent, told = time.time(), 0, -math.inf
    while (now := time.time()) < begin + seconds:
        text = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        passed = math.floor((now - LIVE_DISORDER_S - 0.001) / LIVE_WINDOW_S) * LIVE_WINDOW_S
        while sent < (now - begin) * rate:
            robot, seq = sent % _ROBOTS, sent // _ROBOTS
            on_delivery = None
            if passed > told:
                told, on_delivery = passed, partial(_note, measured, passed)
            busy = seq * 0.01
            line = _TEMPLATE.format(
                robot=robot, seq=seq, zone=robot % 10, time=text, tasks=seq // 90, busy=busy, available=busy
            )
            producer.produce(TOPIC, line, partition=0, on_delivery=on_delivery)
            sent += 1
        producer.poll(0)
        time.sleep(max(0.0, now + _TICK_S - time.time()))
    producer.flush(30)


def _note(measured: Measured, end: float, error: KafkaError | None, message: Message) -> None:
    if error is not None:
        raise SystemExit(f"the broker refused an event: {error}")
    measured.causes[end] = message.timestamp()[1] / 1000


def read(bootstrap: str, measured: Measured, stop: threading.Event) -> None:
    """Note when each estimate of a robot, zone or site can be read."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "latency",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 10,
        }
    )
    consumer.subscribe([ESTIMATES])
    decoder = msgspec.json.Decoder()
    while not stop.is_set():
        for message in consumer.consume(10_000, 0.005):
            if message.error() is None:
                at = time.time()
                end = datetime.fromisoformat(decoder.decode(message.value() or b"")["window_end"])
                measured.read.append((end.timestamp(), at))
    consumer.close()


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark and print quantiles."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rate", type=int, default=50_000, help="events per second")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--eager", action="store_true", help="at once instead of once per epoch")
    options = parser.parse_args(arguments)
    mode = "eager" if options.eager else "latency"
    with TemporaryDirectory() as name:
        broker = Broker(Path(name, "broker"))
        broker.start()
        try:
            measured, since, cpu_s = _run(broker.bootstrap, mode, Path(name, "flow"), options.rate, options.seconds)
        finally:
            broker.stop()
    found = np.array(measured.latencies(since))
    p50, p99, worst = np.quantile(found, [0.5, 0.99, 1.0]) * 1000
    Console().print(
        f"{mode} at {options.rate:,} events/s for {options.seconds:.0f} s: {len(found):,} estimates, "
        f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, longest {worst:.0f} ms; "
        f"flow {cpu_s / (options.rate * (_WARM_UP_S + options.seconds)) * 1e6:.2f} us of CPU per event",
        highlight=False,
    )
    return 0


def _run(bootstrap: str, mode: str, out: Path, rate: int, seconds: float) -> tuple[Measured, float, float]:
    topics = [NewTopic(TOPIC, 1, 1, config={"message.timestamp.type": "LogAppendTime"}), NewTopic(ESTIMATES, 1, 1)]
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for made in admin.create_topics(topics).values():
        made.result(30)
    out.mkdir()
    flow = subprocess.Popen([sys.executable, "-m", "benchmarks.kafka_flow", mode, bootstrap, TOPIC, str(out)])
    measured, stop = Measured(), threading.Event()
    reader = threading.Thread(target=read, args=(bootstrap, measured, stop))
    reader.start()
    begin = time.time()
    produce(bootstrap, rate, _WARM_UP_S + seconds, measured)
    time.sleep(3)  # what the last epoch holds is still under way
    stop.set()
    reader.join()
    flow.kill()
    _, _, usage = os.wait4(flow.pid, 0)
    return measured, begin + _WARM_UP_S, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
