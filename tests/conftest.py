"""Fixtures that every test may use."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# The last is asked first: what it puts into groups the other leaves there.
pytest_plugins = ("tests.conftest_effort", "tests.conftest_kafka")

# Workers and the many processes of the suite read bytecode of the first: without it each compiles every source anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Frames of tests are small, and with a second thread of its own Polars takes a fifth more of the processor for them.
# Processes that tests start, as all that are killed, served or typed in pages, have as many as those of a user.
if "POLARS_MAX_THREADS" not in os.environ:
    os.environ["POLARS_MAX_THREADS"] = "1"
    importlib.import_module("polars")
    del os.environ["POLARS_MAX_THREADS"]

_NO_DATA = "no real data"
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real inputs nobody here wrote; tests that use it skip where it is absent."""
    folder = Path(os.environ.get("TAKT_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"{_NO_DATA} at {folder}: set TAKT_TEST_DATA")
    return folder


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C is heard, also where the suite runs in the background of a shell, which has its processes ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def _copied_lakes(tmp_path_factory: pytest.TempPathFactory) -> None:
    """New lakes of flows are copies of one."""
    if "sinks.lake.sink" in sys.modules:
        importlib.import_module("tests.lake_copies").use(tmp_path_factory.mktemp("lake"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """With TAKT_TEST_ALL=1 a skipped test fails: the machine is meant to have everything but the real data."""
    report = yield
    demanded = os.environ.get("TAKT_TEST_ALL") == "1" and _NO_DATA not in str(report.longrepr)
    if report.skipped and demanded and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and TAKT_TEST_ALL=1 allows no skips: {report.longrepr}"
    return report
