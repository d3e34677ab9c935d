"""What the experts of a mix are, to the last parameter."""

from __future__ import annotations

import pytest

from domain.demand.experts.catalogue import EXPERTS


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tsb", "tsb@1(alpha=0.1,beta=0.05)"),
        ("ses", "ses@1(alpha=0.1)"),
        ("holt_winters", "holt_winters@1(season=24,alpha=0.1,beta=0.02,gamma=0.1,phi=0.9)"),
        ("snarimax", "snarimax@2(season=24,p=2,rate=0.02)"),
    ],
)
def test_experts_have_the_parameters_that_were_measured(name, text):
    """Accuracy is published for these defaults; with others every figure must be measured again."""
    assert str(EXPERTS[name](24)) == text
    assert set(EXPERTS) == {"tsb", "ses", "holt_winters", "snarimax"}


@pytest.mark.parametrize(
    ("name", "season", "ahead"),
    [
        ("tsb", 7, [11.06494, 11.06494]),
        ("ses", 7, [11.2646538, 11.2646538]),
        ("holt_winters", 1, [11.3029149, 11.2874479]),
        ("holt_winters", 7, [10.4836314, 13.4492567]),
        ("snarimax", 1, [11.2714369, 11.1191081]),
        ("snarimax", 7, [11.5329095, 9.72900221]),
    ],
)
def test_equal_values_give_the_forecasts_of_the_version(name, season, ahead):
    """These are forecasts of the versions above. Where they change, the version rises and all is measured again."""
    expert = EXPERTS[name](season)
    for k in range(130):
        expert.learn_one(float((7 * k * k + 3 * k) % 23 + 60 * (k in {40, 111})))
    assert expert.forecast(2) == pytest.approx(ahead, rel=1e-7)
