-- How fast is each zone now, and how sure are we?
SELECT site, entity AS zone, window_start, tasks, round(rate, 2) AS tasks_per_hour,
       round(rate_lo, 2) AS at_least, round(rate_hi, 2) AS at_most, round(utilisation, 3) AS utilisation
FROM throughput_latest
WHERE level = 'zone'
QUALIFY row_number() OVER (PARTITION BY site, entity ORDER BY window_end DESC) = 1
ORDER BY site, zone;
