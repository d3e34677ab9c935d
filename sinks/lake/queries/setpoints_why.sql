-- How many robots should each zone have, since when, and why?
SELECT site, zone, robots, previous, status, decided_at, expires_at, reason
FROM setpoint_now
ORDER BY site, zone;
