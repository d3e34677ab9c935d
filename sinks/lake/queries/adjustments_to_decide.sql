-- Which adjustments wait for a decision, worth most first?
SELECT proposal, site, sku, location, quantity, uom, round(value, 2) AS value, expires_at, adjustment_open.reason
FROM adjustment_open
LEFT JOIN (
    SELECT event_id, kind, arg_max(value, event_time) AS value FROM reconciliation GROUP BY event_id, kind
) USING (event_id, kind)
ORDER BY abs(value) DESC NULLS LAST, expires_at, proposal;
