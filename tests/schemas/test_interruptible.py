"""Long queries, and those who have waited long enough."""

from __future__ import annotations

import signal
import sys
import threading
import time
from concurrent.futures import wait
from traceback import walk_stack

import duckdb
import pytest

from schemas.adapters.interruptible import interruptible

HOURS = "SELECT count(*) FROM range(1000000), range(1000000)"


def interrupt_waiting(main: int) -> None:
    """Ctrl-C as soon as the main thread waits for the answer."""
    while all(frame.f_code is not wait.__code__ for frame, _ in walk_stack(sys._current_frames()[main])):
        time.sleep(0.01)
    signal.pthread_kill(main, signal.SIGINT)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_a_query() -> None:
    """A query that would take hours ends, whether it had begun or not, and the connection answers the next one."""
    with duckdb.connect() as connection:
        threading.Thread(target=interrupt_waiting, args=[threading.get_ident()]).start()
        with pytest.raises(KeyboardInterrupt):
            interruptible(connection, lambda: connection.execute(HOURS).fetchall())
        assert interruptible(connection, lambda: connection.execute("SELECT 1").fetchall()) == [(1,)]
