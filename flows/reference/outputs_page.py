"""Every output and every table of the lake: columns, units, grain, key, event type and topic."""

from __future__ import annotations

from flows.reference.markdown import code, page, table
from flows.settings import Topics
from schemas.outputs import OUTPUTS, Output
from sinks.lake.meta import ATTEMPTS, FRESHNESS, META_TABLES, RULE_TOTALS
from sinks.lake.tables import RECORDED_AT, SQL_TYPES

_INTRO = """
Each output is a view of the lake in schema `main`, and `<output>_as_of(t)` gives it as it stood at time `t`. Where rows
are revised, `<output>_latest` holds only the newest revision of each, and `<output>_latest_as_of(t)` does so as of
`t`. Outputs with an event type are also published to Kafka, one CloudEvent per row; the key names the row for ever, and
the event's id is a hash of event type and key.

Units are [UCUM](https://ucum.org) codes; `1` is a plain number. A column is never null unless it says so.
"""

_META = """
## Schema `meta`

What the lake knows of itself.
"""


def outputs_page() -> str:
    """The page."""
    parts = [_output(output) for output in OUTPUTS.values()]
    meta = [_table(f"### `meta.{one.name}`", one) for one in (*META_TABLES, FRESHNESS)]
    summaries = [
        _table(f"## `{one.name}`", one, f"- Key: {_names(one.key)}\n- A view, in the lake only")
        for one in (ATTEMPTS, RULE_TOTALS)
    ]
    return page("Outputs and tables", _INTRO, *parts, *summaries, _META, *meta)


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
    return _table(f"## `{output.name}`", output, "\n".join(facts))


def _table(heading: str, output: Output, *facts: str) -> str:
    recorded = (RECORDED_AT,) if output.name in OUTPUTS else ()
    rows = [
        (code(c.name), SQL_TYPES[c.kind], code(c.unit), c.comment + ("; may be null" if c.nullable else ""))
        for c in (*output.columns, *recorded)
    ]
    about = f"{output.comment}. Grain: {output.grain}."
    return "\n\n".join([heading, about, *facts, table(("column", "SQL type", "unit", "meaning"), rows)])


def _names(columns: tuple[str, ...], between: str = ", ") -> str:
    return between.join(map(code, columns))
