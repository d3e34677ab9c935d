-- What should each robot do next, and what does that cost?
SELECT site, robot, sequence, task, zone, round(cost_s) AS cost_s, charge_first, reason
FROM assignment_now
ORDER BY site, robot, sequence
LIMIT 50;
