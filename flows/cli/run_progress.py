"""Progress of a run over inputs that end: a bar per source on a terminal, plain lines every few seconds elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from flows.cli.common import err
from flows.progress import Told, Unit

_LINE_EVERY_S = 5.0
_DRAW_EVERY_S = 1.0  # drawing takes some 3 ms


@contextmanager
def run_progress() -> Iterator[Told]:
    """What a run tells, shown on standard error."""
    if not err.is_terminal:
        yield _lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[amount]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    # Drawn when something is told and at no other time, for drawing takes time from the flow.
    with Progress(*columns, console=err, transient=True, auto_refresh=False) as bar:
        yield _bars(bar)


def _bars(bar: Progress) -> Told:
    tasks: dict[str, TaskID] = {}
    drawn = -math.inf

    def told(source: str, read: int, total: int, unit: Unit) -> None:
        nonlocal drawn
        amount = _amount(read, total, unit)
        if source not in tasks:
            tasks[source] = bar.add_task(source, total=total, amount=amount)
        bar.update(tasks[source], completed=read, total=total, amount=amount)
        if time.monotonic() - drawn >= _DRAW_EVERY_S:
            bar.refresh()
            drawn = time.monotonic()

    return told


def _lines() -> Told:
    due: dict[str, float] = {}
    last: dict[str, str] = {}
    start = time.monotonic()

    def told(source: str, read: int, total: int, unit: Unit) -> None:
        now = time.monotonic()
        ends = source in last and read >= total
        if now < due.setdefault(source, start + _LINE_EVERY_S) and not ends:
            return
        due[source] = now + _LINE_EVERY_S
        line = f"{source}: {_amount(read, total, unit)}, {read / max(1, total):.0%}"
        if line != last.get(source):
            last[source] = line
            err.print(line, soft_wrap=True)

    return told


def _amount(read: int, total: int, unit: Unit) -> str:
    if unit == "bytes":
        return f"{decimal(read)} of {decimal(total)}"
    return f"{read:,} of {total:,} {unit}"
