"""What a review of a zone sheds and restores: the lowest class first, and back in the opposite order.

- The work that is kept takes longer to clear than the service level: the lowest class of it is shed too.
- With the highest shed class back, all would clear within the share `restore` of the service level, and so it was for
  `calm` reviews in a row: it comes back. So nothing goes to and fro while demand is what it was.
- Classes that may not be shed, as the settings are others than when they were, come back at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from domain.alignment.shedding_load import CONTROL, TOP, Load
from domain.named import named
from schemas.errors import SettingsError

_MINUTE_US: Final = 60_000_000

Change = tuple[Literal["shed", "restored"], int, int | None]
"""A class that is shed or restored, and the time to clear (us, None: never) that decided it."""


@dataclass(frozen=True, slots=True)
class SheddingConfig:
    """When work is shed and restored. SettingsError with all that is wrong with it."""

    service_us: int = 120 * _MINUTE_US
    """Service level: waiting work shall be cleared within this time."""
    restore: float = 0.5
    """Share of the service level within which all must clear for a class to come back."""
    calm: int = 2
    """Reviews in a row for which it must."""
    most: int = TOP
    """So many lowest classes may be shed."""
    ageing_us: int = 60 * _MINUTE_US
    decay: float = 0.98
    """What the mix of classes keeps of its past per window."""

    @property
    def name(self) -> str:
        """Kind, version and all parameters."""
        return named("shedding", 1, self)

    def __post_init__(self) -> None:
        problems = []
        if self.service_us <= 0 or self.ageing_us <= 0 or self.calm < 1:
            problems.append("service level, ageing and reviews until a class comes back must be positive")
        if not (0 < self.restore < 1 and 0 <= self.decay < 1):
            problems.append("the share at which a class comes back lies between 0 and 1, the decay from 0 to below 1")
        if not 0 <= self.most <= CONTROL:
            problems.append(f"there are {CONTROL} classes, so {self.most} cannot be shed")
        if problems:
            raise SettingsError("\n".join(problems), fix="correct the settings of shedding")


@dataclass(frozen=True, slots=True)
class Stage:
    """How far a zone has come."""

    level: int = 0
    """Classes below it are shed."""
    calm: int = 0
    """Reviews in a row that would have let a class back."""


def reviewed(stage: Stage, load: Load, config: SheddingConfig) -> tuple[Stage, list[Change]]:
    """The stage after a review, and the changes that lead to it, in order."""
    level = stage.level
    if level > config.most:
        return Stage(config.most), [("restored", n, load.clear_us(n)) for n in reversed(range(config.most, level))]
    kept = load.clear_us(level)
    if kept is None or kept > config.service_us:
        lowest = next((number for number in range(level, config.most) if load.has(number)), level - 1)
        return Stage(lowest + 1), [("shed", number, kept) for number in range(level, lowest + 1)]
    highest = next((number for number in reversed(range(level)) if load.has(number)), 0)
    back = load.clear_us(highest)
    if level == 0 or back is None or back > config.restore * config.service_us:
        return Stage(level), []
    if stage.calm + 1 < config.calm:
        return Stage(level, stage.calm + 1), []
    return Stage(highest), [("restored", number, back) for number in reversed(range(highest, level))]
