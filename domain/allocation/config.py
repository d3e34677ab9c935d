"""What allocation is told about robots, zones and costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Final

from domain.named import named
from schemas.errors import SettingsError

_NO_LIMITS: Final[Mapping[tuple[str, str], int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class AllocationConfig:
    """Costs are in seconds. Where a robot's row tells its own speed or rate, that one is used."""

    speed_m_s: float = 1.0
    """Travelling speed."""
    units_per_hour: float = 60.0
    """Work units that a busy robot does in an hour."""
    travel_within_s: float = 30.0
    """Travel to a task in the same zone, where a position is missing."""
    travel_between_s: float = 120.0
    """Travel to a task in another zone, where a position is missing."""

    reserve_pct: float = 15.0
    """Battery that must be left after a task, in percent."""
    travel_pct_s: float = 0.01
    """Battery that a second of travel takes, in percent."""
    work_pct_s: float = 0.005
    """Battery that a second of work takes, in percent."""
    charge_pct_s: float = 0.02
    """Battery that a second of charging gives, in percent."""
    charge_until_pct: float = 80.0
    """A robot that charges first does so up to this, or to what the task needs if that is more."""
    charge_trip_s: float = 120.0
    """To the charger, plugging in, and back."""

    energy_s_pct: float = 5.0
    """Cost of a percent of battery."""
    age_cost: float = 1.0
    """Cost of each second that a robot's telemetry is old."""
    error_cost_s: float = 300.0
    """Cost of a task on a robot that reports an error."""
    congestion_s: float = 300.0
    """Cost of each robot in a zone above its limit."""
    zone_limits: Mapping[tuple[str, str], int] = field(default_factory=lambda: _NO_LIMITS)
    """Robots that work well together in a zone, by (site, zone); a zone that is not named has no limit."""
    change_s: float = 60.0
    """Cost of giving a task to another robot than was told last, while that one can work: for less nobody turns."""
    priority_cost: float = 0.5
    """A second until a task is done costs 1 + this, times its class."""
    lateness_cost: float = 4.0
    """A second late costs so many times what a second until the task is done costs."""
    ageing_s: float = 1_800.0
    """A task rises by one class for each time it has waited this long, up to the highest, 9."""

    stale_s: float = 120.0
    """A robot that was not heard of for longer is unreachable."""
    depth: int = 16
    """Tasks that a robot is given at most."""
    effort: int = 1_500_000
    """Local search ends when it has costed so many tasks in sequences."""
    shakes: int = 16
    """How often a plan of few tasks is shaken and searched again."""
    starved_s: float = 14_400.0
    """A task that could be done and waits longer is starved."""
    starved_factor: float = 4.0
    """So is one that waits so many times the median of its class,"""
    starved_least_s: float = 1_800.0
    """and no less than this,"""
    starved_peers: int = 8
    """where so many of its class wait."""

    @property
    def name(self) -> str:
        """Kind, version and all parameters."""
        return named("allocation", 1, self)

    def __post_init__(self) -> None:
        wrong = [name for name, low in _POSITIVE.items() if not getattr(self, name) > low]
        wrong += [
            one.name
            for one in fields(self)
            if one.name not in ("zone_limits", *_POSITIVE) and not _sound(self, one.name)
        ]
        if any(limit < 0 for limit in self.zone_limits.values()):
            wrong.append("zone_limits")
        if not self.reserve_pct < self.charge_until_pct <= 100:  # noqa: PLR2004 - percent
            wrong.append("charge_until_pct")
        if wrong:
            raise SettingsError(
                f"allocation: {', '.join(sorted(set(wrong)))} out of range",
                fix="times, rates and costs are numbers from 0 on; speed, rates, ageing_s and depth are above 0; "
                "reserve_pct < charge_until_pct <= 100",
            )


_POSITIVE: Final = dict.fromkeys(("speed_m_s", "units_per_hour", "charge_pct_s", "ageing_s", "depth"), 0)


def _sound(config: AllocationConfig, name: str) -> bool:
    return bool(0 <= getattr(config, name) < float("inf"))
