"""The day in rware, and the whole flow over it, once for all tests of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flows.run import run
from flows.settings import Settings, load

if TYPE_CHECKING:
    from .day import Day


@pytest.fixture(scope="session")
def day() -> Day:
    """The day."""
    from .day import Day  # noqa: PLC0415 - loads a simulator that tests of the floor do without

    return Day().run()


@pytest.fixture(scope="session")
def settings(day: Day, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a run over the day, which is done: throughput, and capacity in step with demand."""
    from .folder import SETTINGS, write  # noqa: PLC0415 - see above

    folder = tmp_path_factory.mktemp("rware")
    write(day, folder)
    settings = load(folder / SETTINGS, {})
    run(settings)
    return settings
