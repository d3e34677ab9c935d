"""The local broker itself."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.kafka import artifacts
from tests.conftest_kafka import Kafka

ROOT = Path(__file__).resolve().parents[2]


def foreground(port: int, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "deploy.kafka.broker", "--port", str(port), "--folder", str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.mark.slow
def test_foreground(kafka: Kafka, tmp_path: Path) -> None:
    """In the foreground it tells its address and ends in order on Ctrl-C, leaving nothing behind that listens."""
    del kafka  # asked for only because it skips where no broker can run
    port = free_port()
    process = foreground(port, tmp_path / "data")
    assert process.stdout is not None
    assert re.match(rf"Kafka is up: bootstrap 127\.0\.0\.1:{port}, ", process.stdout.readline())
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_port_in_use(tmp_path: Path) -> None:
    """Where anything listens already, a Kafka or not, no broker is begun, and the option that helps is named."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = foreground(port, tmp_path / "data")
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said.startswith(f"port {port} cannot be had (Address already in use)")
    assert "--port" in said
    assert not (tmp_path / "data").exists()


def test_missing_tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without Java or Maven the error names what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(artifacts.CACHE_VARIABLE, str(tmp_path / "cache"))
    with pytest.raises(artifacts.MissingToolError, match="install a Java 17"):
        artifacts.java()
    with pytest.raises(artifacts.MissingToolError, match="install Maven"):
        artifacts.jars()
