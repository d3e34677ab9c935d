-- Where did every input row go?
SELECT source, partition, sum(rows_in) AS rows_in, sum(good) AS good, sum(quarantined) AS quarantined,
       sum(late) AS late, sum(duplicates) AS duplicates, sum(conflicts) AS conflicts,
       sum(rows_in) - sum(good) - sum(quarantined) - sum(late) - sum(duplicates) - sum(conflicts) AS missing
FROM accounting
GROUP BY ALL
ORDER BY source, partition;
