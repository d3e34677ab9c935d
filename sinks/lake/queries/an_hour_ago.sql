-- What did we believe an hour ago? The latest view as it stood then
SELECT level, site, entity, window_start, tasks, round(rate, 2) AS tasks_per_hour
FROM throughput_latest_as_of(now() - INTERVAL 1 HOUR)
WHERE level = 'site'
ORDER BY window_start DESC, site
LIMIT 20;
