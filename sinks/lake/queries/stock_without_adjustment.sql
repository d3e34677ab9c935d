-- What did the newest booked adjustment change? The book with it and without its document
WITH newest AS (
    SELECT document, site, sku, location FROM stock_move_latest
    WHERE reason = 'adjust' ORDER BY booked_time DESC, event_id LIMIT 1
)
SELECT document, site, sku, location, now.on_hand AS with_it, coalesce(undone.on_hand, 0) AS without_it
FROM newest
JOIN stock_now AS now USING (site, sku, location)
LEFT JOIN stock_without((SELECT document FROM newest)) AS undone USING (site, sku, location);
