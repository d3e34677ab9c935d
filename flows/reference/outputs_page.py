"""Every output and every table of the lake, by theme: columns, units, grain, key, event type and topic."""

from __future__ import annotations

from dataclasses import dataclass

from flows.reference.markdown import code, page, table
from flows.settings import Topics
from schemas.outputs import (
    ACCOUNTING,
    ADJUSTMENT,
    ALIGNMENT,
    ASSIGNMENT,
    DEMAND,
    LATE,
    ORDER_PROPOSAL,
    OUTPUTS,
    QUARANTINE,
    REALLOCATION,
    RECONCILIATION,
    REPLENISHMENT,
    ROBOT_WINDOW,
    RULE_FAILURES,
    SENSOR_WINDOW,
    SERVICE_TIME,
    SETPOINT,
    SHEDDING,
    SIGNAL,
    STOCK_MOVE,
    STOCK_POSITION,
    THROUGHPUT,
    Column,
    Key,
    Output,
)
from sinks.lake.alignment_views import ALIGNMENT_VIEWS
from sinks.lake.demand_views import DEMAND_VIEWS
from sinks.lake.derived import PIPELINE_VIEWS, Derived
from sinks.lake.meta import FRESHNESS, META_TABLES, RECORDED_AT
from sinks.lake.stock_views import STOCK_VIEWS
from sinks.lake.tables import SQL_TYPES

_INTRO = """
Each output is a view of the lake in schema `main`, and `<output>_as_of(t)` gives it as it stood at time `t`. Where rows
are revised, `<output>_latest` holds only the newest revision of each, and `<output>_latest_as_of(t)` does so as of
`t`. Outputs with an event type are also published to Kafka, one CloudEvent per row; the key names the row for ever, and
the event's id is a hash of event type and key.

Beside the outputs there are views and macros made of them; a macro is called like a table, as in
`FROM stock_as_it_was('2026-03-02 09:00:00Z')`, and a time may be any text that DuckDB takes for an instant.

Units are [UCUM](https://ucum.org) codes; `1` is a plain number, `per uom` the base unit that the row or the SKU has
([units of measure](codes.md#units-of-measure)). A column is never null unless it says so.
"""

_META = """
## Schema `meta`

What the lake knows of itself.
"""


@dataclass(frozen=True, slots=True)
class _Theme:
    title: str
    about: str
    outputs: tuple[Output, ...]
    derived: tuple[Derived, ...] = ()


_THEMES = (
    _Theme(
        "Throughput",
        "Robots, tasks and sensors; see [throughput](../explanation/throughput.md).",
        (ROBOT_WINDOW, THROUGHPUT, SERVICE_TIME, SENSOR_WINDOW),
    ),
    _Theme(
        "Demand",
        "Orders, sales, promotions and forecasts; see [demand and stock](../how-to/demand-and-stock.md).",
        (DEMAND,),
        DEMAND_VIEWS,
    ),
    _Theme(
        "Stock",
        "Moves, counts and what follows from them; see [demand and stock](../how-to/demand-and-stock.md).",
        (STOCK_MOVE, STOCK_POSITION, RECONCILIATION, ADJUSTMENT),
        STOCK_VIEWS,
    ),
    _Theme(
        "Replenishment",
        "Where demand meets stock; see [demand and stock](../how-to/demand-and-stock.md).",
        (REPLENISHMENT, ORDER_PROPOSAL),
    ),
    _Theme(
        "Capacity and demand in step",
        "Gaps, setpoints and who should do what; see [in step](../how-to/in-step.md).",
        (ALIGNMENT, SETPOINT, SHEDDING, ASSIGNMENT, REALLOCATION),
        ALIGNMENT_VIEWS,
    ),
    _Theme(
        "Every flow",
        "Where each message went, and what somebody should know.",
        (SIGNAL, QUARANTINE, LATE, ACCOUNTING, RULE_FAILURES),
        PIPELINE_VIEWS,
    ),
)


def outputs_page() -> str:
    """The page."""
    missing = OUTPUTS.keys() - {output.name for theme in _THEMES for output in theme.outputs}
    if missing:
        raise AssertionError(f"outputs without a theme: {sorted(missing)}")
    meta = [_table(f"### `meta.{one.name}`", one) for one in (*META_TABLES, FRESHNESS)]
    return page("Outputs and tables", _INTRO, *map(_theme, _THEMES), _META, *meta)


def _theme(theme: _Theme) -> str:
    described = {(*output.columns, RECORDED_AT): output.name for output in theme.outputs}
    parts = [_output(output) for output in theme.outputs]
    for derived in theme.derived:
        parts.append(_derived(derived, described.get(derived.about.columns)))
        described.setdefault(derived.about.columns, derived.call)
    return "\n\n".join([f"## {theme.title}", theme.about, *parts])


def _derived(derived: Derived, alike: str | None) -> str:
    """A view or macro; `alike` has the same columns and is described before it."""
    about = derived.about
    facts = f"- Key: {_names(about.key)}\n- {'A macro' if derived.parameters else 'A view'}, in the lake only"
    if alike is None:
        return _table(f"### `{derived.call}`", about, facts)
    return "\n\n".join([f"### `{derived.call}`", _about(about), f"{facts}\n- Columns: those of `{alike}`"])


def _output(output: Output) -> str:
    facts = [f"- Key: {_names(output.key)}"]
    if output.latest_by:
        facts.append(f"- `{output.name}_latest`: newest revision by {_names(output.latest_by)}")
    if output.event_type and output.topic:
        topic = getattr(Topics(), output.topic)
        facts += [
            f"- Event type `{output.event_type}` ([JSON Schema](schemas/{output.event_type}.schema.json))",
            f"- Topic: setting `topics.{output.topic}`, by default `{topic}`",
            f"- Subject, and message key: {_names(output.subject, '/')}",
        ]
    else:
        facts.append("- In the lake only")
    return _table(f"### `{output.name}`", output, "\n".join(facts))


def _table(heading: str, output: Output, *facts: str) -> str:
    recorded = (RECORDED_AT,) if output.name in OUTPUTS else ()
    rows = [
        (code(c.name), SQL_TYPES[c.kind], code(c.unit), c.comment + ("; may be null" if c.nullable else ""))
        for c in (*output.columns, *recorded)
    ]
    columns = table(("column", "SQL type", "unit", "meaning"), rows)
    objects = [part for c in output.columns if c.keys for part in _object(c)]
    return "\n\n".join([heading, _about(output), *facts, columns, *objects])


def _object(column: Column) -> tuple[str, str]:
    rows = map(key_cells, column.keys)
    return f"Keys of `{column.name}`:", table(("key", "type", "unit", "meaning"), rows)


def key_cells(key: Key) -> tuple[str, str, str, str]:
    """Cells of a key's row: name, JSON type, unit, meaning."""
    type_ = f"{key.type.removesuffix('s')} array" if key.type.endswith("s") else key.type
    notes = ["may be null"] * key.nullable + ["not in every row"] * key.optional
    return code(key.name), type_, code(key.unit), "; ".join([key.comment, *notes])


def _about(output: Output) -> str:
    return f"{output.comment}. Grain: {output.grain}."


def _names(columns: tuple[str, ...], between: str = ", ") -> str:
    return between.join(map(code, columns))
