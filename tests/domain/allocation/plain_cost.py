"""What a sequence costs, one task after another in plain Python: the rules again, by another hand."""

from __future__ import annotations

import math


def plain_cost(robot, sequence, config, now_us):
    """Parts of the cost of each task of a robot's sequence (rows as dictionaries), or None if it cannot be done."""
    clock, battery, place, zone = 0.0, robot["battery"], (robot["x"], robot["y"]), robot["zone"]
    speed = robot["speed"] or config.speed_m_s
    found = []
    for task in sequence:
        if not set(task["requires"] or ()) <= set(robot["capabilities"] or ()):
            return None
        to = task["x"], task["y"]
        if None in (*place, *to):
            travel = config.travel_within_s if zone == task["zone"] else config.travel_between_s
        else:
            travel = math.dist(place, to) / speed
        work = task["work_micro"] / 1e6 * 3600 / (robot["rate"] or config.units_per_hour)
        energy = travel * config.travel_pct_s + work * config.work_pct_s
        charge, until = 0.0, None
        if battery < energy + config.reserve_pct:
            until = max(energy + config.reserve_pct, config.charge_until_pct)
            if until > 100 or robot["mode"] == "charging":
                return None
            charge = config.charge_trip_s + (until - battery) / config.charge_pct_s
            battery = until
        battery -= energy
        ends = clock + charge + travel + work
        late = 0.0 if task["due_us"] is None else max(ends - (task["due_us"] - now_us) / 1e6, 0.0)
        risen = min(task["priority"] + (now_us - task["created_us"]) // 1_000_000 // config.ageing_s, 9)
        found.append(
            {
                "wait_s": clock,
                "battery_s": charge,
                "travel_s": travel,
                "work_s": work,
                "energy_s": energy * config.energy_s_pct,
                "health_s": (now_us - robot["seen_us"]) / 1e6 * config.age_cost
                + (config.error_cost_s if robot["errors"] else 0.0),
                "lateness_s": late * config.lateness_cost,
                "priority_s": config.priority_cost * risen * (ends + late * config.lateness_cost),
                "charge_pct": until,
            }
        )
        clock, place, zone = ends, to, task["zone"]
    return found
