-- Which SKUs are at or below their reorder point, by the newest review?
SELECT site, sku, position, available, reorder_point, order_up_to, recommended, uom,
       round(demand_mean, 2) AS demand_mean, reason
FROM replenishment
QUALIFY event_time = max(event_time) OVER (PARTITION BY site, sku) AND position <= reorder_point
ORDER BY position - reorder_point, site, sku;
