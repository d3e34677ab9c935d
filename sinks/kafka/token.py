"""What the recovery store keeps of a writer of events."""

from __future__ import annotations

from typing import Final

Token = tuple[int, int, tuple[tuple[str, int, int], ...], tuple[str, ...]]
"""Format, sequence number, end offset per topic and partition, ids that are out but have not come again."""

FORMAT: Final = 1
