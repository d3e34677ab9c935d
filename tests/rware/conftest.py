"""The day in rware, and the whole flow over it, once for all tests of this folder."""

from __future__ import annotations

import pytest

from flows.run import run
from flows.settings import Settings, load

from .day import Day
from .folder import SETTINGS, write


@pytest.fixture(scope="session")
def day() -> Day:
    """The day."""
    return Day().run()


@pytest.fixture(scope="session")
def settings(day: Day, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a run over the day, which is done: throughput, and capacity in step with demand."""
    folder = tmp_path_factory.mktemp("rware")
    write(day, folder)
    settings = load(folder / SETTINGS, {})
    run(settings)
    return settings
