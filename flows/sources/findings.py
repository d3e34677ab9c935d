"""Findings of the audit as a stream, so that they become signals like those of the flow itself.

The audit only appends whole lines to its file, and the position in it is part of the flow's state: each finding
is emitted once, whatever crashes on either side. Findings of another run are passed over.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from flows.estimators import Rows
from flows.signals import signal_frame
from quality.audit_findings import FILE, read_findings, signals
from schemas.outputs import SIGNAL

_WAIT = timedelta(seconds=1)
_PART = "findings"


class FindingsSource(FixedPartitionedSource[Rows, int]):
    """Rows of the signal output, from the findings in an audit folder. With `follow` it never ends."""

    def __init__(self, folder: Path, run: str, *, follow: bool) -> None:
        self._path = folder / FILE
        self._run = run
        self._follow = follow

    def list_parts(self) -> list[str]:
        """The file is one partition."""
        return [_PART]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> FindingsPartition:
        """Go on behind the last finding that was emitted."""
        del step_id, for_part
        return FindingsPartition(self._path, self._run, follow=self._follow, start=resume_state or 0)


class FindingsPartition(StatefulSourcePartition[Rows, int]):
    """Looks for new findings once a second."""

    def __init__(self, path: Path, run: str, *, follow: bool, start: int) -> None:
        self._path = path
        self._run = run
        self._follow = follow
        self._position = start
        self._next_awake: datetime | None = None

    def next_batch(self) -> list[Rows]:
        """The findings since the last look, as one frame."""
        findings, end = read_findings(self._path, self._position)
        if end == self._position:
            if not self._follow:
                raise StopIteration
            self._next_awake = datetime.now(UTC) + _WAIT
            return []
        self._position = end
        self._next_awake = None
        mine = [finding for finding in findings if finding.run == self._run]
        return [(SIGNAL.name, signal_frame(signals(mine)))] if mine else []

    def next_awake(self) -> datetime | None:
        """When to look again."""
        return self._next_awake

    def snapshot(self) -> int:
        """Position in the file in bytes."""
        return self._position
