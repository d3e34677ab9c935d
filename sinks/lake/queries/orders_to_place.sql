-- What should be ordered, or moved between sites, and why?
SELECT proposal, kind, site, from_site, sku, quantity, uom, event_time, expires_at, reason
FROM order_open
ORDER BY kind, site, sku;
