"""What the start of a run loads: each of these libraries costs CPU that a run without it need not pay."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """Modules of a process that has loaded what a run over files needs."""
    code = "import sys, flows.run; print(*sys.modules)"
    return {*subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()}


@pytest.mark.slow
@pytest.mark.parametrize("library", ["confluent_kafka", "great_expectations", "pandas", "rich", "scipy", "structlog"])
def test_a_run_over_files_loads_only_what_it_needs(library: str, loaded: set[str]) -> None:
    """Kafka's client is for flows over Kafka, the log for the audit and Kafka, scipy for rare shapes."""
    assert "flows.run" in loaded
    assert library not in loaded
