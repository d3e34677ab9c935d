-- Why were messages rejected, most frequent reason first?
SELECT contract, reason, count(*) AS messages, min("offset") AS first_offset, any_value(detail) AS for_example
FROM (SELECT contract, unnest(reasons) AS reason, "offset", detail FROM quarantine)
GROUP BY contract, reason
ORDER BY messages DESC, reason;
