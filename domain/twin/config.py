"""What a simulated warehouse is like. All times are seconds of simulated time unless a name says otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

_NIGHT = (0.3, 0.3, 0.3, 0.3, 0.4, 0.6)
_MORNING = (0.9, 1.2, 1.4, 1.5, 1.4, 1.2)
_AFTERNOON = (1.0, 1.1, 1.3, 1.4, 1.3, 1.1)
_EVENING = (0.9, 0.8, 0.7, 0.5, 0.4, 0.3)


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone of a site: demand per available robot and how long a task takes there."""

    site: str
    name: str
    tasks_per_hour: float
    """Tasks offered per hour of an available robot, before the day profile."""
    service_s: float
    """Mean service time of a task."""
    service_cv: float
    """Coefficient of variation of the service time; 1 with `gamma` is the exponential law."""
    law: Literal["lognormal", "gamma"] = "lognormal"


@dataclass(frozen=True, slots=True)
class Defects:
    """Share of messages that meet each fate; a message meets at most one."""

    lost: float = 0.01
    malformed: float = 0.002
    late: float = 0.001
    doubled: float = 0.005
    conflicting: float = 0.0002

    def __post_init__(self) -> None:
        rates = (self.lost, self.malformed, self.late, self.doubled, self.conflicting)
        if min(rates) < 0 or sum(rates) > 1:
            raise ValueError(f"defect rates must not be negative nor sum to more than 1: {self}")


NO_DEFECTS = Defects(0, 0, 0, 0, 0)

_ZONES = (
    Zone("north", "pick", 22, 85, 0.5),
    Zone("north", "pack", 18, 100, 0.8, "gamma"),
    Zone("north", "dock", 12, 150, 0.6),
    # The same zone names at another site: only (site, zone) identifies a zone.
    Zone("south", "pick", 20, 95, 0.5),
    Zone("south", "pack", 16, 110, 0.7, "gamma"),
)


@dataclass(frozen=True, slots=True)
class WarehouseConfig:
    """A warehouse, its telemetry and its defects. The default is one day of 200 robots."""

    seed: int = 7
    start: datetime = datetime(2026, 3, 2, tzinfo=UTC)
    duration_s: int = 86_400
    robots: int = 200
    zones: tuple[Zone, ...] = _ZONES
    profile: tuple[float, ...] = (*_NIGHT, *_MORNING, *_AFTERNOON, *_EVENING)
    """Factor on the demand of each hour of the day, 24 of them."""
    robot_spread: float = 0.15
    """Standard deviation of the log of a robot's own factor on demand."""

    period_s: int = 10
    """Every robot reports its state this often."""
    jitter_s: float = 0.2
    sensor_period_s: int = 60

    drain_busy: float = 14.0
    """Battery drain while busy, % per hour."""
    drain_idle: float = 5.0
    charge_rate: float = 60.0
    """Battery gain while charging, % per hour."""
    charge_below: float = 20.0
    charge_until: float = 95.0
    mtbf_h: float = 20.0
    """Mean available hours between failures; infinity for none."""
    mttr_s: float = 900.0
    offline_share: float = 0.2
    """Share of failures that silence the robot instead of leaving it in `fault`."""
    reset_share: float = 0.5
    """Share of repaired faults after which the robot has rebooted and its counters start from zero."""
    move_share: float = 0.15
    """Share of charging stops after which the robot works in another zone of its site."""

    disorder_s: float = 5.0
    """Largest network delay of a message that is not late."""
    lateness_s: float = 60.0
    """Allowed lateness on top of disorder: late messages arrive well beyond both."""
    defects: Defects = field(default_factory=Defects)

    truth_window_s: int = 60
    block_s: int = 1_800
    """Messages are made for this much event time at once; memory grows with it."""

    def __post_init__(self) -> None:
        if len(self.profile) != 24:  # noqa: PLR2004 - hours of a day
            raise ValueError(f"the profile needs one factor per hour of the day, found {len(self.profile)}")
        for length in (self.period_s, self.sensor_period_s, self.truth_window_s):
            if self.duration_s % length or self.block_s % length:
                raise ValueError("duration_s and block_s must be multiples of both periods and truth_window_s")
        if 3_600 % self.truth_window_s:
            raise ValueError("truth_window_s must divide an hour, so that demand is constant in a window")
        if not 0 <= 2 * self.jitter_s < self.period_s:
            raise ValueError("jitter_s must be less than half of period_s, or messages of a robot swap places")
        if self.robots < 1 or not self.zones:
            raise ValueError("a warehouse needs at least one robot and one zone")

    @property
    def reach_s(self) -> float:
        """How far behind the newest event time a message may be and still count."""
        return self.disorder_s + self.lateness_s


def small(seed: int = 7) -> WarehouseConfig:
    """Ten robots for an hour at the busiest time of day, with every defect at a visible rate."""
    return WarehouseConfig(
        seed=seed,
        start=datetime(2026, 3, 2, 9, tzinfo=UTC),
        duration_s=3_600,
        robots=10,
        mtbf_h=2.0,
        mttr_s=240.0,
        block_s=600,
        defects=Defects(lost=0.02, malformed=0.03, late=0.01, doubled=0.03, conflicting=0.01),
    )


def lossy(share: float = 0.2, seed: int = 7) -> WarehouseConfig:
    """Eight hours of 40 robots with a share of the messages lost and nothing else wrong."""
    return WarehouseConfig(
        seed=seed,
        start=datetime(2026, 3, 2, 8, tzinfo=UTC),
        duration_s=8 * 3_600,
        robots=40,
        defects=replace(NO_DEFECTS, lost=share),
    )


def constant_intensity(
    seed: int = 7, *, robots: int = 200, hours: int = 8, tasks_per_hour: float = 20.0
) -> WarehouseConfig:
    """Every robot an M/M/1 queue of known, constant intensity, a third busy, and no defects.

    The departures of an M/M/1 queue are a Poisson process of its arrival rate (Burke, 1956), so tasks done per
    available hour have exactly the intensity that an interval is to cover.
    """
    return WarehouseConfig(
        seed=seed,
        duration_s=hours * 3_600,
        robots=robots,
        zones=(Zone("north", "pick", tasks_per_hour, 1_200.0 / tasks_per_hour, 1.0, "gamma"),),
        profile=(1.0,) * 24,
        move_share=0.0,
        defects=NO_DEFECTS,
    )
