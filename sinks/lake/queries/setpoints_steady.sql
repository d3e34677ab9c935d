-- How often did each zone's setpoint change, and how often did it turn round?
SELECT site, zone, count(*) AS changes, sum(abs(step)) AS robots_moved,
       count(*) FILTER (sign(step) <> sign(before)) AS reversals
FROM (SELECT site, zone, step, lag(step) OVER (PARTITION BY site, zone ORDER BY decided_at) AS before
      FROM (SELECT site, zone, decided_at, robots - previous AS step FROM setpoint WHERE status = 'sent')
      WHERE step <> 0)
GROUP BY site, zone
ORDER BY site, zone;
