"""Topics of a fresh cluster: missing ones are named with the command that makes them."""

from __future__ import annotations

import uuid

import pytest
from confluent_kafka.admin import ConfigResource

from tests.flows.cli.command import takt

SETTINGS = """
[lake]
folder = "lake"
[recovery]
folder = "recovery"
[audit]
enabled = false
[kafka]
bootstrap = "{bootstrap}"
[topics]
estimates = "{name}-estimates"
signals = "{name}-signals"
quarantine = "{name}-quarantine"
[sources.robots]
kind = "kafka"
contract = "robot.state@1"
topic = "{name}-telemetry"
stop_at_end = true
"""


@pytest.mark.slow
def test_missing_topics_are_named_and_made(tmp_path, kafka):
    """Run and doctor name the command; it makes what is read and what is written, once; then the flow runs.

    Messages that are read arrive by the brokers' clock, as those of their senders are judged by it.
    """
    name = f"fresh-{uuid.uuid4().hex[:8]}"
    (tmp_path / "takt.toml").write_text(SETTINGS.format(bootstrap=kafka.broker.bootstrap, name=name), "utf-8")
    told = takt(tmp_path, "run", code=1).stderr
    assert f"topic '{name}-telemetry'" in told
    assert "`takt doctor --create-topics`" in told
    told = takt(tmp_path, "doctor", code=1).stdout
    assert f"topics {name}-telemetry do not exist" in told
    assert "`takt doctor --create-topics`" in told

    told = takt(tmp_path, "doctor", "--create-topics", "--partitions", "3").stdout
    assert f"{name}-telemetry" in told.splitlines()[0]
    found = kafka.admin.list_topics(timeout=10).topics
    counts = {role: len(found[f"{name}-{role}"].partitions) for role in ("telemetry", "estimates", "signals")}
    assert counts == {"telemetry": 3, "estimates": 1, "signals": 1}
    asked = [ConfigResource(ConfigResource.Type.TOPIC, f"{name}-{role}") for role in ("telemetry", "signals")]
    dated = [told.result(30)["message.timestamp.type"].value for told in kafka.admin.describe_configs(asked).values()]
    assert dated == ["LogAppendTime", "CreateTime"]
    assert "none was missing" in takt(tmp_path, "doctor", "--create-topics").stdout
    assert "nothing was there to read" in takt(tmp_path, "run").stderr


def test_topics_need_a_broker_in_the_settings(tmp_path):
    """Without a [kafka] section the error says what to add; a wrong number of partitions is a wrong command line."""
    assert "[kafka] bootstrap" in takt(tmp_path, "doctor", "--create-topics", code=1).stderr
    takt(tmp_path, "doctor", "--create-topics", "--partitions", "0", code=2)
