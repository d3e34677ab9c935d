"""The standard job with its events in a real Kafka topic: what it costs to read them there, and to write there too.

Starts a broker of its own, fills a topic of one partition, and runs the flow over it to the end. The cost is that of
the flow's process alone. The DuckDB batch query over the same events as a file, run right after it, tells what that is
worth in this hour, and the rows are checked against its own.

    python -m benchmarks.kafka_job [--events 2000000] [--folder var/bench]
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from rich.console import Console

from benchmarks import events
from benchmarks.results import differences, read_files, read_lake
from benchmarks.standard_job import CONTENDERS, ORACLE, measure
from deploy.kafka.broker import Broker

TOPIC = "robots"


def fill(bootstrap: str, source: Path) -> None:
    """Put every line of a file into the topic, in order."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(30)
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "compression.type": "lz4"})
    with source.open("rb") as lines:
        for line in lines:
            while True:
                try:
                    producer.produce(TOPIC, line.rstrip(b"\n"), partition=0)
                    break
                except BufferError:
                    producer.poll(0.1)
    if producer.flush(120):
        raise SystemExit("the broker did not take all events")


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; the exit code is 1 when rows differ from the oracle's."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--folder", type=Path, default=Path("var/bench"), help="input and results go here")
    options = parser.parse_args(arguments)
    source = options.folder / f"events-{options.events}.ndjson"
    events.write(options.events, source)
    out, oracle = options.folder / "kafka", options.folder / "oracle"
    for folder in (out, oracle):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    broker = Broker(out / "broker")
    broker.start()
    try:
        fill(broker.bootstrap, source)
        command = [sys.executable, "-m", "benchmarks.kafka_flow", "job", broker.bootstrap, TOPIC, str(out)]
        cost = measure(command)
    finally:
        broker.stop()
    limit = measure([sys.executable, "-m", CONTENDERS[ORACLE].module, str(source), str(oracle)])
    verdict = "; ".join(differences(read_lake(out), read_files(oracle)))
    each, least = (one.cpu_s / options.events * 1e6 for one in (cost, limit))
    Console().print(
        f"{options.events:,} events from Kafka: {each:.2f} us of CPU per event, {each / least:.2f} times DuckDB's "
        f"{least:.2f}, {cost.wall_s:.1f} s, peak {cost.peak_mb:.0f} MB; rows {verdict or 'equal to the oracle'}",
        highlight=False,
    )
    return 1 if verdict else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
