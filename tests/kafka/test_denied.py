"""Refused output through the engine."""

from __future__ import annotations

import uuid

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSource, run_main
from confluent_kafka.admin import AclOperation, ResourceType

from schemas.errors import SinkError
from sinks.kafka.sink import KafkaSink
from tests.conftest_kafka import Kafka
from tests.sinks.kafka.conftest import signals


@pytest.mark.parametrize("eager", [False, True])
def test_denied_output_stops_the_flow(kafka: Kafka, eager: bool) -> None:
    """A flow whose output is refused by an ACL ends with the SinkError that names the topic, and not well."""
    topic, run_id = kafka.topic(), uuid.uuid4().hex
    kafka.allow(ResourceType.TOPIC, topic, AclOperation.READ)
    for operation in (AclOperation.WRITE, AclOperation.DESCRIBE):
        kafka.allow(ResourceType.TRANSACTIONAL_ID, f"takt-denied-{run_id}-kafka-0", operation)
    names = dict.fromkeys(("estimates", "signals", "quarantine"), topic)
    flow = Dataflow("denied")
    stream = op.input("in", flow, TestingSource([("0", ("signal", signals(0, 50)))]))
    op.output("out", stream, KafkaSink(kafka.secured(), names, run_id, "denied", eager=eager))
    with pytest.raises(Exception, match=r".*") as caught:
        run_main(flow)
    assert isinstance(root(caught.value), SinkError)
    assert topic in str(root(caught.value))
    assert kafka.read(topic) == []


def root(error: BaseException) -> BaseException | None:
    """The first SinkError that the engine wrapped."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, SinkError):
        found = found.__cause__ or found.__context__
    return found
