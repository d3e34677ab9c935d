-- Purchase orders as moves of stock: each line is ordered, and when its order is complete received, less what was
-- rejected; what of it never came or was rejected is then no longer on order.
WITH headers AS (
    SELECT column00 AS id, column02 AS status, column06 AS ordered, column07 AS shipped
    FROM read_csv('adventureworks/PurchaseOrderHeader.csv', delim = '\t', header = false)
), lines AS (
    SELECT column00 AS id, column01 AS line, column03::DOUBLE AS ordered_quantity, column04 AS product,
           column09::DOUBLE AS stocked
    FROM read_csv('adventureworks/PurchaseOrderDetail.csv', delim = '\t', header = false)
), places AS (
    SELECT column0 AS product, min(column1) AS location
    FROM read_csv('adventureworks/ProductInventory.csv', delim = '\t', header = false) GROUP BY ALL
), steps AS (
    SELECT id, line, product, 'order' AS step, 'order' AS reason, ordered_quantity AS quantity, ordered AS event_time
    FROM lines JOIN headers USING (id)
    UNION ALL
    SELECT id, line, product, 'receipt', 'receipt', stocked, shipped
    FROM lines JOIN headers USING (id) WHERE status = 4 AND stocked > 0
    UNION ALL
    SELECT id, line, product, 'close', 'order', stocked - ordered_quantity, shipped
    FROM lines JOIN headers USING (id) WHERE status = 4 AND stocked < ordered_quantity
)
SELECT
    'po-' || id || '-' || line || '-' || step AS event_id,
    'main' AS site, product::VARCHAR AS sku, 'l' || coalesce(location, 0) AS location,
    quantity, 'each' AS uom, reason, 'po-' || id AS document, line || '-' || step AS line,
    event_time, event_time AS record_time
FROM steps LEFT JOIN places USING (product)
