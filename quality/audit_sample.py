"""Samples for the audit: which rows, with what verdict of the gate.

Of every `every_rows` messages of a partition a sample keeps those whose offsets hash lowest: a fixed number each
of good ones, of those that a rule refused and of those that could not be decoded. So a sample is a function of
the messages alone and not of how they were cut into batches, and its size does not depend on how bad they are.

Kept are the original bytes, because then the audit sees every field of the contract and the gate's path pays
for nothing but the choice: no more than some hundredths of a microsecond per message.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from schemas.batch import GatedBatch, RawBatch

LONGEST: Final = 16 << 10
"""Longer messages are not sampled: a sample must stay small whatever is sent."""

FORMAT: Final = 1

_ALL: Final = (1 << 64) - 1
_Hashes = npt.NDArray[np.uint64]
_Places = npt.NDArray[np.int64]


class SampledRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One message with the gate's verdict; `codes` is empty for a good one."""

    partition: str
    offset: int
    arrival_us: int
    raw: bytes
    codes: tuple[str, ...]


class Sample(msgspec.Struct, frozen=True):
    """Messages of one partition in the order in which they were gated.

    `seen` messages were gated for this sample, `rejected` of them refused. `lost` samples were thrown away
    since the flow started because the audit did not keep up.
    """

    run: str
    source: str
    contract: str
    suite_hash: str
    seen: int
    rejected: int
    rows: list[SampledRow]
    lost: int = 0
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Sampling:
    """How much is sampled: of every `every_rows` messages so many of each kind.

    A slow partition hands over what it has after `longest_s` seconds, so that the audit is not hours behind.
    """

    every_rows: int = 200_000
    good: int = 700
    refused: int = 200
    undecoded: int = 100
    longest_s: float = 600.0


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Messages of one batch that may become part of a sample, column by column: rows are made at the very end."""

    partition: str
    hashes: _Hashes
    places: _Places
    """Places in the stream, counted from the start of the sample."""
    offsets: _Places
    arrivals: _Places
    raw: list[bytes]
    codes: list[list[str]] | None
    """None for good messages."""

    def rows(self, limit: int) -> Iterator[tuple[int, SampledRow]]:
        """Rows with hashes up to `limit`, each with its place."""
        for i in np.flatnonzero(self.hashes <= np.uint64(limit)).tolist():
            if len(self.raw[i]) <= LONGEST:
                codes = () if self.codes is None else tuple(self.codes[i])
                row = SampledRow(self.partition, int(self.offsets[i]), int(self.arrivals[i]), self.raw[i], codes)
                yield int(self.places[i]), row


@dataclass(slots=True)
class _Lowest:
    """The `size` messages with the lowest hashes so far, and some that were among them earlier."""

    size: int
    limit: int = _ALL
    """The highest of the lowest hashes."""
    _chosen: list[_Chosen] = field(default_factory=list)
    _since: int = 0

    def among(self, hashes: _Hashes) -> _Places:
        """Where hashes are among the lowest."""
        at = np.flatnonzero(hashes < np.uint64(self.limit))
        return at[np.argpartition(hashes[at], self.size)[: self.size]] if len(at) > self.size else at

    def add(self, chosen: _Chosen) -> None:
        """Take messages that are among the lowest."""
        self._chosen.append(chosen)
        self._since += len(chosen.raw)
        if self._since >= self.size // 2:
            self._lower()

    def _lower(self) -> None:
        hashes = np.concatenate([chosen.hashes for chosen in self._chosen])
        if len(hashes) >= self.size:
            self.limit = int(np.partition(hashes, self.size - 1)[self.size - 1])
        self._since = 0

    def rows(self) -> list[tuple[int, SampledRow]]:
        """The lowest, each with its place in the stream."""
        if self._chosen:
            self._lower()
        return [row for chosen in self._chosen for row in chosen.rows(self.limit)]


@dataclass(slots=True)
class _Open:
    """The sample of one partition that is being gathered."""

    since: float
    good: _Lowest
    refused: _Lowest
    undecoded: _Lowest
    seen: int = 0
    rejected: int = 0


class Sampler:
    """Gathers the samples of one source. Safe to call from several threads.

    `partition_of` names the partition whose messages follow each other; `now_s` is a clock that only rises.
    """

    def __init__(
        self,
        contract: str,
        suite_hash: str,
        run: str,
        *,
        partition_of: Callable[[RawBatch], str],
        now_s: Callable[[], float],
        sampling: Sampling,
    ) -> None:
        self._contract = contract
        self._suite_hash = suite_hash
        self._run = run
        self._partition_of = partition_of
        self._now_s = now_s
        self._sampling = sampling
        self._open: dict[str, tuple[str, _Open]] = {}
        self._lock = threading.Lock()

    def observe(self, batch: GatedBatch) -> list[Sample]:
        """Take note of a gated batch; samples that became full. An empty batch only passes the time."""
        key = self._partition_of(batch.raw)
        with self._lock:
            samples = self._gather(key, batch) if len(batch.raw) else []
            source, gathering = self._open.get(key, (batch.raw.source, None))
            if gathering is not None and self._now_s() - gathering.since >= self._sampling.longest_s:
                del self._open[key]
                samples += self._sample(source, gathering)
        return samples

    def flush(self) -> list[Sample]:
        """What was gathered so far, when the flow ends."""
        with self._lock:
            samples = [
                sample for source, gathering in self._open.values() for sample in self._sample(source, gathering)
            ]
            self._open.clear()
        return samples

    def _gather(self, key: str, batch: GatedBatch) -> list[Sample]:
        raw = batch.raw
        hashes = _hashes(raw.partition, raw.offsets)
        rejected = np.searchsorted(raw.offsets, batch.rejects["offset"].to_numpy())
        samples = []
        start, total = 0, len(raw)
        while start < total:
            source, gathering = self._open.setdefault(key, (raw.source, self._new()))
            end = min(total, start + self._sampling.every_rows - gathering.seen)
            first, last = np.searchsorted(rejected, (start, end))
            shift = gathering.seen - start
            _take_good(gathering.good, raw, hashes, slice(start, end), rejected[first:last], shift)
            if last > first:
                _take_rejected(gathering, batch, hashes, rejected, slice(int(first), int(last)), shift)
            gathering.seen += end - start
            gathering.rejected += int(last - first)
            if gathering.seen == self._sampling.every_rows:
                del self._open[key]
                samples += self._sample(source, gathering)
            start = end
        return samples

    def _new(self) -> _Open:
        s = self._sampling
        return _Open(self._now_s(), _Lowest(s.good), _Lowest(s.refused), _Lowest(s.undecoded))

    def _sample(self, source: str, gathered: _Open) -> list[Sample]:
        """The sample, or none where all messages were too long for one."""
        rows = [*gathered.good.rows(), *gathered.refused.rows(), *gathered.undecoded.rows()]
        rows.sort(key=itemgetter(0))
        sample = Sample(
            run=self._run,
            source=source,
            contract=self._contract,
            suite_hash=self._suite_hash,
            seen=gathered.seen,
            rejected=gathered.rejected,
            rows=[row for _, row in rows],
        )
        return [sample] if rows else []


def _hashes(partition: str, offsets: npt.NDArray[np.int64]) -> _Hashes:
    """A 64-bit mix of partition and offset by two multiplications: no pattern of the input survives in its order."""
    hashes: _Hashes = offsets.astype(np.uint64)
    hashes += np.uint64(zlib.crc32(partition.encode("utf-8", "surrogatepass")) << 32)
    hashes *= np.uint64(0xFF51AFD7ED558CCD)
    hashes ^= hashes >> np.uint64(32)
    hashes *= np.uint64(0xC4CEB9FE1A85EC53)
    return hashes


def _choose(
    raw: RawBatch, hashes: _Hashes, at: npt.NDArray[np.intp], shift: int, codes: list[list[str]] | None = None
) -> _Chosen:
    """Messages `at` of a batch, whose places in the stream are `shift` further on."""
    return _Chosen(
        raw.partition,
        hashes[at],
        at + shift,
        raw.offsets[at],
        raw.arrival_us[at],
        raw.messages.take(at),
        codes,
    )


def _take_good(taken: _Lowest, raw: RawBatch, hashes: _Hashes, part: slice, rejected: _Places, shift: int) -> None:
    mine = hashes[part].copy()
    mine[rejected - part.start] = _ALL
    at = taken.among(mine) + part.start
    if len(at):
        taken.add(_choose(raw, hashes, at, shift))


def _take_rejected(
    gathering: _Open, batch: GatedBatch, hashes: _Hashes, rejected: _Places, part: slice, shift: int
) -> None:
    """`rejected` are the places of all rejected messages of the batch, of which `part` is looked at."""
    # The decoder's words are there for what it refused and for nothing else. On these few rows plain Python beats
    # Polars, of which each expression costs a tenth of a millisecond per batch.
    undecoded = np.array([words is not None for words in batch.rejects["detail"].to_list()])[part]
    reasons = batch.rejects["reasons"]
    of_rejected = hashes[rejected[part]]
    for lowest, others in ((gathering.undecoded, ~undecoded), (gathering.refused, undecoded)):
        which = lowest.among(np.where(others, np.uint64(_ALL), of_rejected)) + part.start
        if len(which):
            codes = [reasons[at].to_list() for at in which.tolist()]
            lowest.add(_choose(batch.raw, hashes, rejected[which], shift, codes))
