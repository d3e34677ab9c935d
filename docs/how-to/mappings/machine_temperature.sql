-- Temperature of an industrial machine, one reading every five minutes.
SELECT
    'machine-1' AS entity, 'temperature' AS metric, value, '[degF]' AS unit, "timestamp" AS event_time
FROM 'nab/machine_temperature_system_failure.csv'
