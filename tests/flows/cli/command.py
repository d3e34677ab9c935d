"""The `takt` command, as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def takt(folder: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run `takt` in a folder, which must end with `code`."""
    command = [str(Path(sys.executable).with_name("takt")), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def rows(folder: Path, sql: str) -> list[dict]:
    """Result of a query on the lake of the folder's settings."""
    return [json.loads(line) for line in takt(folder, "sql", "-c", sql, "--format", "json").stdout.splitlines()]
