"""How much work robots, zones and sites do: counters, exposure, rates, service times."""
