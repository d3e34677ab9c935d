-- Which robots finish the fewest tasks per available hour?
SELECT site, robot, sum(tasks) AS tasks, round(sum(available_s) / 3600, 2) AS available_hours,
       round(3600 * sum(tasks) / nullif(sum(available_s), 0), 2) AS tasks_per_hour, sum(resets) AS counter_resets
FROM robot_window_latest
GROUP BY site, robot
HAVING sum(available_s) > 0
ORDER BY tasks_per_hour, robot
LIMIT 20;
