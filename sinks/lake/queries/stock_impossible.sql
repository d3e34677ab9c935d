-- Which balances are what cannot be, and since which move?
SELECT site, sku, location, on_hand, allocated, in_transit, on_order, backorder, last_event_time
FROM stock_now
WHERE least(on_hand, allocated, in_transit, on_order, backorder) < 0 OR allocated > on_hand
ORDER BY on_hand, site, sku, location;
