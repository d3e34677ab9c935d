-- Stock by product and location as another system states it.
SELECT
    'shelf-' || column0 || '-' || column1 AS event_id,
    'main' AS site, column0::VARCHAR AS sku, 'l' || column1 AS location,
    column4::DOUBLE AS on_hand, 'each' AS uom, column6 AS as_of, column6 AS event_time
FROM read_csv('adventureworks/ProductInventory.csv', delim = '\t', header = false)
