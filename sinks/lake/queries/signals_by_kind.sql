-- What was signalled, how often, and for example?
SELECT kind, severity, count(*) AS signals, max(event_time) AS newest, arg_max(reason, event_time) AS for_example
FROM signal
GROUP BY kind, severity
ORDER BY signals DESC, kind;
