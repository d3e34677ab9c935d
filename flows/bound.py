"""Settings that stored state is made for: a run keeps those it began with. All others may change at any start."""

from __future__ import annotations

from typing import Final

from flows.kinds import ALIGNED_KINDS, KINDS, STOCK, contract_of, kind_of
from flows.recovery import WORK_VERSION
from flows.settings import KafkaSource, Settings
from schemas.ids import event_id

_OF_STOCK: Final = ("bucket", "time_zone", "horizon")


def bound_settings(settings: Settings) -> dict[str, str]:
    """Their values by key. Raises SettingsError where a source has a contract that is not known.

    Open windows of another length would be told again as windows of the new one; a place in one topic is none in
    another; ids are known by the fields that they were made of; demand is learned per bucket. The state of a source is
    that of its kind of events, whose version may change, and of what is done with them. Gaps name the version of the
    rules of work.
    """
    bound = {"time.window_s": f"{settings.time.window_s:.15g}"}
    kinds = {}
    for name, source in settings.sources.items():
        kind = kinds[name] = kind_of(source.contract, name, aligned=settings.alignment is not None)
        bound[f"sources.{name}.contract"] = kind.name
        bound[f"identity of sources.{name}"] = "+".join(contract_of(settings, name).idempotency_key)
        bound[f"sources.{name}.kind"] = source.kind
        if isinstance(source, KafkaSource):
            bound[f"sources.{name}.topic"] = source.topic
    if any(STOCK in kind.meets for kind in kinds.values()):
        bound["stock.window_s"] = f"{settings.stock.window_s:g}"
        bound |= {f"stock.{key}": str(getattr(settings.stock, key)) for key in _OF_STOCK}
    if any(KINDS.get(kind.name) is not ALIGNED_KINDS[kind.name] for kind in kinds.values()):
        bound["[alignment]"] = "unset" if settings.alignment is None else "set"
    if settings.alignment and settings.alignment.work:
        rules = sorted((r.site, r.sku, r.category, r.zone, r.units) for r in settings.alignment.work)
        about = [part for rule in rules for part in rule]
        bound[f"{WORK_VERSION}{settings.alignment.work_version!r}"] = event_id("alignment.work.v1", about)
    return bound


def read_places(settings: Settings) -> dict[str, str]:
    """What each source reads; files may be moved."""
    return {
        name: f"topic {source.topic}" if isinstance(source, KafkaSource) else str(source.path.resolve())
        for name, source in settings.sources.items()
    }
