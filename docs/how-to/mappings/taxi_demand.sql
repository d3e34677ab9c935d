-- Half-hour counts of taxi passengers as order lines of one SKU at one site: days of demand.
SELECT
    'taxi-' || strftime("timestamp", '%Y%m%d%H%M') AS event_id,
    'nyc' AS site, 'ride' AS sku, value::DOUBLE AS quantity, 'each' AS uom,
    0 AS priority, true AS in_stock, "timestamp" AS event_time
FROM 'nab/nyc_taxi.csv'
