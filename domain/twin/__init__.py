"""Simulated plants with known truth: what the estimates are held against."""
