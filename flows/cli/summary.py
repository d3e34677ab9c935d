"""Where every input row went, as a table."""

from __future__ import annotations

from rich.table import Table

from dashboards.sql import query
from flows.build import lake_location
from flows.settings import Settings

_TOTALS = """
    SELECT source, sum(rows_in)::BIGINT, sum(good)::BIGINT, sum(quarantined)::BIGINT, sum(late)::BIGINT,
           sum(duplicates)::BIGINT, sum(conflicts)::BIGINT
    FROM accounting GROUP BY source ORDER BY source
"""


def accounting_table(settings: Settings) -> Table:
    """Totals per source; the columns behind `rows in` add up to it."""
    table = Table(
        title="rows in = good + quarantined + late + duplicates + conflicts", title_justify="left", padding=(0, 0)
    )
    table.add_column("source", no_wrap=True)
    for name in ("rows in", "good", "quarantined", "late", "duplicates", "conflicts"):
        table.add_column(name, justify="right", no_wrap=True)
    for source, *counts in query(lake_location(settings), _TOTALS).rows:
        table.add_row(str(source), *(f"{count:,}" for count in counts))
    return table
