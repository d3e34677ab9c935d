"""The gate: raw messages in, good rows and quarantine out, nothing lost between.

A message is quarantined when it cannot be decoded (one `decode.*` code), or when it fails critical rules (all
their codes in suite order), or when its event time is further ahead of its arrival than the contract tolerates
(`time.future`, after the others). That last rule is the gate's own and not of the suite, as it looks at the
arrival of the message, which is no field of it: one such row would push the watermark ahead and make all
others late.

The verdict on a message depends on the message and its arrival alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from quality.registration import Registered
from schemas.batch import CONTENT, REJECT_SCHEMA, ROW, Failures, GatedBatch, RawBatch
from schemas.contract import Severity
from schemas.decode import MAX_BYTES, Decoder
from schemas.exact import Reject

FUTURE: Final = "time.future"
"""Code of an event time too far ahead of the arrival of its message."""

_NO_REJECTS: Final = pl.DataFrame(schema=REJECT_SCHEMA)


class Gate:
    """Gates batches of one registered contract; good rows have `columns` (in contract order), `_row` and `_content`."""

    def __init__(self, registered: Registered, columns: Sequence[str], *, max_bytes: int = MAX_BYTES) -> None:
        contract = registered.contract
        self._decoder = Decoder(contract, max_bytes=max_bytes)
        self._fields = contract.field_names
        self._good = [*(name for name in contract.field_names if name in set(columns)), ROW]
        self._event_time = contract.event_time_field
        self._tolerance_us = int(contract.future_tolerance_s * 1_000_000)
        self._registered = registered
        self._critical = sum(1 << at for at, r in enumerate(registered.rules) if r.severity == "critical")

    def __call__(self, raw: RawBatch) -> GatedBatch:
        """Gate one batch."""
        decoded = self._decoder.decode(raw.messages)
        frame = decoded.frame
        failures = _undecoded(raw, decoded.rejects)
        reasons = {reject.row: [reject.code] for reject in decoded.rejects}
        masks = self._registered.masks(frame)
        future = self._future(frame, raw)
        if masks.any() or future.any():
            failures |= self._failures(raw.offsets[frame[ROW].to_numpy()], masks, future)
            critical = masks & np.uint64(self._critical)
            bad = (critical != 0) | future
            at = np.flatnonzero(bad)
            for row, mask, ahead in zip(
                frame[ROW].gather(at).to_list(), critical[at].tolist(), future[at].tolist(), strict=True
            ):
                reasons[row] = self._registered.codes(mask) + [FUTURE] * ahead
            frame = frame.filter(pl.Series(~bad))
        details = {reject.row: reject.detail for reject in decoded.rejects}
        content = frame[self._fields].hash_rows().alias(CONTENT)
        return GatedBatch(raw, frame[self._good].hstack([content]), _rejects(raw, reasons, details), failures)

    def _failures(
        self, offsets: npt.NDArray[np.int64], masks: npt.NDArray[np.uint64], future: npt.NDArray[np.bool_]
    ) -> dict[str, Failures]:
        """What failed of decoded messages, which have these offsets, in suite order."""
        at = np.flatnonzero(masks)  # few messages fail anything: only these are looked at bit by bit
        masks = masks[at]
        any_of_them = int(np.bitwise_or.reduce(masks))
        failures = {
            rule.code: _failed(rule.severity, offsets[at[(masks >> np.uint64(bit) & np.uint64(1)).astype(bool)]])
            for bit, rule in enumerate(self._registered.rules)
            if any_of_them >> bit & 1
        }
        if future.any():
            failures[FUTURE] = _failed("critical", offsets[future])
        return failures

    def _future(self, frame: pl.DataFrame, raw: RawBatch) -> npt.NDArray[np.bool_]:
        times = frame[self._event_time].to_numpy().view(np.int64)
        arrivals = raw.arrival_us if frame.height == len(raw) else raw.arrival_us[frame[ROW].to_numpy()]
        ahead: npt.NDArray[np.bool_] = times > arrivals + self._tolerance_us
        return ahead


def _failed(severity: Severity, offsets: npt.NDArray[np.int64]) -> Failures:
    return Failures(severity, len(offsets), int(offsets[0]))


def _undecoded(raw: RawBatch, rejects: Sequence[Reject]) -> dict[str, Failures]:
    counts = Counter(reject.code for reject in rejects)
    first = {reject.code: reject.row for reject in reversed(rejects)}
    return {code: Failures("critical", count, int(raw.offsets[first[code]])) for code, count in counts.items()}


def _rejects(raw: RawBatch, reasons: Mapping[int, list[str]], details: Mapping[int, str]) -> pl.DataFrame:
    if not reasons:
        return _NO_REJECTS
    rows = sorted(reasons)
    # Messages fail in few ways: a list column is made of each once, not row by row, which costs twenty times as much.
    different = list(dict.fromkeys(tuple(reasons[row]) for row in rows))
    number = {codes: at for at, codes in enumerate(different)}
    lists = pl.Series("reasons", different, dtype=REJECT_SCHEMA["reasons"])
    columns = {
        "offset": raw.offsets[rows],
        "raw": raw.messages.take(rows),
        "kind": pl.repeat("quarantined", len(rows), eager=True),
        "reasons": lists.gather([number[tuple(reasons[row])] for row in rows]),
        "detail": [details.get(row) for row in rows],
    }
    return pl.DataFrame(columns, schema=REJECT_SCHEMA)
