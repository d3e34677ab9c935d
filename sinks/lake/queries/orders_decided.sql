-- Which orders and transfers were decided, by whom, and what came of them?
SELECT sku, site, from_site, quantity, uom, status, event_time, "by", proposal
FROM order_proposal
WHERE proposal IN (SELECT proposal FROM order_proposal WHERE "by" IS NOT NULL)
ORDER BY event_time DESC, proposal, status
LIMIT 50;
