"""Capacity kept in step with demand: capacity forecast, gap, setpoints, shedding."""
