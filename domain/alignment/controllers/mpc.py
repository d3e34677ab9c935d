"""Model predictive control: the cheapest course of setpoints over the intervals ahead, of which the first is sent.

It starts from the backlog expected when a setpoint takes effect, and plans in whole robots (`course`). The cost of a
switch is what keeps it still: where only robots moved cost anything, it follows every whim by a robot or so. A switch
costs what it saves over the horizon where the robots wanted are `switching / (horizon - moving)` off, 1.5 by default,
and to turn round `switching / (horizon - moving - turning)`, 2.3: bands like those of the default controller.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from domain.alignment.controllers.course import Costs, Course, Start
from domain.alignment.controllers.guards import Guards, guarded, remembered, stay
from domain.alignment.controllers.load import Aims, Load, load
from domain.alignment.controllers.reading import Memory, Reading, Setting
from domain.alignment.controllers.wording import reason
from domain.named import named


@dataclass(frozen=True, slots=True)
class MpcConfig:
    """Parameters of the model predictive controller. ValueError where one makes no sense."""

    aims: Aims = field(default_factory=Aims)
    guards: Guards = field(default_factory=lambda: Guards(hysteresis=0.0, noise_band=0.0))
    costs: Costs = field(default_factory=Costs)
    blocks: tuple[int, ...] = (2, 2, 4, 4)
    """Intervals at whose beginning alone the setpoint is planned to move; their sum is the horizon."""

    def __post_init__(self) -> None:
        if not self.blocks or min(self.blocks) < 1:
            raise ValueError(f"the horizon is at least a block of an interval: {self.blocks}")


class MpcController:
    """MPC over whole robots; see the module."""

    def __init__(self, config: MpcConfig | None = None) -> None:
        self.config = config or MpcConfig()
        self._course = Course(self.config.blocks, self.config.guards.rate, self.config.costs)

    @property
    def name(self) -> str:
        """Kind, version and all parameters."""
        return named("mpc", 2, self.config)

    def decide(self, reading: Reading, memory: Memory) -> tuple[Setting, Memory]:
        """The setpoint of this interval, and what to remember.

        The last one stays while the rate is not known, or if the solver finds no course.
        """
        config, zone = self.config, load(reading, memory, self.config.aims)
        if zone is None:
            return stay(reading, memory, "unknown_rate")
        first = self._course.first(self._start(zone, reading, memory))
        if first is None:
            return stay(reading, memory, "unsolved")
        wanted = float(first)
        robots, held = guarded(wanted, zone.dead_zone, reading, memory, config.guards)
        setting = Setting(
            robots=robots,
            wanted=wanted,
            feed_forward=zone.feed_forward,
            feedback=wanted - zone.feed_forward,
            integral=0.0,
            held=held,
            reason=reason(zone, reading, memory, config.aims, config.guards, wanted, robots, held),
        )
        return setting, remembered(memory, reading, robots, zone.demand)

    def _start(self, zone: Load, reading: Reading, memory: Memory) -> Start:
        """Where the course starts.

        What is beyond all limits is cut down to what just is, or the solver loses precision.
        """
        horizon = sum(self.config.blocks)
        most = 2.0 * reading.high + 1
        demand = min(zone.demand, most)
        bearable = min(zone.target + zone.dead_zone, horizon * most)
        return Start(
            demand=demand,
            feed_forward=min(zone.feed_forward, most),
            backlog=min(zone.expected, horizon * most + bearable),
            bearable=bearable,
            last=min(max(reading.last, reading.low), reading.high),
            direction=memory.direction,
            low=reading.low,
            high=reading.high,
        )
