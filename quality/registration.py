"""Register a contract: make its suite, compile what can be compiled, and refuse what nothing can run.

All of it happens before the first row is read. A critical rule must be compiled, because it decides on rows; a
warning or info that cannot be is left to the Great Expectations lane, which checks samples.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from quality.arguments import NotCompilableError
from quality.compiler import KINDS, columns_read, compile_rule
from quality.suite import Expectation, Suite, make_suite, suite_hash, suite_json
from schemas.contract import Contract, Severity
from schemas.errors import ContractError

MAX_RULES: Final = 64
"""Rules a gate can hold: one bit of a UInt64 each."""

LANE_KINDS: Final = frozenset(
    {
        "expect_column_kl_divergence_to_be_less_than",
        "expect_column_max_to_be_between",
        "expect_column_mean_to_be_between",
        "expect_column_median_to_be_between",
        "expect_column_min_to_be_between",
        "expect_column_proportion_of_unique_values_to_be_between",
        "expect_column_quantile_values_to_be_between",
        "expect_column_stdev_to_be_between",
        "expect_column_sum_to_be_between",
        "expect_column_unique_value_count_to_be_between",
        "expect_column_value_z_scores_to_be_less_than",
        "expect_column_values_to_be_unique",
        "expect_compound_columns_to_be_unique",
        "expect_select_column_values_to_be_unique_within_record",
        "expect_table_row_count_to_be_between",
    }
)
"""Kinds that Great Expectations runs on samples of decoded rows, and the gate does not."""


@dataclass(frozen=True)
class CompiledRule:
    """A rule of the gate: its bit in the mask is its place among the compiled rules."""

    code: str
    severity: Severity
    fails: pl.Expr
    """True where a row fails, never null."""


@dataclass(frozen=True)
class Registered:
    """A contract with its rules in force."""

    contract: Contract
    suite: Suite
    suite_hash: str
    suite_json: str
    rules: tuple[CompiledRule, ...]
    """Compiled rules in suite order."""
    gx_lane: tuple[Expectation, ...]
    """Expectations that only Great Expectations checks, on samples."""
    columns: frozenset[str]
    """Columns that the compiled rules and the gate's rule on future event times read."""

    @cached_property
    def _verdicts(self) -> list[pl.Expr]:
        return [rule.fails.alias(rule.code) for rule in self.rules]

    def masks(self, frame: pl.DataFrame) -> npt.NDArray[np.uint64]:
        """One bitmask per row of a frame that has `columns`: bit i is set where `rules[i]` fails."""
        masks = np.zeros(frame.height, dtype=np.uint64)
        verdicts = frame.select(self._verdicts)
        for at, verdict in enumerate(verdicts.iter_columns()):
            if verdict.any():  # most rules fail nowhere in a batch
                masks |= verdict.to_numpy().astype(np.uint64) << np.uint64(at)
        return masks

    def codes(self, mask: int) -> list[str]:
        """Codes of the rules whose bits are set, in suite order."""
        return [rule.code for at, rule in enumerate(self.rules) if mask >> at & 1]


def register(contract: Contract) -> Registered:
    """Make and compile the suite of a contract.

    Raises ContractError that names every rule nothing can run: a wrong one, a critical one that cannot be
    compiled, one of a kind unknown to Great Expectations.
    """
    suite = make_suite(contract)
    none = pl.DataFrame(schema={field.name: field.dtype for field in contract.fields})
    compiled: list[CompiledRule] = []
    lane: list[Expectation] = []
    columns = {contract.event_time_field}
    problems = list(_repeated_codes(suite["expectations"]))
    for expectation in suite["expectations"]:
        try:
            rule = _compiled(expectation, contract, none)
        except ContractError as error:
            problems.append(error.what)
            continue
        if rule is None:
            lane.append(expectation)
        else:
            compiled.append(rule)
            columns |= columns_read(expectation)
    if len(compiled) > MAX_RULES:
        problems.append(f"{len(compiled)} rules, the gate holds {MAX_RULES}")
    _demand_none(problems, contract)
    return Registered(
        contract=contract,
        suite=suite,
        suite_hash=suite_hash(suite),
        suite_json=suite_json(suite),
        rules=tuple(compiled),
        gx_lane=tuple(lane),
        columns=frozenset(columns),
    )


def _compiled(expectation: Expectation, contract: Contract, none: pl.DataFrame) -> CompiledRule | None:
    """The rule for the gate, None where it is left to Great Expectations; ContractError where nothing can run it.

    `none` has the columns of the contract and no rows.
    """
    code, severity = expectation["meta"]["code"], expectation["meta"]["severity"]
    try:
        fails = _tried(compile_rule(expectation, contract), none, f"{contract.key}, rule {code}")
    except NotCompilableError:
        if severity == "critical" or not _runs_in_lane(expectation, contract):
            raise
        return None
    return CompiledRule(code, severity, fails)


def _demand_none(problems: list[str], contract: Contract) -> None:
    if problems:
        listed = "".join(f"\n  - {problem}" for problem in problems)
        raise ContractError(
            f"{contract.key}: {len(problems)} rule(s) cannot be registered:{listed}",
            fix="correct these rules; a critical rule must look at one row alone and be exact",
        )


def _repeated_codes(expectations: Iterable[Expectation]) -> Iterable[str]:
    seen: set[str] = set()
    for expectation in expectations:
        code = expectation["meta"]["code"]
        if code in seen:
            yield f"code {code} stands for two rules"
        seen.add(code)


def _runs_in_lane(expectation: Expectation, contract: Contract) -> bool:
    if expectation["type"] in KINDS:
        return True
    return expectation["type"] in LANE_KINDS and columns_read(expectation) <= set(contract.field_names)


def _tried(fails: pl.Expr, none: pl.DataFrame, where: str) -> pl.Expr:
    """Run an expression once on no rows: what Polars refuses, it refuses now and not in the middle of a stream."""
    try:
        none.select(fails)
    except pl.exceptions.PolarsError as error:
        raise ContractError(f"{where}: {error}", fix="correct the rule") from error
    return fails
