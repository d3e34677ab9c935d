"""Oracles of the experts."""

from __future__ import annotations

from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def statsforecast() -> ModuleType:
    """Models of statsforecast, which takes seconds to load: tests of it go to one worker."""
    from statsforecast import models  # noqa: PLC0415

    return models
