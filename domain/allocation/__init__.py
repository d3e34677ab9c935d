"""Allocation: which robot should do which task in which order, what cannot be done and why, recovery of lost robots."""
