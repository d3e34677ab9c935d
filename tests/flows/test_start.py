"""What the start of a run loads: each of these libraries costs CPU that a run without it need not pay."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("library", ["confluent_kafka", "great_expectations", "pandas", "rich", "scipy", "structlog"])
def test_a_run_over_files_loads_only_what_it_needs(library: str) -> None:
    """Kafka's client is for flows over Kafka, the log for the audit and Kafka, scipy for rare shapes."""
    code = f"import sys, flows.run; sys.exit({library!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
