-- How often did intervals hold, and how far off were forecasts? By class of demand
SELECT demand_class, count(*) AS forecasts, round(avg(held::INTEGER), 3) AS held,
       round(sum(abs(asked - mean)) / nullif(sum(asked), 0), 3) AS relative_error,
       round(sum(mean - asked) / nullif(sum(asked), 0), 3) AS relative_bias
FROM demand_outcome
WHERE NOT cold AND NOT censored
GROUP BY demand_class
ORDER BY forecasts DESC, demand_class;
