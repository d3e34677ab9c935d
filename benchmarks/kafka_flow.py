"""Takt from a topic into the lake and back to Kafka, as the Kafka benchmarks run it.

Run it as one of:

    python -m benchmarks.kafka_flow job     BOOTSTRAP TOPIC OUTPUT_FOLDER
    python -m benchmarks.kafka_flow latency BOOTSTRAP TOPIC OUTPUT_FOLDER
    python -m benchmarks.kafka_flow eager   BOOTSTRAP TOPIC OUTPUT_FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from benchmarks.job import DEDUPE_S, LATENESS_S, WINDOW_S
from flows.run import run
from flows.settings import AuditSettings, Kafka, KafkaSource, Lake, Output, Recovery, Settings, Time

SOURCE: Final = "robots"
LIVE_WINDOW_S: Final = 1.0
LIVE_DISORDER_S: Final = 0.1
LIVE_SNAPSHOT_S: Final = {"latency": 0.5, "eager": 10.0}
"""Events of an epoch are out at its end, eager ones at once: these need epochs only for recovery."""
LIVE_DEDUPE_S: Final = 600.0
"""As it is by default."""


def settings(mode: str, bootstrap: str, topic: str, out: Path) -> Settings:
    """The standard job over Kafka, or a flow that never ends over live events in order."""
    live = mode != "job"
    job = Time(window_s=WINDOW_S, disorder_s=LATENESS_S, lateness_s=0, dedupe_s=DEDUPE_S)
    now = Time(window_s=LIVE_WINDOW_S, disorder_s=LIVE_DISORDER_S, lateness_s=0, dedupe_s=LIVE_DEDUPE_S)
    return Settings(
        lake=Lake(folder=out / "lake"),
        recovery=Recovery(folder=out / "recovery", snapshot_every_s=LIVE_SNAPSHOT_S.get(mode)),
        kafka=Kafka(bootstrap=bootstrap),
        output=Output(eager=mode == "eager"),
        sources={SOURCE: KafkaSource(kind="kafka", contract="robot.state@1", topic=topic, stop_at_end=not live)},
        audit=AuditSettings(enabled=False),
        time=now if live else job,
    )


if __name__ == "__main__":
    run(settings(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4])))
