-- Half-hour counts of taxi passengers as the counter of one "robot": the running sum is tasks_done, read in the last
-- second of each half hour. A zero reading before the first gives the counter its baseline.
WITH counts AS (
    SELECT "timestamp" AS began, value, row_number() OVER (ORDER BY "timestamp") AS seq FROM 'nab/nyc_taxi.csv'
), readings AS (
    SELECT seq, began + INTERVAL 30 MINUTE - INTERVAL 1 SECOND AS event_time, sum(value) OVER (ORDER BY seq) AS total
    FROM counts
    UNION ALL
    SELECT 0, min(began) - INTERVAL 1 SECOND, 0 FROM counts
)
SELECT
    'taxis' AS robot, 'manhattan' AS zone, 'nyc' AS site,
    1 AS boot_epoch, seq, event_time, 'busy' AS mode, 100.0 AS battery,
    total AS tasks_done, 1800.0 * seq AS busy_s, 1800.0 * seq AS available_s, 0 AS queue_depth
FROM readings
