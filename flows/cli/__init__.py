"""The `takt` command."""

from __future__ import annotations

import sys

try:
    from flows.cli.app import app
except KeyboardInterrupt:  # loading takes a second, and Ctrl-C then is no error either
    sys.exit(130)

__all__ = ["app"]
