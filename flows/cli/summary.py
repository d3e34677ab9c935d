"""Where every input row went, as a table, and which rules failed that hold no message up."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from dashboards.sql import query
from flows.build import lake_location
from flows.settings import Settings

_TOTALS = """
    SELECT source, any_value(warnings), sum(rows_in)::BIGINT, sum(good)::BIGINT, sum(quarantined)::BIGINT,
           sum(late)::BIGINT, sum(duplicates)::BIGINT, sum(conflicts)::BIGINT
    FROM accounting LEFT JOIN (
        SELECT source, string_agg(format('{} ({}) {:,}', code, severity, failed), ', ' ORDER BY code) AS warnings
        FROM (SELECT source, code, severity, sum(failed)::BIGINT AS failed FROM rule_failures GROUP BY ALL)
        WHERE severity <> 'critical' GROUP BY source
    ) USING (source)
    GROUP BY source ORDER BY source
"""


def summary(settings: Settings) -> Group:
    """Totals per source; the columns behind `rows in` add up to it. A line of warnings follows where there are any."""
    table = Table(padding=(0, 0))
    table.add_column("source", no_wrap=True)
    for name in ("rows in", "good", "quarantined", "late", "duplicates", "conflicts"):
        table.add_column(name, justify="right", no_wrap=True)
    warned = []
    for source, warnings, *counts in query(lake_location(settings), _TOTALS).rows:
        table.add_row(str(source), *(f"{count:,}" for count in counts))
        if warnings:
            warned.append(f"{source}: {warnings}")
    sum_up = Text("rows in = good + quarantined + late + duplicates + conflicts")
    line = Text(f"warnings, which hold no message up: {'; '.join(warned)}")
    return Group(sum_up, table, line) if warned else Group(sum_up, table)
