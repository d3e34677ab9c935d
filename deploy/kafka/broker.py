"""One real Apache Kafka broker (KRaft, no ZooKeeper) on this machine, bound to 127.0.0.1.

`python -m deploy.kafka.broker` runs it in the foreground on port 9092. In code:

    broker = Broker(Path("var/kafka"))
    broker.start()
    ... broker.bootstrap ...
    broker.stop()

It is for tests and demos: one node, no replication, small heap.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from deploy.kafka.artifacts import MissingToolError, jars, java
from deploy.kafka.certificates import make_certificates
from deploy.kafka.properties import Ports, server_properties

_HOST = "127.0.0.1"
_START_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 30.0
_CLUSTER_ID = "TaktTaktTaktTaktTaktTA"
_JVM = ["-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true"]
_LOG4J = Path(__file__).with_name("log4j2.properties")


class BrokerError(RuntimeError):
    """The broker did not come up; the message ends with the tail of its log."""


class Broker:
    """A broker with its data in `folder`.

    It always has a PLAINTEXT listener (`bootstrap`) whose clients are super users. With `users` (name to
    password) it also has a TLS listener (`bootstrap_tls`, `ca`), one that asks clients for a certificate of that CA
    (`bootstrap_mutual`), a SASL listener over TLS (`bootstrap_sasl`, SCRAM-SHA-512 and PLAIN), and an ACL authorizer:
    these users, and those of certificates, may do only what ACLs allow, except `admin`.
    """

    def __init__(self, folder: Path, *, port: int | None = None, users: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.users = dict(users or {})
        self.ca = folder / "tls" / "ca.pem"
        self._log = folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        free = _free_ports(5)
        self.ports = Ports(plain=port or free[0], controller=free[1], tls=free[2], mutual=free[3], sasl=free[4])

    @property
    def bootstrap(self) -> str:
        """Address of the PLAINTEXT listener."""
        return f"{_HOST}:{self.ports.plain}"

    @property
    def bootstrap_tls(self) -> str:
        """Address of the TLS listener (only with `users`)."""
        return f"{_HOST}:{self.ports.tls}"

    @property
    def bootstrap_mutual(self) -> str:
        """Address of the TLS listener that asks for the client's certificate (only with `users`)."""
        return f"{_HOST}:{self.ports.mutual}"

    @property
    def bootstrap_sasl(self) -> str:
        """Address of the SASL listener over TLS (only with `users`)."""
        return f"{_HOST}:{self.ports.sasl}"

    def start(self) -> None:
        """Format the storage if it is new, start the broker and wait until it answers requests.

        Raises `MissingToolError` without Java or Maven, `BrokerError` if it does not answer in 120 s.
        """
        classpath = f"{jars()}/*"
        program = java()
        data = self.folder / "data"
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        keystore = make_certificates(self.ca.parent) if self.users else None
        properties = self.folder / "server.properties"
        properties.touch(mode=0o600)
        properties.write_text(server_properties(self.ports, data, ca=self.ca, keystore=keystore, users=self.users))
        base = [program, *_JVM, f"-Dlog4j2.configurationFile={_LOG4J}", "-cp", classpath]
        if not (data / "meta.properties").exists():
            self._format(base, properties)
        with self._log.open("ab") as log:
            command = [*base, "kafka.Kafka", str(properties)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 our own words
        atexit.register(self.kill)
        self._wait()

    def stop(self) -> None:
        """Stop cleanly; kill if that takes longer than 30 s."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None
        atexit.unregister(self.kill)

    def kill(self) -> None:
        """Kill with SIGKILL, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            atexit.unregister(self.kill)

    def restart(self) -> None:
        """Stop if running, and start again with the same ports and data."""
        self.stop()
        self.start()

    def wait_exit(self) -> int:
        """Wait until the broker process ends by itself and return its exit code."""
        return self._process.wait() if self._process else 0

    def _format(self, base: list[str], properties: Path) -> None:
        command = [*base, "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(properties)]
        for name, password in self.users.items():
            command += ["--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 our own words
        if done.returncode != 0:
            raise BrokerError(f"cannot format {self.folder}: {done.stdout[-2000:]}{done.stderr[-2000:]}")

    def _wait(self) -> None:
        limit = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < limit:
            if self._process is None or self._process.poll() is not None:
                break
            if _answers(self.ports.plain):
                return
            time.sleep(0.1)
        tail = self._log.read_bytes()[-3000:].decode(errors="replace")
        self.kill()
        raise BrokerError(f"Kafka at {self.bootstrap} did not come up; end of {self._log}:\n{tail}")


def _free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different because all are held until the last is known."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((_HOST, 0))
        return [one.getsockname()[1] for one in sockets]


def _demand_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the broker itself does
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise BrokerError(
                f"port {port} cannot be had ({error.strerror}): stop what runs there, or take another one with "
                "`python -m deploy.kafka.broker --port`"
            ) from error


def _answers(port: int) -> bool:
    """Whether the broker answers an ApiVersions request (key 18, version 0), the first one any client sends."""
    request = struct.pack(">hhih", 18, 0, 1, -1)
    try:
        with socket.create_connection((_HOST, port), timeout=1) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            return len(connection.recv(4)) > 0
    except OSError:
        return False


def main() -> int:
    """Run a broker in the foreground until interrupted."""
    parser = argparse.ArgumentParser(description="Run one local Apache Kafka broker in the foreground.")
    parser.add_argument("--port", type=int, default=9092, help="port of the PLAINTEXT listener (default 9092)")
    parser.add_argument("--folder", type=Path, default=Path("var/kafka"), help="where its data goes (var/kafka)")
    options = parser.parse_args()
    broker = Broker(options.folder.resolve(), port=options.port)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _demand_free(options.port)
        broker.start()
        sys.stdout.write(f"Kafka is up: bootstrap {broker.bootstrap}, data in {options.folder}; Ctrl-C stops it\n")
        sys.stdout.flush()
        return broker.wait_exit()
    except (MissingToolError, BrokerError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        broker.stop()
        return 0


if __name__ == "__main__":
    sys.exit(main())
