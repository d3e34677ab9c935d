"""Settings that stored state is made for: a run keeps those it began with."""

from __future__ import annotations

from flows.settings import Settings


def bound_settings(settings: Settings) -> dict[str, str]:
    """Their values by key.

    Open windows of another length would be told again as windows of the new one, and the state of a source is that of
    its kind of events, whose version may change.
    """
    bound = {"time.window_s": f"{settings.time.window_s:g}", "stock.window_s": f"{settings.stock.window_s:g}"}
    kinds = {name: source.contract.partition("@")[0] for name, source in settings.sources.items()}
    return bound | {f"sources.{name}.contract": kind for name, kind in kinds.items()}
