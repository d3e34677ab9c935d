-- Do robots and tasks tell the same story? By Little's law as many robots are busy as tasks are done per hour times hours each.
SELECT site, zone, date_trunc('hour', window_start) AS hour, sum(tasks)::BIGINT AS tasks,
       round(sum(busy_s) / 3600, 2) AS busy_by_counters, round(sum(tasks * mean_s) / 3600, 2) AS busy_by_littles_law,
       round(sum(busy_s) / nullif(sum(available_s), 0), 3) AS utilisation
FROM (SELECT site, entity AS zone, window_start, tasks, busy_s, available_s FROM throughput_latest WHERE level = 'zone')
ASOF JOIN service_time_latest USING (site, zone, window_start)
WHERE mean_s IS NOT NULL
GROUP BY ALL
HAVING sum(tasks) >= 20
ORDER BY greatest(abs(ln(nullif(sum(busy_s), 0) / sum(tasks * mean_s))), utilisation - 1) DESC NULLS FIRST, hour
LIMIT 20;
