-- What did counts come to, by site, class and unit, when all papers were in?
SELECT site, class, count(*) AS counts, sum(unexplained) AS unexplained, uom, round(sum(value), 2) AS value
FROM reconciliation
WHERE stage = 'final'
GROUP BY site, class, uom
ORDER BY site, counts DESC, class, uom;
