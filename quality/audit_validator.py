"""Real Great Expectations, kept on a short lead: one context, no progress bars, no telemetry, bounded history.

Importing this module loads Great Expectations, which takes seconds and hundreds of megabytes: only the audit
process does. Its traps, and what is done about them:

- results come in another order than the suite: they are matched by rule code;
- an expectation that could not run (missing column, wrong type) has no list of failing rows: that is an error
  of its own and never read as "no row fails";
- a validation definition keeps every result for ever: batches are validated directly, and a fixed number of
  results per suite is kept for Data Docs;
- it is not safe in threads: there is one validator per process, used by one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import great_expectations as gx
import polars as pl
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.types.base import DataContextConfig, ProgressBarsConfig
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)

from quality.pandas_frames import to_pandas
from quality.suite import Expectation

HISTORY: Final = 20
"""Validation results per suite that Data Docs show."""

_BULKY: Final = ("unexpected_list", "unexpected_index_list", "unexpected_index_query", "partial_unexpected_index_list")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one expectation."""

    success: bool
    rows: frozenset[int] | None
    """Positions of failing rows; None where the expectation does not look at rows, or could not run."""
    error: str | None
    """Why it could not run; None where it ran."""
    observed: Any
    """What an expectation on a whole column saw."""


class Validator:
    """Validates frames and keeps Data Docs under `folder`."""

    def __init__(self, folder: Path) -> None:
        self._context = gx.get_context(mode="ephemeral", project_config=_config(folder.absolute()))
        asset = self._context.data_sources.add_pandas("audit").add_dataframe_asset("sample")
        self._batches = asset.add_batch_definition_whole_dataframe("sample")

    def validate(
        self, suite: str, frame: pl.DataFrame, expectations: Sequence[Expectation], *, name: str, at: datetime
    ) -> dict[str, Outcome]:
        """Outcome of each expectation by its code; the result is shown in Data Docs as `name`, run at `at`."""
        described = [{**e, "description": f"{e['meta']['code']}: {e['type']} {_text(e)}"} for e in expectations]
        batch = self._batches.get_batch({"dataframe": to_pandas(frame)})
        result = batch.validate(
            ExpectationSuite(name=suite, expectations=described), result_format={"result_format": "COMPLETE"}
        )
        outcomes = {_code(r): _outcome(r) for r in result.results}
        for each in expectations:
            outcomes.setdefault(
                each["meta"]["code"], Outcome(success=False, rows=None, error="no result", observed=None)
            )
        self._keep(suite, result, name, at)
        return outcomes

    def publish(self) -> None:
        """Build Data Docs from the results that are kept; pages of others are removed."""
        self._context.build_data_docs()

    def _keep(self, suite: str, result: Any, name: str, at: datetime) -> None:
        for each in result.results:
            for bulky in _BULKY:
                each.result.pop(bulky, None)
        store: Any = self._context.validation_results_store
        run = RunIdentifier(run_name="audit", run_time=at)
        key = ValidationResultIdentifier(ExpectationSuiteIdentifier(suite), run, name)
        store.set(key, result)
        kept = [k for k in store.list_keys() if k.expectation_suite_identifier == key.expectation_suite_identifier]
        kept.sort(key=lambda k: k.run_id.run_time)
        for old in kept[:-HISTORY]:
            store.remove_key(old)


def _code(result: Any) -> str:
    return str(result.expectation_config.meta["code"])


def _outcome(result: Any) -> Outcome:
    found = result.result
    raised = _raised(result.exception_info)
    if raised is not None:
        return Outcome(success=False, rows=None, error=raised, observed=None)
    rows = found.get("unexpected_index_list")
    if rows is None and "unexpected_count" in found and found["unexpected_count"] != 0:
        return Outcome(success=False, rows=None, error="failing rows were counted and not listed", observed=None)
    listed = None if "unexpected_count" not in found else frozenset(int(row) for row in rows or ())
    return Outcome(success=bool(result.success), rows=listed, error=None, observed=found.get("observed_value"))


def _raised(info: Any) -> str | None:
    """What was raised: `exception_info` is one record, or one per metric that could not be computed."""
    if not info:
        return None
    records = [info] if "raised_exception" in info else list(info.values())
    messages = [str(record.get("exception_message")) for record in records if record.get("raised_exception")]
    return "; ".join(messages)[:500] if messages else None


def _text(expectation: Expectation) -> str:
    return ", ".join(f"{name} {value}" for name, value in expectation["kwargs"].items())


def _config(folder: Path) -> DataContextConfig:
    def store(kind: str, place: str | None = None) -> dict[str, Any]:
        memory = {"class_name": "InMemoryStoreBackend"}
        return {"class_name": kind, "store_backend": memory if place is None else _files(folder / place)}

    return DataContextConfig(
        config_version=4.0,
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
        stores={
            "expectations_store": store("ExpectationsStore"),
            "validation_results_store": store("ValidationResultsStore", "results"),
            "checkpoint_store": store("CheckpointStore"),
            "validation_definition_store": store("ValidationDefinitionStore"),
        },
        expectations_store_name="expectations_store",
        validation_results_store_name="validation_results_store",
        checkpoint_store_name="checkpoint_store",
        data_docs_sites={
            "takt": {
                "class_name": "SiteBuilder",
                "show_how_to_buttons": False,
                "store_backend": _files(folder / "docs"),
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            }
        },
    )


def _files(folder: Path) -> dict[str, Any]:
    return {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)}
