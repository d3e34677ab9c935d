"""The spool between flow and audit: a folder of samples, never more than a fixed number.

The flow puts samples in and never waits: when the folder is full the oldest goes, and when a sample cannot be
written it is lost and counted. The audit takes the oldest and removes it when its findings are safe, so a sample
outlives a crash on either side. Files are MessagePack (`quality.audit_sample.Sample`), written under another
name and then renamed, so that no reader meets half of one. The folder is private: samples hold original bytes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
import structlog

from quality.audit_sample import FORMAT, Sample
from schemas.errors import SinkError

MOST: Final = 32
"""Samples that may wait."""

_SUFFIX: Final = ".sample"
_TRIED: Final = ".tried"
_log = structlog.get_logger()


class UnreadableSampleError(SinkError):
    """A file in the spool is not a sample of this version."""


class Spool:
    """A folder of samples in order of time; `now_ns` is wall-clock time, by which they are named."""

    def __init__(self, folder: Path, *, now_ns: Callable[[], int], most: int = MOST) -> None:
        self._folder = folder
        self._now_ns = now_ns
        self._most = most
        self._lock = threading.Lock()
        self._last = 0
        self.lost = 0
        """Samples that were thrown away since the start."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(
                f"audit folder {folder} cannot be made: {error.strerror}",
                fix="point `audit.folder` to a place that the user of the flow may write",
            ) from error

    def put(self, sample: Sample) -> None:
        """Add a sample; never raises for what the file system does, as the flow must go on."""
        with self._lock:
            self._last = max(self._last + 1, self._now_ns())
            path = self._folder / f"{self._last:020d}-{sample.source}{_SUFFIX}"
            part = path.with_suffix(".part")
            try:
                waiting = self.waiting()
                for old in waiting[: max(0, len(waiting) + 1 - self._most)]:
                    self.remove(old)
                    self.lost += 1
                part.write_bytes(msgspec.msgpack.encode(msgspec.structs.replace(sample, lost=self.lost)))
                part.rename(path)
            except OSError as error:
                with suppress(OSError):
                    part.unlink(missing_ok=True)  # on a full disk such halves would take what room there is
                self.lost += 1
                _log.warning("an audit sample is lost", file=str(path), error=str(error))

    def waiting(self) -> list[Path]:
        """Samples, oldest first."""
        return sorted(path for path in self._folder.iterdir() if path.suffix == _SUFFIX)

    def claim(self, path: Path) -> tuple[Path, int] | None:
        """Mark a sample as being audited: its new path, and how many audits of it began and did not end.

        None when the flow has just thrown it away.
        """
        before = path.name.count(_TRIED)
        try:
            return path.rename(path.with_name(f"{path.stem}{_TRIED}{_SUFFIX}")), before
        except FileNotFoundError:
            return None

    def give_back(self, path: Path, before: Path) -> None:
        """Take back a claim whose audit was ended from outside; a flow may have thrown the sample away."""
        with suppress(OSError):
            path.rename(before)

    def read(self, path: Path) -> Sample | None:
        """A sample, or None when the flow has just thrown it away. Raises UnreadableSampleError."""
        try:
            sample = msgspec.msgpack.decode(path.read_bytes(), type=Sample)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise UnreadableSampleError(f"{path}: {error}", fix="delete it; other samples go on") from error
        if sample.format != FORMAT:
            raise UnreadableSampleError(
                f"{path}: written in format {sample.format}, this version reads {FORMAT}", fix="delete it"
            )
        return sample

    def remove(self, path: Path) -> None:
        """Remove a sample that is there or not any more."""
        path.unlink(missing_ok=True)
