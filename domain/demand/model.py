"""Parameters of the demand model, all of them, in one value that names itself in every estimate."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from domain.demand.calendar import SEASON, Bucket, Calendar
from domain.demand.cold_start import ColdStart
from domain.demand.conformal import AdaptiveLevel
from domain.demand.drift import DriftModel
from domain.demand.promotion import PromotionModel
from domain.demand.window_scale import WindowScale

VERSION: Final = 4
"""Raised whenever the same input gives other estimates."""


@dataclass(frozen=True, slots=True)
class DemandModel:
    """Parameters of forecasts of one kind of bucket.

    `horizon` in buckets: estimates are of the demand of so many. `share` and `eta` are those of the Hedge.
    `keep` is the weight of the newest error in the variance. A series without a row for `rest_after` buckets rests
    until it has one.
    """

    bucket: Bucket = "day"
    zone: str = "UTC"
    horizon: int = 7
    eta: float = 0.5
    share: float = 0.01
    keep: float = 0.03
    rest_after: int = 120
    level: AdaptiveLevel = field(default_factory=AdaptiveLevel)
    scale: WindowScale = field(default_factory=WindowScale)
    promotion: PromotionModel = field(default_factory=PromotionModel)
    cold_start: ColdStart = field(default_factory=ColdStart)
    drift: DriftModel = field(default_factory=DriftModel)

    def __post_init__(self) -> None:
        Calendar(self.bucket, self.zone)
        if self.horizon < 1 or not 0 < self.keep <= 1 or self.rest_after < 1:
            raise ValueError(f"horizon and rest_after >= 1 and 0 < keep <= 1 must hold: {self}")

    @property
    def season(self) -> int:
        """Buckets of the season."""
        return SEASON[self.bucket]

    def __str__(self) -> str:
        level, scale = self.level, self.scale
        promotion, cold, drift = self.promotion, self.cold_start, self.drift
        return (
            f"demand@{VERSION}(bucket={self.bucket},zone={self.zone},horizon={self.horizon},"
            f"eta={self.eta:g},share={self.share:g},keep={self.keep:g},"
            f"rest_after={self.rest_after},"
            f"level={level.target:g}/{level.step:g}/{level.least:g}/{level.most:g}/{level.widen:g}/{level.reach:g},"
            f"scale={scale.keep:g}/{scale.few:g}/{scale.outlier:g}/{scale.doubt:g}/{scale.most:g},"
            f"promotion={promotion.item_weight:g}/{promotion.category_weight:g}/{promotion.most:g},"
            f"cold={cold.buckets}/{cold.discount:g},"
            f"drift={drift.delta:g}/{drift.clock}/{drift.clip:g}/{drift.grace}/{drift.least_lag})"
        )
