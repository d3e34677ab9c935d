-- Stock at the end of the last whole month: as we knew it then, and as it was, with late papers
WITH month AS (SELECT date_trunc('month', max(last_event_time)) - INTERVAL 1 MICROSECOND AS ended FROM stock_now)
SELECT site, sku, location, was.uom, coalesce(known.on_hand, 0) AS as_known, was.on_hand AS as_it_was,
       was.on_hand - coalesce(known.on_hand, 0) AS late_papers
FROM stock_as_it_was((SELECT ended FROM month)) AS was
LEFT JOIN stock_as_known((SELECT ended FROM month)) AS known USING (site, sku, location)
ORDER BY abs(late_papers) DESC, site, sku, location
LIMIT 50;
