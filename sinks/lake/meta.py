"""The lake's own tables in schema `meta`: what was written when, by whom, and what each column means."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from schemas.outputs import Column, Output

_WRITER = (
    Column("run", "string", "", "Run id: binds recovery store, lake and topics"),
    Column("flow", "string", "", "Flow that wrote"),
)
RECORDED_AT = Column("recorded_at", "timestamp", "UTC", "When the row was committed to the lake")
_RECORDED = Column("recorded_at", "timestamp", "UTC", "When it was committed to the lake")

COMMITS = Output(
    name="commits",
    grain="one row per committed epoch of one writer",
    comment="Every transaction of every writer; rows above a durable sequence number are undone on resume",
    columns=(
        *_WRITER,
        Column("part", "string", "", "Part of the sink that wrote"),
        Column("seq", "integer", "1", "Sequence number within run, flow and part, from 1"),
        Column("rows", "integer", "1", "Rows committed, over all tables"),
        _RECORDED,
    ),
    key=("run", "flow", "part", "seq"),
)

RUNS = Output(
    name="runs",
    grain="one row per run and flow",
    comment="Runs that wrote into this lake",
    columns=(
        *_WRITER,
        Column("started_at", "timestamp", "UTC", "When the run first opened the lake"),
        Column("versions", "string", "", "Versions of Takt and the libraries behind it, as JSON"),
    ),
    key=("run", "flow"),
)

CONTRACTS = Output(
    name="contracts",
    grain="one row per contract, version and suite hash",
    comment="Data contracts that inputs of this lake were held against",
    columns=(
        Column("contract", "string", "", "Contract and version, as in the contract columns of the outputs"),
        Column("suite_hash", "string", "", "Hash of the expectation suite made from it"),
        Column("document", "string", "", "The whole contract (ODCS), as text"),
        _RECORDED,
    ),
    key=("contract", "suite_hash"),
)

COLUMNS = Output(
    name="columns",
    grain="one row per column of a table, view or macro",
    comment="Dictionary: type, unit, meaning and grain of everything an analyst can query",
    columns=(
        Column("schema", "string", "", "Schema of the table or view"),
        Column("output", "string", "", "Table, view, or macro with its parameters"),
        Column("position", "integer", "1", "Place of the column, from 1"),
        Column("column", "string", "", "Column"),
        Column("type", "string", "", "SQL type"),
        Column("unit", "string", "", "Unit (UCUM); 1 for a plain number, empty where none makes sense"),
        Column("nullable", "boolean", "", "Whether it can be null"),
        Column("comment", "string", "", "What it means"),
        Column("grain", "string", "", "What one row of the table, view or macro is"),
    ),
    key=("schema", "output", "column"),
)

MACROS = Output(
    name="macros",
    grain="one row per macro",
    comment="Macros to select from, as in FROM stock_as_it_was(now())",
    columns=(
        Column("macro", "string", "", "Name and parameters; times may be given as text"),
        Column("comment", "string", "", "What it gives"),
        Column("grain", "string", "", "What one row of it is"),
    ),
    key=("macro",),
)

EXAMPLES = Output(
    name="example_queries",
    grain="one row per query",
    comment="Queries to try and to build upon; each runs as it is",
    columns=(
        Column("name", "string", "", "Short name"),
        Column("title", "string", "", "The question it answers"),
        Column("sql", "string", "", "The query"),
    ),
    key=("name",),
)

VERSION = Output(
    name="schema_version",
    grain="one row",
    comment="Version and fingerprint of the tables, views and macros in force",
    columns=(
        Column("version", "integer", "1", "Version of the lake's layout"),
        Column("fingerprint", "string", "", "Hash of all definitions"),
        Column("upgraded_at", "timestamp", "UTC", "When it came into force"),
    ),
    key=("version",),
)

FRESHNESS = Output(
    name="freshness",
    grain="one row per output",
    comment="How fresh each output is; ages are taken when the query runs",
    columns=(
        Column("output", "string", "", "Output"),
        Column("rows", "integer", "1", "Rows"),
        Column("last_event_time", "timestamp", "UTC", "Latest event time or window end", nullable=True),
        Column("last_recorded_at", "timestamp", "UTC", "Latest commit that wrote to it", nullable=True),
        Column("age_s", "number", "s", "Time since the latest commit", nullable=True),
    ),
    key=("output",),
)

ATTEMPTS = Output(
    name="quarantine_attempts",
    grain="one row per source and different message ever rejected",
    comment="How often the same bytes were rejected: first, with each replay that failed, and whenever sent again",
    columns=(
        Column("source", "string", "", "Source, as named in the settings"),
        Column("contract", "string", "", "Contract and version of the latest attempt"),
        Column("raw", "bytes", "", "Original bytes, untouched"),
        Column("attempts", "integer", "1", "How often these bytes were rejected"),
        Column("reasons", "strings", "", "Codes of the rules that failed at the latest attempt"),
        Column("detail", "string", "", "The decoder's own words at the latest attempt", nullable=True),
        Column("first_recorded_at", "timestamp", "UTC", "Commit of the first attempt"),
        Column("last_recorded_at", "timestamp", "UTC", "Commit of the latest attempt"),
    ),
    key=("source", "raw"),
)

RULE_TOTALS = Output(
    name="rule_failure_totals",
    grain="one row per source, contract and rule that ever failed",
    comment="How many messages failed which rule, and what share that is of all messages read",
    columns=(
        Column("source", "string", "", "Source, as named in the settings"),
        Column("contract", "string", "", "Contract and version the messages were held against"),
        Column("code", "string", "", "Code of the rule, decode.* and time.future among them"),
        Column("severity", "string", "", "critical, warning or info: that of the latest failure"),
        Column("failed", "integer", "1", "Messages read that failed the rule; a message may fail several"),
        Column("rows_in", "integer", "1", "Messages read of the source under the contract"),
        Column("share", "number", "1", "failed / rows_in"),
        Column("last_recorded_at", "timestamp", "UTC", "Latest commit in which it failed"),
    ),
    key=("source", "contract", "code"),
)

META_TABLES = (COMMITS, RUNS, CONTRACTS, COLUMNS, MACROS, EXAMPLES, VERSION)


@dataclass(frozen=True, slots=True)
class ContractRecord:
    """A contract in force: "name:version" as in the outputs, hash of its suite, its document as text."""

    contract: str
    suite_hash: str
    document: str


@dataclass(frozen=True, slots=True)
class ExampleQuery:
    """A query shipped with the lake; the first line of its file is its title, as a comment."""

    name: str
    title: str
    sql: str


def example_queries() -> list[ExampleQuery]:
    """The shipped queries in order of their file names."""
    texts = {
        file.name.removesuffix(".sql"): file.read_text(encoding="utf-8").strip()
        for file in (files("sinks.lake") / "queries").iterdir()
        if file.name.endswith(".sql")
    }
    return [
        ExampleQuery(name, text.splitlines()[0].removeprefix("--").strip(), text)
        for name, text in sorted(texts.items())
    ]


def event_time_column(output: Output) -> str | None:
    """Column that says how far in event time an output has come; None where it has none.

    >>> from schemas.outputs import OUTPUTS
    >>> event_time_column(OUTPUTS["robot_window"])
    'window_end'
    """
    names = {column.name for column in output.columns}
    return next((n for n in ("event_time", "window_end", "bucket_end", "max_event_time") if n in names), None)
