-- What came of each adjustment: which count it follows from, why, who decided, and what takes it back?
SELECT site, sku, location, quantity, uom, counted, book, as_of, status, event_time, "by", comment, adjustment.reason,
       CASE WHEN status = 'accepted' THEN reversal END AS undo_with, proposal
FROM adjustment
LEFT JOIN (SELECT event_id, kind, counted, book, as_of FROM reconciliation WHERE stage = 'final') USING (event_id, kind)
QUALIFY row_number() OVER (PARTITION BY proposal ORDER BY event_time DESC, status = 'proposed', status DESC) = 1
ORDER BY event_time DESC, proposal
LIMIT 50;
