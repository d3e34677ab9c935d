-- How fresh is each output?
SELECT output, rows, last_event_time, last_recorded_at, round(age_s, 1) AS age_s
FROM meta.freshness
ORDER BY output;
