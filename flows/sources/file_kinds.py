"""What a file is that does not hold JSON lines, by how it begins."""

from __future__ import annotations

from typing import Final

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
"""Some editors and systems begin UTF-8 with it. It is no part of the first line."""

_OTHERS: Final = {
    b"\x1f\x8b\x08": ("gzip", "unpack it"),
    b"\x28\xb5\x2f\xfd": ("Zstandard", "unpack it"),
    b"BZh91AY&SY": ("bzip2", "unpack it"),
    b"\xfd7zXZ\x00": ("xz", "unpack it"),
    b"PK\x03\x04": ("ZIP", "unpack it"),
    b"PAR1": ("Parquet", "let its name end in .parquet"),
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
