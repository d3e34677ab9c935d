"""Stored state says which version of the code wrote it; another version's is refused, never guessed at."""

from __future__ import annotations

from schemas.errors import RecoveryError


def demand_version(found: object, wanted: int, what: str) -> None:
    """Raise RecoveryError unless the state of `what` (as in "state of the stock ledger") has the wanted version."""
    if found != wanted:
        raise RecoveryError(
            f"state of {what} has version {found}, this is {wanted}",
            fix="finish the run with the version of Takt that began it, or start a new run",
        )
