"""Is everything a flow needs in place? Each check says what it found, or raises the error that names the fix."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from flows.bound import bound_settings, read_places
from flows.build import FLOW, lake_location
from flows.kafka import connection, inputs, topics
from flows.kinds import contract_of, demand_fields, demand_streams, kind_of
from flows.recovery import begun, demand_bound, demand_private, holds
from flows.settings import FileSource, Settings
from flows.stock.streams import CONTROL
from flows.versions import versions
from quality.registration import register
from schemas.errors import RecoveryError, SettingsError, SinkError, SourceError, TaktError
from sinks.kafka.topics import existing_topics
from sinks.lake.catalog import connect
from sinks.lake.failures import NoLakeError
from sinks.lake.locks import running_writers
from sinks.lake.sink import PART as LAKE_PART
from sinks.lake.tables import layout_in_force
from sinks.lake.whole import demand_files, runs_of

_PINNED = {"bytewax": "0.21.1", "duckdb": "1.5.5", "duckdb-extension-ducklake": "1.5.5"}
_LOW_SPACE = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """Outcome of one check: what was found, or the error."""

    check: str
    found: str
    error: TaktError | None = None


def examine(settings: Settings) -> Iterator[Finding]:
    """Run all checks, each whatever the others say."""
    checks: list[tuple[str, Callable[[Settings], str]]] = [
        ("versions", _versions),
        ("contracts", _contracts),
        ("sources", _sources),
        ("alignment", _alignment),
        ("recovery", _recovery),
        ("lake", _lake),
        ("disk space", _space),
        ("kafka", _kafka),
    ]
    for name, check in checks:
        try:
            yield Finding(name, check(settings))
        except TaktError as error:
            yield Finding(name, error.what, error)
        except OSError as error:
            denied = TaktError(str(error), fix=f"give user {os.geteuid()} its rights on that place back")
            yield Finding(name, denied.what, denied)


def _versions(_: Settings) -> str:
    wrong = [f"{name} {version(name)} (needs {need})" for name, need in _PINNED.items() if version(name) != need]
    if wrong:
        raise SettingsError(f"versions that were never tested: {', '.join(wrong)}", fix="run `uv sync --frozen`")
    return ", ".join(f"{name} {found}" for name, found in versions().items())


def _contracts(settings: Settings) -> str:
    chosen = {contract.key: contract for contract in (contract_of(settings, name) for name in settings.sources)}
    in_use = [register(chosen[key]) for key in sorted(chosen)]
    for name, source in settings.sources.items():
        kind_of(source.contract, name, aligned=settings.alignment is not None)
    for known in in_use:
        demand_fields(known.contract)
    return ", ".join(f"{known.contract.key} ({len(known.rules)} rules)" for known in in_use) or "none in use"


def _sources(settings: Settings) -> str:
    if not settings.sources:
        raise SettingsError("there are no sources", fix="add a [sources.NAME] section; see docs/how-to/first-flow.md")
    found = []
    for name, source in settings.sources.items():
        if isinstance(source, FileSource):
            if not source.path.exists():
                raise SourceError(f"source {name!r}: {source.path} does not exist", fix=f"correct sources.{name}.path")
            _demand_rights(source.path, os.R_OK, SourceError)
            found.append(f"{name}: {source.path}")
        else:
            found.append(f"{name}: topic {source.topic}")
    return ", ".join(found)


def _alignment(settings: Settings) -> str:
    if settings.alignment is None:
        return "not in use"
    demand_streams(settings)
    from flows.alignment.estimator import AlignmentEstimator  # noqa: PLC0415 - SciPy takes its time to load

    AlignmentEstimator(settings.alignment, settings.time, {})
    answers = [name for name, source in settings.sources.items() if source.contract.partition("@")[0] == CONTROL]
    if answers:
        return f"setpoints are answered by {', '.join(answers)}"
    return f"no source has the contract {CONTROL}: setpoints are taken to be carried out"


def _recovery(settings: Settings) -> str:
    folder = settings.recovery.folder
    if not folder.exists():
        _demand_parent(folder, RecoveryError)
        return f"{folder} will be made at the first start"
    demand_private(folder)
    _demand_rights(folder, os.R_OK | os.W_OK | os.X_OK, RecoveryError)
    demand_bound(folder, FLOW, bound_settings(settings), read_places(settings))
    return f"{folder} is private"


def _lake(settings: Settings) -> str:
    location = lake_location(settings)
    try:
        with closing(connect(location, read_only=True)) as lake:
            layout_in_force(lake)
            files = demand_files(lake, location)
            _demand_same_run(settings, *runs_of(lake, FLOW))
    except NoLakeError:
        _demand_parent(settings.lake.folder, SinkError)
        _demand_same_run(settings)
        return f"{location} will be made at the first start"
    for place in (location.folder, location.data, *(() if location.postgres else (location.sqlite,))):
        _demand_rights(place, os.R_OK | os.W_OK, SinkError)
    writers = [f"written by process {owner} ({name})" for name, owner in running_writers(location.folder).items()]
    return ", ".join([f"{location} opens and its {files:,} files are whole", *writers])


def _demand_same_run(
    settings: Settings, opened: frozenset[str] = frozenset(), filled: frozenset[str] = frozenset()
) -> None:
    """Lake and stored state belong together, or a start would be refused; runs that opened the lake, and filled it."""
    location, folder = lake_location(settings), settings.recovery.folder
    run = begun(folder, FLOW)
    going_on = run is not None and holds(folder, LAKE_PART)
    others = filled - {run.run_id if run else ""}
    if others and not going_on:
        raise RecoveryError(
            f"the lake {location} holds results of run {min(others)}, and {folder} has no state of it: the same input "
            "would be counted twice",
            fix="set `recovery.folder` to that of the run, or start a new run with new folders for state and lake",
        )
    if run and going_on and run.run_id not in opened:
        raise RecoveryError(
            f"{folder} holds the state of run {run.run_id}, which the lake {location} knows nothing of",
            fix="set `lake.folder` to that of the run, or start a new run with new folders for state and lake",
        )


def _space(settings: Settings) -> str:
    place = _nearest(settings.lake.folder)
    free = shutil.disk_usage(place).free
    if free < _LOW_SPACE:
        raise SinkError(f"only {free >> 20} MiB free at {place}", fix="make room, or move lake.folder to another disk")
    return f"{free >> 30} GiB free at {place}"


def _kafka(settings: Settings) -> str:
    if settings.kafka is None:
        return "not in use"
    present = existing_topics(connection(settings))
    missing = sorted(inputs(settings) - present)
    if missing:
        raise SourceError(
            f"topics {', '.join(missing)} do not exist at {settings.kafka.bootstrap}",
            fix="correct the names, or let `takt doctor --create-topics` make them",
        )
    to_make = sorted(set(topics(settings).values()) - present)
    return f"{settings.kafka.bootstrap} answers" + (f"; will make {', '.join(to_make)}" if to_make else "")


def _demand_rights(place: Path, rights: int, error: type[TaktError]) -> None:
    if not os.access(place, rights):
        raise error(
            f"{place}: user {os.geteuid()} may not {'write' if rights & os.W_OK else 'read'} it",
            fix=f"give this user its rights on {place} back",
        )


def _demand_parent(folder: Path, error: type[TaktError]) -> None:
    place = _nearest(folder)
    if not place.is_dir():
        raise error(f"{folder} cannot be made: {place} is not a folder", fix=f"move {place}, or set another folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise error(f"{folder} cannot be made: {place} is not writable", fix=f"chown or chmod {place}, or move it")


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
