-- What did counts come to, by site and class, when all papers were in?
SELECT site, class, count(*) AS counts, sum(unexplained) AS unexplained, round(sum(value), 2) AS value
FROM reconciliation
WHERE stage = 'final'
GROUP BY site, class
ORDER BY site, counts DESC, class;
