"""`takt contracts`: which there are, what they say, whether a document is good, what a version changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from dashboards.render import Format
from dashboards.sql import QueryResult
from flows.cli.common import SettingsFile, err, out, settings_from, show_result
from flows.contract_words import bounds_of, type_of
from flows.contracts import Checked, check, read_or_find
from flows.kinds import ALIGNED_KINDS
from quality.registration import register as register_contract
from schemas.changes import changes
from schemas.compatibility import Level, check_compatibility
from schemas.errors import ContractError
from schemas.registry import contracts

_ADVICE: dict[Level, str] = {
    "full": "readers and writers may be upgraded in any order",
    "backward": "upgrade readers first: the new version reads all that was written to the old one",
    "forward": "upgrade writers first: the old version reads all that is written to the new one",
    "none": "neither version reads all that is written to the other: run them side by side, as two sources",
}
_FORMAT = Annotated[Format, typer.Option("--format", help="how to print it")]
_CONTRACT = "name@version, or the path of a document"
_SHORT = 12
_WIDE = 250
"""Width of a table that is not shown on a terminal."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="What events must look like, and who stands for it.", no_args_is_help=True)
    group.command(name="list", epilog="Example: takt contracts list")(show_all)
    group.command(name="show", epilog="Example: takt contracts show robot.state@1")(show)
    group.command(name="check", epilog="Example: takt contracts check contracts/robot.state.v2.odcs.yaml")(check_all)
    group.command(
        name="diff",
        epilog="Example: takt contracts diff robot.state@1 contracts/robot.state.v2.odcs.yaml --require backward",
    )(diff)
    app.add_typer(group, name="contracts")


def show_all(form: _FORMAT = "table", settings: SettingsFile = None) -> None:
    """List the contracts that come with Takt and those of the settings' folder."""
    rows = []
    for contract in contracts(settings_from(settings).contracts).values():
        known = register_contract(contract)
        # On a screen a few characters tell suites apart; programs are given what the lake holds.
        suite = known.suite_hash[:_SHORT] if form == "table" else known.suite_hash
        rows.append((contract.name, contract.version, contract.owner, len(known.suite["expectations"]), suite))
    _print(["contract", "version", "owner", "rules", "suite_hash"], rows, form)


def show(
    contract: Annotated[str, typer.Argument(help=_CONTRACT)],
    settings: SettingsFile = None,
) -> None:
    """Print what a contract says: its facts, its fields with units and bounds, its rules with codes and severities."""
    chosen = read_or_find(contract, settings_from(settings).contracts)
    known = register_contract(chosen)
    facts = {
        "contract": chosen.key,
        "meaning": chosen.description,
        "owner": chosen.owner,
        "identity": ", ".join(chosen.idempotency_key),
        "entity": chosen.entity_field,
        "event time": f"{chosen.event_time_field}, at most {chosen.future_tolerance_s:g} s ahead of arrival",
        "reports": f"every {chosen.update_every_s:g} s" if chosen.update_every_s else "on change",
        "deprecation": f"readable for {chosen.deprecation_days} days after a successor",
        "suite hash": known.suite_hash,
    }
    for name, fact in facts.items():
        out.print(f"[bold]{name:<12}[/] {escape(fact)}", soft_wrap=True)
    out.print()
    fields = [(f.name, type_of(f), f.unit, bounds_of(f), f.description) for f in chosen.fields]
    _print(["field", "type", "unit", "bounds", "meaning"], fields)
    out.print()
    lane = {expectation["meta"]["code"] for expectation in known.gx_lane}
    rules = [
        (code, e["meta"]["severity"], "samples" if code in lane else "every row", e["type"])
        for e in known.suite["expectations"]
        for code in [e["meta"]["code"]]
    ]
    _print(["code", "severity", "checked on", "expectation"], rows=rules, form="table")


def check_all(
    paths: Annotated[list[Path] | None, typer.Argument(help="documents or folders; else the settings' folder")] = None,
    settings: SettingsFile = None,
) -> None:
    """Check contract documents as a flow would: the document, its rules, its fields; exit 1 if any is wrong."""
    if not paths:
        folder = settings_from(settings).contracts
        if folder is None:
            raise ContractError("there is nothing to check", fix="give documents or a folder, or set `contracts`")
        paths = [folder]
    results = [*check(paths)]
    for result in results:
        _print_checked(result)
    if any(isinstance(result.outcome, ContractError) for result in results):
        raise typer.Exit(1)


def _print_checked(result: Checked) -> None:
    if isinstance(result.outcome, ContractError):
        what = result.outcome.what
        named = what if result.place in what else f"{result.place}: {what}"
        out.print(f"[red]wrong[/] {escape(named)}", soft_wrap=True)
        out.print(f"      [green]fix:[/] {escape(result.outcome.fix)}", soft_wrap=True)
        return
    known = result.outcome
    words = [known.contract.key, f"{len(known.rules)} rules on every row"]
    if known.gx_lane:
        words.append(f"{len(known.gx_lane)} on samples")
    words.append(f"suite {known.suite_hash[:_SHORT]}")
    if known.contract.name not in ALIGNED_KINDS:
        words.append(f"no flow works on {known.contract.name!r} yet")
    out.print(f"[green]ok   [/] {escape(result.place)}: {escape(', '.join(words))}", soft_wrap=True)


def diff(
    old: Annotated[str, typer.Argument(help=_CONTRACT)],
    new: Annotated[str, typer.Argument(help=_CONTRACT)],
    require: Annotated[
        Literal["full", "backward", "forward"] | None, typer.Option(help="exit with 1 unless this holds")
    ] = None,
    form: _FORMAT = "table",
    settings: SettingsFile = None,
) -> None:
    """List the changes between two versions of a contract, and which of them break what.

    Backward: readers of the new version accept all that was written to the old one. Forward: the other way round.
    """
    folder = settings_from(settings).contracts
    before, after = read_or_find(old, folder), read_or_find(new, folder)
    rows = [(c.subject, c.what, _verdict(c.backward), _verdict(c.forward)) for c in changes(before, after)]
    _print(["subject", "change", "backward", "forward"], rows, form)
    level = check_compatibility(before, after).level
    if not rows:
        err.print("no difference")
    err.print(f"{before.key} -> {after.key}: {level}; {_ADVICE[level]}", soft_wrap=True)
    if before.key == after.key and rows:
        err.print(
            f"both are {before.key}: a published version never changes, so give the new one its own", soft_wrap=True
        )
    if require is not None and level not in ("full", require):
        raise typer.Exit(1)


def _verdict(reasons: tuple[str, ...]) -> str:
    return "; ".join(reasons) or "ok"


def _print(columns: list[str], rows: Sequence[tuple[object, ...]], form: Format = "table") -> None:
    if form != "table":
        show_result(QueryResult(columns, ["VARCHAR"] * len(columns), [*rows]), form)
        return
    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for row in rows:
        table.add_row(*(Text(str(value)) for value in row))
    (out if out.is_terminal else Console(width=_WIDE, highlight=False)).print(table)
