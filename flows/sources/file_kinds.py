"""What a file is that does not hold JSON lines, by how it begins."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
"""Some editors and systems begin UTF-8 with it. It is no part of the first line."""

_PARQUET: Final = b"PAR1"
_WRITING_S: Final = 60.0

_OTHERS: Final = {
    b"\x1f\x8b\x08": ("gzip", "unpack it"),
    b"\x28\xb5\x2f\xfd": ("Zstandard", "unpack it"),
    b"BZh91AY&SY": ("bzip2", "unpack it"),
    b"\xfd7zXZ\x00": ("xz", "unpack it"),
    b"PK\x03\x04": ("ZIP", "unpack it"),
    _PARQUET: ("Parquet", "let its name end in .parquet"),
    b"\xff\xfe{\x00": ("UTF-16", "write it as UTF-8"),
    b"\xfe\xff\x00{": ("UTF-16", "write it as UTF-8"),
}
"""Long enough that no broken first message is taken for one, which would stop a flow."""


def other_kind(begins: bytes) -> tuple[str, str] | None:
    r"""Kind of a file that begins so, and what to do with it; None where it may hold JSON lines.

    >>> other_kind(b"\x1f\x8b\x08")
    ('gzip', 'unpack it')
    >>> other_kind(b'{"event_id": 1}')
    """
    return next((what for mark, what in _OTHERS.items() if begins.startswith(mark)), None)


def is_whole(parquet: os.DirEntry[str]) -> bool:
    """Whether a Parquet file has its end, or will hardly get it any more: it was last written to a minute ago."""
    with Path(parquet).open("rb") as file:
        file.seek(max(0, parquet.stat().st_size - len(_PARQUET)))
        return file.read() == _PARQUET or time.time() - parquet.stat().st_mtime > _WRITING_S
