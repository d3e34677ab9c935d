-- What is there of each SKU at each site, and what is coming or promised?
SELECT site, sku, uom, sum(on_hand) AS on_hand, sum(allocated) AS allocated, sum(in_transit) AS in_transit,
       sum(on_order) AS on_order, sum(backorder) AS backorder, sum(position) AS position
FROM stock_now
GROUP BY ALL
ORDER BY site, sku
LIMIT 50;
