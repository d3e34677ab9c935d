"""Cost of a command: run as a script, in a process of its own that holds next to nothing.

The kernel's peak memory of a process starts from that of the process it was forked from, so whoever forks the
contenders must be small. Prints one JSON object: cpu_s (user and system, children included), wall_s, peak_mb,
exit_code.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main(command: list[str]) -> None:
    """Run the command to its end and print what it cost."""
    began = time.perf_counter()
    pid = os.spawnv(os.P_NOWAIT, command[0], command)  # noqa: S606 - the point is to be the bare parent
    _, status, usage = os.wait4(pid, 0)
    cost = {
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "wall_s": time.perf_counter() - began,
        "peak_mb": usage.ru_maxrss / 1_024,  # Linux counts KiB
        "exit_code": os.waitstatus_to_exitcode(status),
    }
    sys.stdout.write(json.dumps(cost))


if __name__ == "__main__":
    main(sys.argv[1:])
