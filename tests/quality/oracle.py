"""What real Great Expectations says of every row: the oracle that the compiled gate is held against."""

from __future__ import annotations

from typing import Any

import polars as pl

from quality.pandas_frames import to_pandas


def failing_rows(frame: pl.DataFrame, expectations: list[dict[str, Any]]) -> dict[str, set[int]]:
    """Indices of failing rows by rule code. Raises when Great Expectations could not run a rule."""
    import great_expectations as gx  # noqa: PLC0415 - takes seconds, which collecting tests need not wait for
    from great_expectations.core.expectation_suite import ExpectationSuite  # noqa: PLC0415

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("oracle").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": to_pandas(frame)})
    suite = ExpectationSuite(name="oracle", expectations=expectations)
    found = {}
    for result in batch.validate(suite, result_format={"result_format": "COMPLETE"}).results:
        code = result.expectation_config.meta["code"]
        # No index list means that the rule did not run, never that no row fails.
        if "unexpected_index_list" not in result.result and result.result.get("unexpected_count") != 0:
            raise AssertionError(f"{code}: {result.exception_info}")
        found[code] = set(result.result.get("unexpected_index_list") or ())
    assert len(found) == len(expectations)
    return found
