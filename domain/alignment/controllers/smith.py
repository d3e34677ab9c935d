"""The default controller: feed-forward, proportional feedback on the backlog to come, guards.

    u = D / rho + Kc deadzone(B - B*)     Kc = 1 / tc,  B* = 0.2 D,  dead zone sqrt(2 D)

in robots and intervals (`load`), time to charge included, with B the backlog expected when the setpoint takes effect
(Smith 1957): what was sent and is not yet in force has its effect foreseen, so the same backlog is not answered twice.
The gain is that of Skogestad (2003) for an integrating process whose dead time the predictor has taken out:
tc = delay + 1/2, but no less than 1, beyond which decisions at whole intervals overshoot.

Feedback is bounded on both sides. Below: it takes away half the slack of the feed-forward at most, because a zone left
with no more robots than its demand keeps busy builds up a backlog, is given more, and so on for ever. Above: it never
asks for so many robots that some would have to go once the backlog is cleared. A backlog that gathers while the
rate or a late forecast keeps robots away is therefore cleared by the slack and one band of hysteresis, and the setpoint
does not turn round. A setpoint that is higher already may stay: it comes down once, now or later.

How many robots what comes in keeps busy is also seen from the backlog itself: what it grew by beside the robots in
force (a first-order observer, of time constant tI). Where that is more than the demand says, robots do less than is
believed, and the bound above is as much higher. The optional integral asks for that difference at once. It is driven by
what was in force, not by what was wanted, so it does not wind up (back-calculation with Tt = tI, Astrom and Hagglund
2006). It has no negative part: where nothing waits, nothing tells how many robots too many there are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from domain.alignment.controllers.guards import Guards, guarded, remembered, stay, turns
from domain.alignment.controllers.load import Aims, Load, load
from domain.alignment.controllers.reading import Memory, Reading, Setting
from domain.alignment.controllers.wording import reason
from domain.named import named


@dataclass(frozen=True, slots=True)
class SmithConfig:
    """Parameters of the feed-forward + P + Smith controller."""

    aims: Aims = field(default_factory=Aims)
    guards: Guards = field(default_factory=Guards)
    integral: bool = False
    """Ask for what robots are seen to do less than is believed."""

    @property
    def closed_loop(self) -> float:
        """Time constant asked for (tc), in intervals; its inverse is the gain, in robots per robot-interval."""
        return max(1.0, self.aims.delay + 0.5)

    @property
    def integral_time(self) -> float:
        """Skogestad's tI = 4 (tc + theta) of an integrating process, in intervals: how fast the observer learns."""
        return 4 * (self.closed_loop + self.aims.delay + 0.5)


class SmithController:
    """Feed-forward + P + Smith predictor; see the module."""

    def __init__(self, config: SmithConfig | None = None) -> None:
        self.config = config or SmithConfig()

    @property
    def name(self) -> str:
        """Kind, version and all parameters."""
        return named("feed-forward-p-smith", 3, self.config)

    def decide(self, reading: Reading, memory: Memory) -> tuple[Setting, Memory]:
        """The setpoint of this interval, and what to remember. While the rate is not known, the last one stays."""
        config, zone = self.config, load(reading, memory, self.config.aims)
        if zone is None:
            return stay(reading, memory, "unknown_rate")
        seen = self._seen(zone, memory)
        unforeseen = max(0.0, seen - zone.demand) / config.aims.utilisation
        integral = min(unforeseen, zone.feed_forward / 2) if config.integral else 0.0
        asked = zone.feed_forward + self._feedback(zone, zone.error) + integral
        wanted = min(asked, max(self._lasting(zone) + unforeseen, float(reading.last)))
        robots, held = guarded(wanted, zone.dead_zone, reading, memory, config.guards)
        undamped = zone.feed_forward + zone.deviation / config.closed_loop + integral
        if wanted < asked and held in {"", "hysteresis"} and robots == reading.last:
            held = "lasting"
        elif held == "hysteresis" and self._would_move(undamped, zone, reading, memory):
            held = "dead_zone"
        setting = Setting(
            robots=robots,
            wanted=wanted,
            feed_forward=zone.feed_forward,
            feedback=wanted - zone.feed_forward - integral,
            integral=integral,
            held=held,
            reason=reason(zone, reading, memory, config.aims, config.guards, wanted, robots, held),
        )
        after = remembered(memory, reading, robots, zone.demand)
        return setting, msgspec.structs.replace(after, seen=seen, left=zone.backlog - reading.robots)

    def _would_move(self, wanted: float, zone: Load, reading: Reading, memory: Memory) -> bool:
        band = self.config.guards.band(zone.dead_zone, turns(wanted, reading, memory))
        return abs(wanted - reading.last) > band

    def _feedback(self, zone: Load, error: float) -> float:
        return max(error / self.config.closed_loop, -_spare(zone))

    def _seen(self, zone: Load, memory: Memory) -> float:
        """Robots that what came in would have kept busy, as far as the backlog tells."""
        if memory.seen is None or memory.left is None:
            return zone.demand
        # Of an interval after which nothing waits it is only known that the robots kept up with it.
        most = 2 * zone.demand if zone.backlog > 0 else zone.demand
        came = min(max(zone.backlog - memory.left, 0.0), most)
        return memory.seen + (came - memory.seen) / self.config.integral_time

    def _lasting(self, zone: Load) -> float:
        """The most robots that may be asked for so that none has to go once the backlog is cleared."""
        guards = self.config.guards
        cleared = zone.feed_forward + self._feedback(zone, min(0.0, zone.dead_zone - zone.target))
        # A move stops half a band short of what is wanted, rounded.
        short = max(0.0, guards.band(zone.dead_zone, turns=False) / 2 - 0.5)
        return cleared + guards.band(zone.dead_zone, turns=True) + short


def _spare(zone: Load) -> float:
    """Robots that a backlog below the target may take away: half of what the feed-forward leaves above the demand."""
    return (zone.feed_forward - zone.demand) / 2
