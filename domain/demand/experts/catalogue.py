"""The experts a mix may have, by name, each with its default parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from domain.demand.experts.expert import Expert
from domain.demand.experts.holt_winters import HoltWinters
from domain.demand.experts.ses import SES
from domain.demand.experts.snarimax import GuardedSNARIMAX
from domain.demand.experts.tsb import TSB

EXPERTS: Final[Mapping[str, Callable[[int], Expert]]] = MappingProxyType(
    {
        TSB.NAME: lambda _season: TSB(),
        SES.NAME: lambda _season: SES(),
        HoltWinters.NAME: HoltWinters,
        GuardedSNARIMAX.NAME: GuardedSNARIMAX,
    }
)
"""Makers of experts from the season in buckets."""
