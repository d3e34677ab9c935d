"""The section `alignment` of the settings; what it alone can check is checked here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from domain.alignment.limits import ANY, Limits, ZoneLimit
from flows.setting_sections import NotNegative, Positive, Section

Name = Annotated[str, Field(min_length=1, max_length=64)]


class WorkRule(Section):
    """How much work a piece of demand is, and where. The most specific rule that fits counts."""

    site: Name = Field(default=ANY, description="site, or * for any")
    sku: Name = Field(default=ANY, description="stock keeping unit, or * for any")
    category: Name = Field(default=ANY, description="category of the SKU, or * for any")
    zone: Name = Field(description="zone that does the work")
    units: float = Field(gt=0, le=1e6, description="work units for one base unit of demand")


class Limit(Section):
    """Hard limits on the robots of a zone; no model, policy or answer goes beyond them.

    Each number holds where no more specific limit gives another: one of the zone of that site, of the zone, of the
    site, of all.
    """

    site: Name = Field(default=ANY, description="site, or * for any")
    zone: Name = Field(default=ANY, description="zone, or * for any")
    least: int | None = Field(default=None, ge=0, le=100_000, description="fewest robots")
    most: int | None = Field(default=None, ge=0, le=100_000, description="most robots that may be in the zone")
    step: int | None = Field(
        default=None, ge=1, le=100_000, description="most robots by which a setpoint may change at once"
    )


class Alignment(Section):
    """Capacity in step with demand: gap, setpoints, allocation, recovery and shedding. Without it there are none."""

    interval_s: Positive = Field(default=300.0, description="how often it is decided; whole windows of `time.window_s`")
    horizons_s: tuple[Positive, ...] = Field(
        default=(900.0, 3600.0, 14_400.0), min_length=1, max_length=8, description="how far ahead gaps are told"
    )
    utilisation: float = Field(default=0.9, gt=0, le=1, description="share of its time a robot is planned to be busy")
    controller: Literal["smith", "mpc"] = Field(
        default="smith", description="feed-forward + P with a Smith predictor, or model-predictive control"
    )
    integral: bool = Field(default=False, description="an integral part, with back-calculation, for the first")
    rate: int = Field(
        default=4,
        ge=1,
        le=100_000,
        description="robots a setpoint moves by at most; more for zones of 60",
    )
    delay_s: NotNegative = Field(
        default=300.0, description="from a decision until robots are where it wants them, rounded up to intervals"
    )
    ack_within_s: Positive = Field(
        default=300.0,
        description="how long after its interval a setpoint may wait for an answer; time.disorder_s and "
        "time.lateness_s pass before it is sent",
    )
    expires_s: Positive = Field(default=3600.0, description="how long a setpoint holds unless it is renewed")
    hold_s: NotNegative = Field(
        default=3600.0, description="how long the last setpoint is renewed while nothing can be decided"
    )
    effect_within_s: NotNegative = Field(
        default=900.0,
        description="how long after it is in force a setpoint must show in the robots of its zone; 0 where robots that "
        "are not wanted stay in the zone",
    )
    stale_s: Positive = Field(default=180.0, description="age of telemetry from which on nothing is decided")
    unreachable_s: Positive = Field(default=180.0, description="silence after which a robot counts as unreachable")
    grace_s: NotNegative = Field(default=300.0, description="how soon a robot must return to get its tasks back")
    service_level_s: Positive = Field(default=3600.0, description="time to clear above which low classes are shed")
    protected: int = Field(default=7, ge=0, le=9, description="lowest priority that is never shed")
    ageing_s: Positive = Field(default=1800.0, description="waiting time that lifts a task by one priority class")
    tasks_ahead: int = Field(default=3, ge=1, le=16, description="tasks that a robot is recommended to do, at most")
    demand_lag_s: NotNegative = Field(
        default=3600.0, description="a demand estimate counts from so long after the end of its bucket"
    )
    work_version: Name = Field(default="1", description="version of the mapping below, told with each gap")
    work: tuple[WorkRule, ...] = Field(default=(), description="demand to work")
    limits: tuple[Limit, ...] = Field(default=(), description="hard limits by zone")
    most_by_site: dict[Name, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict, description="most robots of all zones of a site together; * for any other site"
    )

    def hard_limits(self) -> Limits:
        """The limits; SettingsError where they contradict each other."""
        rules = [ZoneLimit(one.least, one.most, one.step, one.site, one.zone) for one in self.limits]
        return Limits(rules, self.most_by_site)

    @model_validator(mode="after")
    def _holds_together(self) -> Alignment:
        least = max(self.delay_s + 2 * self.interval_s, self.ack_within_s)
        if self.expires_s <= least:
            raise ValueError(f"expires_s must be more than {least:g}: delay_s and two intervals, and ack_within_s")
        return self
