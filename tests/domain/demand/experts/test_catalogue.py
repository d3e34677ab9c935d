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
