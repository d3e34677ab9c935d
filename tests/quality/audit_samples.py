"""Messages, gated batches and samples for the tests of the audit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from quality.audit_sample import Sample, Sampler, Sampling
from quality.gate import Gate
from quality.registration import Registered, register
from schemas.batch import GatedBatch, RawBatch
from schemas.messages import Messages
from schemas.registry import find_contract

ROBOT_STATE = register(find_contract("robot.state@1"))
ARRIVAL_US = 1_772_400_000_000_000
"""2026-03-01T21:20:00Z."""


def message(number: int, **changes: Any) -> bytes:
    """A good robot.state message but for `changes`; ten robots report every 5 s, and have just been heard of."""
    event = {
        "event_id": f"e{number}",
        "robot": f"r{number % 10}",
        "zone": "z",
        "site": "s",
        "boot_epoch": 0,
        "seq": number,
        "event_time": f"2026-03-01T{12 + number // 7200:02}:{number // 120 % 60:02}:{number // 2 % 60:02}Z",
        "mode": "busy",
        "battery": 50.0,
        "tasks_done": 1,
        "busy_s": 1.0,
        "available_s": 2.0,
        "queue_depth": 0,
    }
    return json.dumps(event | changes).encode()


def messages(count: int) -> list[bytes]:
    """Good ones, and of each hundred one that cannot be decoded and three that rules refuse."""
    bad = {3: {"seq": "x"}, 17: {"battery": 100.5}, 41: {"mode": "flying"}, 77: {"event_time": "2026-03-02T12:00:00Z"}}
    return [message(n, **bad.get(n % 100, {})) for n in range(count)]


def batch_of(lines: Sequence[bytes], first: int = 0, partition: str = "0") -> RawBatch:
    """A batch of messages at offsets from `first`."""
    offsets = np.arange(first, first + len(lines), dtype=np.int64)
    return RawBatch(
        "telemetry", partition, Messages.of(lines), offsets, np.full(len(lines), ARRIVAL_US, dtype=np.int64)
    )


def gate_of(registered: Registered) -> Gate:
    """A gate that hands on what windows need."""
    contract = registered.contract
    return Gate(registered, [*contract.idempotency_key, contract.event_time_field])


def sampler_of(registered: Registered, sampling: Sampling | None = None) -> Sampler:
    """A sampler whose clock stands still."""
    return Sampler(
        registered.contract.key,
        registered.suite_hash,
        "run",
        partition_of=lambda raw: raw.partition,
        now_s=lambda: 0.0,
        sampling=sampling or Sampling(),
    )


def sample_of(registered: Registered, lines: Sequence[bytes]) -> Sample:
    """One sample of all messages, gated by `registered`."""
    sampler = sampler_of(registered, Sampling(good=10_000, refused=10_000, undecoded=10_000))
    assert not sampler.observe(gate_of(registered)(batch_of(lines)))
    (sample,) = sampler.flush()
    return sample


def sabotaged(registered: Registered, code: str, fails: pl.Expr) -> Registered:
    """The same contract and suite, but the compiled rule `code` is another one."""
    assert any(rule.code == code for rule in registered.rules)
    rules = tuple(replace(rule, fails=fails) if rule.code == code else rule for rule in registered.rules)
    return replace(registered, rules=rules)


def cut(gated: Iterable[GatedBatch], sampler: Sampler) -> list[Sample]:
    """All samples of some batches."""
    samples = [sample for batch in gated for sample in sampler.observe(batch)]
    return samples + sampler.flush()
