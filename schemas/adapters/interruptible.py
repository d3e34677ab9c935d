"""Queries of DuckDB that Ctrl-C ends."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import duckdb

_T = TypeVar("_T")
_LOOK_S = 0.1


def interruptible(connection: duckdb.DuckDBPyConnection, ask: Callable[[], _T]) -> _T:
    """What `ask` finds out by the connection, in a thread of its own; Ctrl-C ends it with KeyboardInterrupt.

    In the main thread DuckDB notices Ctrl-C as well, but it then waits until its own threads have worked the query off.
    """
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask)
        try:
            while not asked.done():
                wait([asked], _LOOK_S)  # without an end it would miss a Ctrl-C that comes just before
        except KeyboardInterrupt:
            while not asked.done():
                connection.interrupt()  # which is nothing to a query that has not begun yet
                wait([asked], _LOOK_S)
            raise
        return asked.result()
