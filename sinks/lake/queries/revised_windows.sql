-- What did late data change? First against newest estimate of revised windows
SELECT first.level, first.site, first.entity, first.window_start,
       first.tasks AS tasks_first, newest.tasks AS tasks_newest,
       round(first.rate, 2) AS rate_first, round(newest.rate, 2) AS rate_newest
FROM throughput AS first
JOIN throughput_latest AS newest USING (level, site, entity, window_start, window_end)
WHERE first.revision = 0 AND newest.revision > 0
ORDER BY first.window_start, first.level, first.entity;
