"""Which versions of what are at work: for bug reports and for `takt doctor`."""

from __future__ import annotations

import platform
from importlib.metadata import version

import confluent_kafka


def versions() -> dict[str, str]:
    """Version by name, of Takt, of the platform and of the libraries that decide what a flow does."""
    return {
        "takt": version("takt"),
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "bytewax": version("bytewax"),
        "polars": version("polars"),
        "duckdb": version("duckdb"),
        "ducklake": version("duckdb-extension-ducklake"),
        "confluent-kafka": version("confluent-kafka"),
        "librdkafka": confluent_kafka.libversion()[0],
    }
