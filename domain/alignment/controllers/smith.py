"""The default controller: feed-forward, proportional feedback on the backlog to come, guards.

    u = D / rho + Kc deadzone(B - B*)     Kc = 1 / tc,  B* = 0.2 D,  dead zone sqrt(2 D)

in robots and intervals (`load`), with B the backlog expected when the setpoint takes effect (Smith 1957): what was
sent and is not yet in force has its effect foreseen, so the same backlog is not answered twice. The gain is that of
Skogestad (2003) for an integrating process whose dead time the predictor has taken out: tc = delay + 1/2, but no less
than 1, beyond which decisions at whole intervals overshoot. Feedback and integral together take away half the slack of
the feed-forward at most: a zone left with no more robots than its demand keeps busy builds up a backlog, is given more,
and so on for ever.

The optional integral takes out what the feed-forward gets wrong for long, adding as much as half of it. It is led back
to what could be sent where a limit or the rate cuts it off (back-calculation with Tt = tI, Astrom and Hagglund 2006),
so it does not wind up.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from domain.alignment.controllers.guards import Guards, guarded, remembered, stay, turns
from domain.alignment.controllers.load import Aims, Load, load
from domain.alignment.controllers.reading import Memory, Reading, Setting
from domain.alignment.controllers.wording import named, reason


@dataclass(frozen=True, slots=True)
class SmithConfig:
    """Parameters of the feed-forward + P + Smith controller."""

    aims: Aims = field(default_factory=Aims)
    guards: Guards = field(default_factory=Guards)
    integral: bool = False

    @property
    def closed_loop(self) -> float:
        """Time constant asked for (tc), in intervals; its inverse is the gain, in robots per robot-interval."""
        return max(1.0, self.aims.delay + 0.5)

    @property
    def integral_time(self) -> float:
        """Skogestad's tI = 4 (tc + theta) of an integrating process, in intervals."""
        return 4 * (self.closed_loop + self.aims.delay + 0.5)


class SmithController:
    """Feed-forward + P + Smith predictor; see the module."""

    def __init__(self, config: SmithConfig | None = None) -> None:
        self.config = config or SmithConfig()

    @property
    def name(self) -> str:
        """Kind, version and all parameters."""
        return named("feed-forward-p-smith", 1, self.config)

    def decide(self, reading: Reading, memory: Memory) -> tuple[Setting, Memory]:
        """The setpoint of this interval, and what to remember. While the rate is not known, the last one stays."""
        config, zone = self.config, load(reading, memory, self.config.aims)
        if zone is None:
            return stay(reading, memory, "unknown_rate")
        gain = 1 / config.closed_loop
        past = memory.integral if config.integral else 0.0
        feedback = max(gain * zone.error, -_spare(zone) - past)
        wanted = zone.feed_forward + feedback + past
        robots, held = guarded(wanted, zone.dead_zone, reading, memory, config.guards)
        undamped = zone.feed_forward + gain * zone.deviation + past
        if held == "hysteresis" and abs(undamped - reading.last) > config.guards.band(
            zone.dead_zone, turns(undamped, reading, memory)
        ):
            held = "dead_zone"
        setting = Setting(
            robots=robots,
            wanted=wanted,
            feed_forward=zone.feed_forward,
            feedback=feedback,
            integral=past,
            held=held,
            reason=reason(zone, reading, memory, config.aims, config.guards, wanted, robots, held),
        )
        integral = self._integral(past, zone, wanted, reading)
        return setting, remembered(memory, reading, robots, zone.demand, integral)

    def _integral(self, past: float, zone: Load, wanted: float, reading: Reading) -> float:
        """The integral after this interval, in robots."""
        config = self.config
        if not config.integral:
            return 0.0
        low = max(reading.low, reading.last - config.guards.rate)
        high = min(reading.high, reading.last + config.guards.rate)
        possible = min(max(wanted, low), high) if low <= high else wanted
        # Below the target all of the deviation counts, or what a surge has wound up would take hours to go.
        error = zone.error if zone.deviation > 0 else zone.deviation
        moved = past + (error / config.closed_loop + possible - wanted) / config.integral_time
        return min(max(moved, -_spare(zone)), zone.feed_forward / 2)


def _spare(zone: Load) -> float:
    """Robots that a backlog below the target may take away: half of what the feed-forward leaves above the demand."""
    return (zone.feed_forward - zone.demand) / 2
