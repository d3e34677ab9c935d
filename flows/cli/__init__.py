"""The `takt` command."""

from __future__ import annotations

from flows.cli.app import app

__all__ = ["app"]
