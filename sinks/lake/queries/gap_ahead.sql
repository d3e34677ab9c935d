-- Where will work be left over, by the newest review, and how sure is that?
SELECT site, zone, horizon_s / 3600 AS hours, round(demand, 1) AS demand, round(backlog, 1) AS backlog,
       round(capacity, 1) AS capacity, round(gap, 1) AS gap, round(gap_probability, 3) AS probability
FROM alignment_now
ORDER BY gap_probability DESC, site, zone, horizon_s;
