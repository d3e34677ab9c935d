"""`takt simulate`: input with known truth; here `warehouse`, telemetry of a warehouse that does not exist."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from domain.twin.config import NO_DEFECTS, WarehouseConfig
from domain.twin.streams import ROBOT_STATE, SENSOR_READING, TASK
from domain.twin.truth import Truth
from domain.twin.warehouse import Warehouse
from flows.cli import simulate_check, simulate_site
from flows.cli.common import err, progress
from schemas.errors import SinkError

FILES = {ROBOT_STATE: "robot_state.jsonl", TASK: "task.jsonl", SENSOR_READING: "sensor_reading.jsonl"}

_EXAMPLE = "Example: takt simulate warehouse day --robots 50 --hours 8 --seed 3"


def register(app: typer.Typer) -> None:
    """Add the command."""
    simulate = typer.Typer(help="Make input with known truth.", no_args_is_help=True)
    simulate.command(name="warehouse", epilog=_EXAMPLE)(warehouse)
    simulate.command(name="site", epilog=simulate_site.EXAMPLE)(simulate_site.site)
    simulate.command(name="check", epilog=simulate_check.EXAMPLE)(simulate_check.check)
    app.add_typer(simulate, name="simulate")


def warehouse(
    folder: Annotated[Path, typer.Argument(help="folder for the messages and the truth")],
    robots: Annotated[int, typer.Option(min=1, max=10_000, help="size of the fleet")] = 200,
    hours: Annotated[int, typer.Option(min=1, max=240, help="length of the simulated time")] = 24,
    seed: Annotated[int, typer.Option(help="the same seed gives the same bytes")] = 7,
    clean: Annotated[bool, typer.Option("--clean", help="nothing lost, late, doubled or malformed")] = False,
) -> None:
    """Simulate a warehouse: robots, faults, charging, and messages lost, doubled, late, conflicting and malformed."""
    config = WarehouseConfig(seed=seed, robots=robots, duration_s=hours * 3600)
    if clean:
        config = replace(config, defects=NO_DEFECTS)
    simulate_site.refuse_to_replace(folder, FILES.values())
    written = write(config, folder)
    err.print(f"{written:,} messages and truth.parquet, transitions.parquet, accounting.csv in {folder}")


def write(config: WarehouseConfig, folder: Path) -> int:
    """Write one simulated run into a folder; how many messages there are."""
    simulated = Warehouse(config)
    count = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack, progress("simulated hours") as bar:
            files = {stream: stack.enter_context((folder / name).open("wb")) for stream, name in FILES.items()}
            task = bar.add_task("simulate", total=config.duration_s / 3600)
            for chunk in simulated.chunks():
                files[chunk.stream].write(chunk.ndjson)
                count += len(chunk)
                if chunk.stream == SENSOR_READING:
                    bar.advance(task, config.block_s / 3600)
        _write_truth(simulated.truth(), folder)
    except OSError as error:
        raise SinkError(
            f"{folder} cannot be written: {error.strerror}", fix="check the folder, its rights and free space"
        ) from error
    return count


def _write_truth(truth: Truth, folder: Path) -> None:
    truth.windows.write_parquet(folder / "truth.parquet")
    truth.transitions.write_parquet(folder / "transitions.parquet")
    truth.accounting.write_csv(folder / "accounting.csv")
