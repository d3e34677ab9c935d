"""The second line: real Great Expectations says again, row by row, what the gate said of a sample.

Any difference is an alarm, whichever side is wrong:

- a message that the gate could not decode and the decoder now can, or the reverse, or with another code;
- a rule for which the rows that fail by Great Expectations are not those that the gate refused by it (critical
  rules), or that the compiled rule fails (warnings and infos, which leave no mark on a row);
- a rule that Great Expectations could not run.

Expectations that the gate does not decide (distributions, uniqueness, volume) fail or hold for the sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import polars as pl

from quality.audit_findings import Finding, Kind, make_finding
from quality.audit_rules import NOT_AFTER, VOLUME_RATIO, accepted_rules, gate_rules, volume_ratio
from quality.audit_sample import Sample
from quality.audit_validator import Outcome, Validator
from quality.gate import FUTURE
from quality.registration import Registered
from schemas.batch import ROW
from schemas.contract import Severity
from schemas.decode import MAX_BYTES
from schemas.exact import ExactReader

DECODE: Final = "decode"
"""Code under which differences of the decoder are reported."""

_SHOWN: Final = 10  # places of differing rows that the evidence lists


class Auditor:
    """Audits samples of one contract."""

    def __init__(self, registered: Registered, validator: Validator) -> None:
        self._registered = registered
        self._validator = validator
        self._reader = ExactReader(registered.contract, MAX_BYTES)
        self._rules = gate_rules(registered)

    def audit(self, sample: Sample, name: str, now: datetime) -> list[Finding]:
        """Findings on one sample, which Data Docs show under `name`."""
        contract = self._registered.contract
        if sample.suite_hash != self._registered.suite_hash:
            what = f"the sample was gated by another suite of {contract.key} than this audit has; it was not audited"
            evidence = {"gate": sample.suite_hash, "audit": self._registered.suite_hash}
            return [
                _Report(sample, sample.rows[0].arrival_us).finding("audit_failed", "suite", "warning", what, evidence)
            ]
        frame, rejects = self._reader.read([row.raw for row in sample.rows], np.arange(len(sample.rows)))
        times = frame[contract.event_time_field].to_physical().to_numpy()
        report = _Report(sample, int(times.min()) if frame.height else sample.rows[0].arrival_us)
        findings = list(_decoder_differences(report, {reject.row: reject.code for reject in rejects}))
        if frame.height:
            findings += self._rule_findings(report, self._with_limit(frame, sample), name, now)
            findings += self._accepted_findings(report, frame, name, now)
        return findings

    def _with_limit(self, frame: pl.DataFrame, sample: Sample) -> pl.DataFrame:
        arrivals = pl.Series([sample.rows[row].arrival_us for row in frame[ROW]], dtype=pl.Int64)
        tolerance = timedelta(seconds=self._registered.contract.future_tolerance_s)
        return frame.with_columns((arrivals.cast(pl.Datetime("us", "UTC")) + tolerance).alias(NOT_AFTER))

    def _rule_findings(self, report: _Report, frame: pl.DataFrame, name: str, now: datetime) -> Iterator[Finding]:
        outcomes = self._validator.validate(self._registered.contract.key, frame, self._rules, name=name, at=now)
        rows = frame[ROW].to_list()
        gate = self._gate_verdicts(report.sample, frame)
        for rule in self._rules:
            code = rule["meta"]["code"]
            outcome = outcomes[code]
            if outcome.rows is None:
                what = f"Great Expectations could not judge rule {code}: {outcome.error}"
                yield report.finding("audit_mismatch", code, "critical", what, {"error": outcome.error})
                continue
            great = {rows[at] for at in outcome.rows}
            if great != gate[code]:
                yield _mismatch(report, code, only_gate=gate[code] - great, only_great=great - gate[code])

    def _gate_verdicts(self, sample: Sample, frame: pl.DataFrame) -> Mapping[str, set[int]]:
        """Failing rows by code: what the gate refused them for, or for rules that refuse nothing, what they compute."""
        masks = self._registered.masks(frame)
        rows = frame[ROW].to_numpy()
        verdicts = {}
        for at, rule in enumerate(self._registered.rules):
            verdicts[rule.code] = set(rows[(masks >> np.uint64(at) & np.uint64(1)).astype(bool)].tolist())
        critical = [rule.code for rule in self._registered.rules if rule.severity == "critical"]
        for code in (*critical, FUTURE):
            verdicts[code] = {row for row in rows.tolist() if code in sample.rows[row].codes}
        return verdicts

    def _accepted_findings(self, report: _Report, frame: pl.DataFrame, name: str, now: datetime) -> Iterator[Finding]:
        sample, contract = report.sample, self._registered.contract
        accepted = frame.filter(pl.Series([not sample.rows[row].codes for row in frame[ROW]], dtype=pl.Boolean))
        if not accepted.height:
            return
        ratio = volume_ratio(contract, sample, accepted)
        rules = accepted_rules(self._registered, volume=ratio is not None)
        if not rules:
            return
        accepted = accepted.with_columns(pl.lit(ratio, pl.Float64).alias(VOLUME_RATIO))
        outcomes = self._validator.validate(f"{contract.key} accepted", accepted, rules, name=name, at=now)
        for rule in rules:
            code, severity = rule["meta"]["code"], rule["meta"]["severity"]
            outcome = outcomes[code]
            if not outcome.success:
                yield report.finding(
                    "audit_failed", code, severity, _failure(code, outcome, accepted.height), _seen(outcome)
                )


class _Report:
    """Makes findings on one sample."""

    def __init__(self, sample: Sample, event_time_us: int) -> None:
        self.sample = sample
        self._event_time_us = event_time_us

    def finding(self, kind: Kind, code: str, severity: Severity, what: str, evidence: Mapping[str, Any]) -> Finding:
        """A finding on rule `code`."""
        sample = self.sample
        subject = f"{sample.source}/{sample.contract}/{code}"
        first, last = sample.rows[0], sample.rows[-1]
        about = {
            "rule": code,
            "suite_hash": sample.suite_hash,
            "seen": sample.seen,
            "sampled": len(sample.rows),
            "first": self.place(first.partition, first.offset),
            "last": self.place(last.partition, last.offset),
        }
        return make_finding(
            run=sample.run,
            kind=kind,
            subject=subject,
            event_time_us=self._event_time_us,
            severity=severity,
            reason=what,
            evidence={**about, **evidence},
        )

    def places(self, rows: Iterable[int]) -> list[str]:
        """Where some of the rows came from."""
        chosen = [self.sample.rows[row] for row in sorted(rows)[:_SHOWN]]
        return [self.place(row.partition, row.offset) for row in chosen]

    @staticmethod
    def place(partition: str, offset: int) -> str:
        """Partition and offset as one text."""
        return f"{partition}:{offset}"


def _decoder_differences(report: _Report, again: Mapping[int, str]) -> Iterator[Finding]:
    differing = {}
    for at, row in enumerate(report.sample.rows):
        gate = next((code for code in row.codes if code.startswith("decode.")), None)
        if gate != again.get(at):
            differing[at] = f"{gate or 'decoded'} by the gate, {again.get(at) or 'decoded'} now"
    if differing:
        places = report.places(differing)
        what = (
            f"{len(differing)} of {len(report.sample.rows)} sampled messages are decoded otherwise than by the gate, "
            f"first {places[0]}: {differing[min(differing)]}"
        )
        yield report.finding("audit_mismatch", DECODE, "critical", what, {"rows": len(differing), "offsets": places})


def _mismatch(report: _Report, code: str, *, only_gate: set[int], only_great: set[int]) -> Finding:
    sides: list[tuple[Callable[[int], str], set[int]]] = [
        (lambda n: f"{n} fail by the gate alone", only_gate),
        (lambda n: f"{n} by Great Expectations alone", only_great),
    ]
    told = ", ".join(f"{words(len(rows))} (first {report.places(rows)[0]})" for words, rows in sides if rows)
    evidence = {
        "gate_only": len(only_gate),
        "gate_only_offsets": report.places(only_gate),
        "great_expectations_only": len(only_great),
        "great_expectations_only_offsets": report.places(only_great),
    }
    what = f"rule {code}: of {len(report.sample.rows)} sampled messages {told}"
    return report.finding("audit_mismatch", code, "critical", what, evidence)


def _failure(code: str, outcome: Outcome, rows: int) -> str:
    if outcome.error is not None:
        return f"Great Expectations could not judge {code}: {outcome.error}"
    if outcome.rows is not None:
        return f"{code} fails for {len(outcome.rows)} of {rows} sampled accepted messages"
    return f"{code} does not hold: observed {outcome.observed} over {rows} sampled accepted messages"


def _seen(outcome: Outcome) -> dict[str, Any]:
    return {"observed": str(outcome.observed), "error": outcome.error}
