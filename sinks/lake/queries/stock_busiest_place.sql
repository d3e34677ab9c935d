-- What happened at the place with the most moves? The last changes, and the balances after each
WITH busiest AS (SELECT site, sku, location FROM stock_now ORDER BY moves DESC, site, sku, location LIMIT 1)
SELECT event_time, reason, document, on_hand_change, on_hand, allocated, position
FROM stock_history((SELECT site FROM busiest), (SELECT sku FROM busiest), (SELECT location FROM busiest))
ORDER BY event_time DESC, booked_time DESC
LIMIT 20;
