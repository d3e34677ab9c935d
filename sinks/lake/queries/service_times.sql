-- How long do tasks take in each zone, by the newest window?
SELECT site, zone, window_start, done, failed, sample, mean_s, p50_s, p90_s, p95_s
FROM service_time_latest
QUALIFY row_number() OVER (PARTITION BY site, zone ORDER BY window_end DESC) = 1
ORDER BY site, zone;
