"""Foreign formats turned into Takt's own events."""
