"""The contenders of the ledger benchmark do the same job, or their costs could not be compared."""

from __future__ import annotations

import pytest

from benchmarks.inventory_ledger import CONTENDERS, moves
from domain.inventory.reasons import BALANCES

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def oracle():
    return CONTENDERS["dict loop"](moves(3_000))[1]


@pytest.mark.parametrize("name", CONTENDERS)
def test_every_contender_finds_the_balances_of_the_dict_loop(name, oracle):
    """To the last thousandth, for each of the five balances."""
    _, found = CONTENDERS[name](moves(3_000))
    assert found.equals(oracle)
    assert all(found[balance].n_unique() > 1 for balance in BALANCES if balance != "backorder")
