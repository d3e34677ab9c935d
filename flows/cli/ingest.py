"""`takt ingest`: make a stream of any file that DuckDB reads, by one SQL query."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.common import SettingsFile, err, progress, settings_from
from flows.ingest import to_file, to_topic
from schemas.adapters.sql_mapping import mapped
from schemas.errors import SettingsError
from schemas.registry import find_contract

_EXAMPLES = """
Examples:

  takt ingest taxi.sql --contract robot.state@1 --to taxi.jsonl --data ~/data

  takt ingest taxi.sql --contract robot.state@1 --topic telemetry --settings takt.toml
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="ingest", epilog=_EXAMPLES)(ingest)


def ingest(
    query: Annotated[Path, typer.Argument(help="file with the mapping query, in DuckDB's SQL")],
    contract: Annotated[str, typer.Option(help="contract whose columns the query returns, as in robot.state@1")],
    to: Annotated[Path | None, typer.Option(help="JSON-lines file to write; replaced when it is there")] = None,
    topic: Annotated[str | None, typer.Option(help="Kafka topic to write to")] = None,
    data: Annotated[Path, typer.Option(help="folder in which relative paths of the query start")] = Path(),
    settings: SettingsFile = None,
) -> None:
    """Turn the rows of a query into messages of a contract, in event-time order, into a file or a topic."""
    if (to is None) == (topic is None):
        raise SettingsError("one of --to and --topic says where the messages go", fix="give exactly one of them")
    chosen = settings_from(settings)
    try:
        text = query.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"mapping query {query} cannot be read: {error}", fix="give the path of a file") from error
    found = find_contract(contract, chosen.contracts)
    batches = mapped(text, found, folder=data)
    with progress("ingest") as bar:
        task = bar.add_task("ingest", total=None)

        def told(done: int) -> None:
            bar.update(task, completed=done)

        count = to_file(batches, to, told) if to else to_topic(batches, chosen, str(topic), found, told)
    err.print(f"{count:,} messages of {found.key} written to {to or topic}")
