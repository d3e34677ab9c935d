"""New lakes of flows that tests run are copies of one: hundreds are made, each in a quarter of a second.

A copied folder is a lake like any other, and a flow starts on it as after one that has just made it. Tests in
`tests/sinks/lake`, and all that start `takt` as a user does, make theirs in place.
"""

from __future__ import annotations

import shutil
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from sinks.lake import sink, writer
from sinks.lake.catalog import LakeLocation, connect
from sinks.lake.tables import ensure_schema
from sinks.lake.transaction import Transactions

_ONE_AT_A_TIME = threading.Lock()


def use(folder: Path) -> None:
    """From now on, in this process and in those forked from it; what is copied is made in an empty folder."""
    made = LakeLocation(folder)
    with closing(connect(made, read_only=False, config=writer.SESSION)) as lake:
        Transactions(lake, made).run(lambda: ensure_schema(lake, now=writer.utc_now()))

    class WriterOnCopy(writer.LakeWriter):
        def __init__(self, location: LakeLocation, *given: Any, **named: Any) -> None:
            with _ONE_AT_A_TIME:
                if not (location.postgres or location.sqlite.exists() or location.data.exists()):
                    _copy(made, location)
            super().__init__(location, *given, **named)

    pytest.MonkeyPatch().setattr(sink, "LakeWriter", WriterOnCopy)  # for good


def _copy(lake: LakeLocation, to: LakeLocation) -> None:
    with suppress(OSError):  # what is wrong with the place is for the flow to find
        shutil.copytree(lake.data, to.data)
        to.sqlite.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(lake.sqlite, to.sqlite)
