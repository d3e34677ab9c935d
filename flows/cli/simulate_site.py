"""`takt simulate site`: demand and stock of sites that do not exist, with the truth and settings to run them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Final

import typer

from domain.twin.demand_config import SITES, TradeConfig, clean
from domain.twin.stock_trade import STREAMS, Trade
from domain.twin.stock_wire import Line
from flows.cli.common import err, progress
from schemas.errors import SettingsError, SinkError

FILES: Final = {stream: stream.replace(".", "_") + ".jsonl" for stream in STREAMS}
TRUTH: Final = "truth.json"

_SETTINGS: Final = """# made by takt simulate site
[lake]
folder = "lake"

[recovery]
folder = "recovery"

[audit]
folder = "audit"

""" + "\n".join(
    f'[sources.{Path(file).stem}]\nkind = "files"\ncontract = "{stream}@1"\npath = "{file}"\n'
    for stream, file in FILES.items()
)

EXAMPLE: Final = "Example: takt simulate site shop --days 60 --skus 16 --sites 2"


def site(
    folder: Annotated[Path, typer.Argument(help="folder for the messages, the truth and takt.toml")],
    days: Annotated[int, typer.Option(min=14, max=730, help="length of the simulated time")] = 90,
    skus: Annotated[int, typer.Option(min=1, max=10_000, help="stock keeping units")] = 40,
    sites: Annotated[int, typer.Option(min=1, max=len(SITES), help="a second site is supplied by the first")] = 1,
    seed: Annotated[int, typer.Option(help="the same seed gives the same bytes")] = 1,
    spotless: Annotated[
        bool, typer.Option("--clean", help="no slips, no late papers, nothing lost, doubled or malformed")
    ] = False,
) -> None:
    """Simulate sites that sell: demand by class, promotions, stock-outs, orders, transfers, counts and leaks."""
    config = TradeConfig(seed=seed, days=days, skus=skus, sites=sites)
    written = write_site(clean(config) if spotless else config, folder)
    err.print(f"{written:,} messages, {TRUTH} and takt.toml in {folder}", soft_wrap=True)


def refuse_to_replace(folder: Path, names: Iterable[str]) -> None:
    """Raise where a file of a simulation would take the place of one that may be somebody's input."""
    there = next((name for name in names if (folder / name).exists()), None)
    if there is not None:
        raise SettingsError(f"{folder} has a {there} already", fix="remove it, or give another folder")


def write_site(config: TradeConfig, folder: Path) -> int:
    """Write one simulated run into a folder; how many messages there are."""
    if (folder / "lake").exists():
        raise SettingsError(
            f"{folder} holds the lake of another simulated site", fix="remove that folder, or give another one"
        )
    refuse_to_replace(folder, FILES.values())
    trade = Trade(config)
    lines: list[Line] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with progress("simulated SKUs") as bar:
            task = bar.add_task("simulate", total=config.skus)
            for some in trade.lines():
                lines += some
                bar.advance(task)
        _write_messages(lines, folder)
        (folder / TRUTH).write_text(json.dumps(trade.truth()), "utf-8")
        (folder / "takt.toml").write_text(_SETTINGS, "utf-8")
    except OSError as error:
        raise SinkError(
            f"{folder} cannot be written: {error.strerror}", fix="check the folder, its rights and free space"
        ) from error
    return len(lines)


def _write_messages(lines: list[Line], folder: Path) -> None:
    """One file per stream, in order of arrival."""
    with ExitStack() as stack:
        files = {stream: stack.enter_context((folder / name).open("wb")) for stream, name in FILES.items()}
        for line in sorted(lines, key=lambda line: line.delivered_us):
            files[line.stream].write(line.text + b"\n")
