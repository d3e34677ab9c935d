-- What will be asked for, and how sure are we?
SELECT site, sku, demand_class, bucket_end AS from_time, horizon_end AS until_time, round(mean, 1) AS expected,
       lower AS at_least, upper AS at_most, cold
FROM demand_latest
ORDER BY mean DESC, site, sku
LIMIT 50;
