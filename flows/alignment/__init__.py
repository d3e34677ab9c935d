"""Capacity and demand in step, as the flow drives it."""
