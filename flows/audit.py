"""The audit beside the flow: the gate hands samples over, a process of its own looks at them.

The flow only writes bounded files and never waits; Great Expectations is loaded in that process alone. What it
finds comes back as a source of the flow.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from flows.audit_keeper import AuditKeeper
from flows.recovery import Run
from flows.settings import Settings
from flows.sources.findings import FindingsSource
from quality.audit_sample import Sampler, Sampling
from quality.audit_spool import Spool
from quality.gate import Gate
from quality.registration import Registered
from schemas.batch import GatedBatch, RawBatch


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """Where the audit keeps its files, what it samples, and how long a flow that ended waits for it."""

    folder: Path = Path("var/audit")
    sampling: Sampling = field(default_factory=Sampling)
    drain_s: float = 20.0


@dataclass(frozen=True, slots=True)
class AuditedGate:
    """A gate that hands samples of what it did to the audit."""

    gate: Gate
    sampler: Sampler
    spool: Spool

    def __call__(self, raw: RawBatch) -> GatedBatch:
        """Gate one batch."""
        batch = self.gate(raw)
        for sample in self.sampler.observe(batch):
            self.spool.put(sample)
        return batch

    def flush(self) -> None:
        """Hand over what was gathered so far."""
        for sample in self.sampler.flush():
            self.spool.put(sample)


class Audit:
    """The audit of one run, for as long as the block lasts.

    Make the flow of gates from `gate` and of the source from `findings`, and run it within the block. At its end
    the audit looks at what was gathered last; what it cannot do in time waits for the next run.
    """

    def __init__(self, options: AuditOptions, run: str, contracts: Path | None) -> None:
        self._options = options
        self._run = run
        self._contracts = contracts
        self._spool = Spool(options.folder / "spool", now_ns=time.time_ns)
        self._gates: list[AuditedGate] = []
        self._stack = ExitStack()

    def gate(self, gate: Gate, registered: Registered, partition_of: Callable[[RawBatch], str]) -> AuditedGate:
        """The gate with a sampler; `partition_of` names the partition whose messages follow each other."""
        sampler = Sampler(
            registered.contract.key,
            registered.suite_hash,
            self._run,
            partition_of=partition_of,
            now_s=time.monotonic,
            sampling=self._options.sampling,
        )
        audited = AuditedGate(gate, sampler, self._spool)
        self._gates.append(audited)
        return audited

    def findings(self, *, follow: bool) -> FindingsSource:
        """What the audit finds, as rows of the signal output; without `follow` what is known at the end of input."""
        return FindingsSource(self._options.folder, self._run, follow=follow)

    def __enter__(self) -> Self:
        self._stack.enter_context(AuditKeeper(self._options.folder, self._contracts, drain_s=self._options.drain_s))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for gate in self._gates:
            gate.flush()
        self._stack.__exit__(kind, error, trace)


def audit_of(settings: Settings, run: Run) -> Audit:
    """The audit of a run with these settings."""
    own = settings.audit
    options = AuditOptions(own.folder, Sampling(every_rows=own.every_rows), own.drain_s)
    return Audit(options, run.run_id, settings.contracts)
