"""Stock: a bitemporal ledger of moves, reconciliation against counts, proposals, replenishment."""
