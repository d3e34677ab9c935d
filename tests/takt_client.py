"""Has a command run by `tests.takt_server`; loads next to nothing, as it stands for `takt` in the scripts of pages."""

import json
import os
import socket
import sys


def ask(address: str, arguments: list[str], folder: str, environment: dict[str, str], streams: list[int]) -> int:
    """Exit code of a command with these standard streams; negative for a signal."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        socket.send_fds(server, [b"."], streams)
        asked = {"arguments": arguments, "folder": folder, "environment": environment}
        server.sendall(json.dumps(asked).encode() + b"\n")
        return int(server.makefile("rb").readline())


if __name__ == "__main__":
    sys.exit(ask(sys.argv[1], sys.argv[2:], os.getcwd(), dict(os.environ), [0, 1, 2]))  # noqa: PTH109
