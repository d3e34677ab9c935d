"""One lake transaction: all or nothing, tried again for a bounded time when the catalogue is busy.

Its files are on the disk before it is committed.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import duckdb

from sinks.lake.catalog import LakeLocation
from sinks.lake.durable import NewFiles
from sinks.lake.failures import retriable, sink_error

PATIENCE_S = 30.0
"""How long a transaction is tried again. SQLite's own wait (`catalog.BUSY_MS`) comes on top of each try."""

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0


class Transactions:
    """Runs transactions on one connection; `retries` counts those that met a lock or a conflict."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        location: LakeLocation,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.retries = 0
        self._connection = connection
        self._location = location
        self._patience_s = patience_s
        self._files = NewFiles(location.data)

    def run(self, body: Callable[[], object]) -> None:
        """Run `body` between BEGIN and COMMIT; it may run several times, each time on a clean slate.

        Raises SinkError when the lake refuses, or when it is still busy after `patience_s` seconds; nothing
        of this transaction is then in the lake.
        """
        deadline = time.monotonic() + self._patience_s
        pause = FIRST_PAUSE_S
        while True:
            try:
                self._once(body)
            except (duckdb.Error, OSError) as error:
                if not retriable(error) or time.monotonic() + pause > deadline:
                    raise sink_error(error, place=str(self._location), secret=self._location.secret) from error
                self.retries += 1
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
            else:
                return

    def close(self) -> None:
        """End its threads; the connection is its maker's."""
        self._files.close()

    def _once(self, body: Callable[[], object]) -> None:
        done = False
        self._connection.execute("BEGIN")
        try:
            body()
            self._files.sync()
            self._connection.execute("COMMIT")
            done = True
        finally:
            if not done:
                # A failed COMMIT (disk full) has already ended the transaction: then this one raises.
                with contextlib.suppress(duckdb.Error):
                    self._connection.execute("ROLLBACK")
