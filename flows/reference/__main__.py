"""Write the reference: `python -m flows.reference [FOLDER]`."""

from __future__ import annotations

import sys
from pathlib import Path

from flows.reference.pages import pages


def write(folder: Path) -> None:
    """Write all files."""
    for name, text in pages().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference"))
