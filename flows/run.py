"""Run a flow to its end, or until it is stopped, with recovery on."""

from __future__ import annotations

import gc
import time
from datetime import timedelta

from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig
from bytewax.testing import cluster_main

from flows import recovery
from flows.bound import bound_settings, read_places
from flows.build import FLOW, build
from flows.progress import Told
from flows.settings import Settings
from flows.store_errors import store_error
from schemas.errors import SettingsError, TaktError

_OBJECTS = 50_000  # new ones before garbage is looked for; by default 700


def run(settings: Settings, told: Told | None = None) -> None:
    """Run the throughput flow. Raises the TaktError behind any failure of the engine.

    `told` hears how far sources that end have come.
    """
    if not settings.sources:
        raise SettingsError("there are no sources", fix="add a [sources.NAME] section; see docs/how-to/first-flow.md")
    folder, now_us = settings.recovery.folder, time.time_ns() // 1000
    bound, reads = bound_settings(settings), read_places(settings)
    with recovery.opened(folder, flow=FLOW, now_us=now_us, bound=bound, reads=reads) as (run, store, before):
        if not settings.audit.enabled:
            _run(build(settings, run, before, told=told), settings, run, store)
            return
        from flows.audit import audit_of  # noqa: PLC0415 - loads what a run without it need not wait for

        with audit_of(settings, run) as audit:
            _run(build(settings, run, before, audit, told), settings, run, store)


def _run(flow: Dataflow, settings: Settings, run: recovery.Run, store: RecoveryConfig) -> None:
    """Give a flow to the engine once its topics are known for those that the run began with."""
    if settings.kafka is not None:
        from flows.bound_topics import bound_topics  # noqa: PLC0415 - loads a client that a flow over files has no use for

        recovery.bind(settings.recovery.folder, run, bound_topics(settings))
    execute(flow, settings, store)


def execute(flow: Dataflow, settings: Settings, store: RecoveryConfig) -> None:
    """Give a flow to the engine."""
    every = timedelta(seconds=settings.epoch_s)
    thresholds, frozen = gc.get_threshold(), gc.get_freeze_count() > 0
    # What is loaded by now stays for good, and each poll of a topic makes thousands of objects that are in no cycle.
    # Looking through these and those for garbage again and again took a twelfth of the time.
    if not frozen:
        gc.freeze()
    gc.set_threshold(_OBJECTS)
    try:
        # A cluster of one process, for a single worker too: the engine's other entry runs a single worker on the
        # main thread, where it meets every error and Ctrl-C with the report of a Rust panic on stderr.
        cluster_main(flow, [], 0, worker_count_per_proc=settings.workers, epoch_interval=every, recovery_config=store)
    except Exception as error:
        cause = _takt_error(error) or store_error(error, settings.recovery.folder)
        if cause is None:
            raise
        raise cause from error
    finally:
        # Whoever runs flows from a process of their own gets it back as it was.
        gc.set_threshold(*thresholds)
        if not frozen:
            gc.unfreeze()


def _takt_error(error: BaseException | None) -> TaktError | None:
    """The TaktError that the engine wrapped, if there is one."""
    while error is not None:
        if isinstance(error, TaktError):
            return error
        error = error.__cause__ or error.__context__
    return None
