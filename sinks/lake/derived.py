"""Views and macros over outputs, beside those that every output has: what they are, and the query behind each."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.outputs import Output
from sinks.lake.meta import ATTEMPTS, RULE_TOTALS
from sinks.lake.quoting import identifier


@dataclass(frozen=True, slots=True)
class Derived:
    """A view, or with `parameters` a macro, of schema `main`: its columns, and the query that gives them.

    DuckDB takes a parameter for the column of that name, so none may be called as a column of the query is.
    """

    about: Output
    sql: str
    parameters: tuple[str, ...] = ()

    @property
    def call(self) -> str:
        """How a query names it."""
        return f"{self.about.name}({', '.join(self.parameters)})" if self.parameters else self.about.name

    @property
    def definition(self) -> str:
        """Statement that makes it."""
        name = f"main.{identifier(self.about.name)}"
        if self.parameters:
            return f"CREATE OR REPLACE MACRO {name}({', '.join(self.parameters)}) AS TABLE {self.sql}"
        return f"CREATE OR REPLACE VIEW {name} AS {self.sql}"


_ATTEMPTS_SQL = """
    SELECT source, arg_max(contract, _seq) AS contract, raw, count(*) AS attempts, arg_max(reasons, _seq) AS reasons,
           arg_max(detail, _seq) AS detail,
           min(_recorded_at) AS first_recorded_at, max(_recorded_at) AS last_recorded_at
    FROM internal.quarantine WHERE kind = 'quarantined' GROUP BY source, raw
"""

_RULE_TOTALS_SQL = """
    SELECT source, contract, code, severity, failed, rows_in, failed / rows_in AS share, last_recorded_at
    FROM (SELECT source, contract, code, arg_max(severity, _recorded_at) AS severity, sum(failed)::BIGINT AS failed,
                 max(_recorded_at) AS last_recorded_at FROM internal.rule_failures GROUP BY source, contract, code)
    JOIN (SELECT source, contract, sum(rows_in)::BIGINT AS rows_in FROM internal.accounting GROUP BY source, contract)
    USING (source, contract)
"""

PIPELINE_VIEWS = (Derived(ATTEMPTS, _ATTEMPTS_SQL), Derived(RULE_TOTALS, _RULE_TOTALS_SQL))
"""Views over all runs of the pipeline itself."""
