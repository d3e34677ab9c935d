"""The broker's `server.properties`: one KRaft node that is broker and controller, small and quick to start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports of the listeners on 127.0.0.1."""

    plain: int
    controller: int
    tls: int
    mutual: int
    sasl: int


_SMALL = {
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    # A writer that dies inside a transaction holds readers up until this check finds it.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    # After a kill the old registration must expire before the broker is let in again.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": "4194304",
    "auto.create.topics.enable": "false",
}


def server_properties(ports: Ports, data: Path, *, ca: Path, keystore: Path | None, users: Mapping[str, str]) -> str:
    """Text of `server.properties`; with `keystore` also the secured listeners and the ACL authorizer."""
    listeners = {"PLAINTEXT": ports.plain, "CONTROLLER": ports.controller}
    protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"}
    extra: dict[str, str] = {}
    if keystore is not None:
        listeners |= {"TLS": ports.tls, "MUTUAL": ports.mutual, "SASL": ports.sasl}
        protocols |= {"TLS": "SSL", "MUTUAL": "SSL", "SASL": "SASL_SSL"}
        extra = _secure(ca, keystore, users)
    addresses = {name: f"{name}://127.0.0.1:{port}" for name, port in listeners.items()}
    values = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{ports.controller}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listeners": ",".join(addresses.values()),
        "advertised.listeners": ",".join(a for name, a in addresses.items() if name != "CONTROLLER"),
        "listener.security.protocol.map": ",".join(f"{name}:{value}" for name, value in protocols.items()),
        "log.dirs": str(data),
    }
    return "".join(f"{key}={value}\n" for key, value in (values | _SMALL | extra).items())


def _secure(ca: Path, keystore: Path, users: Mapping[str, str]) -> dict[str, str]:
    module = "org.apache.kafka.common.security"
    known = " ".join(f'user_{name}="{password}"' for name, password in users.items())
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(ca),
        "listener.name.mutual.ssl.client.auth": "required",
        # A client is known by the common name of its certificate.
        "listener.name.mutual.ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/",
        "listener.name.sasl.sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
        "listener.name.sasl.scram-sha-512.sasl.jaas.config": f"{module}.scram.ScramLoginModule required;",
        "listener.name.sasl.plain.sasl.jaas.config": f"{module}.plain.PlainLoginModule required {known};",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # Clients without a name (the PLAINTEXT listener) set the scene for tests: they make topics and ACLs.
        "super.users": "User:ANONYMOUS;User:admin",
    }
