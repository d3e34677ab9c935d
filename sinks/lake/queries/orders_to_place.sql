-- What should be ordered, or moved between sites, by the newest review, and why?
SELECT kind, site, from_site, sku, quantity, uom, event_time, expires_at, reason
FROM order_proposal
QUALIFY event_time = max(event_time) OVER (PARTITION BY site, sku)
    AND expires_at > (SELECT max(event_time) FROM replenishment)
ORDER BY kind, site, sku;
