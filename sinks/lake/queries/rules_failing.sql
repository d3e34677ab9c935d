-- Which rules do messages fail, warnings too, and what share of all messages is that?
SELECT source, contract, code, severity, failed, rows_in, round(100 * share, 3) AS percent, last_recorded_at
FROM rule_failure_totals
ORDER BY share DESC, source, code;
