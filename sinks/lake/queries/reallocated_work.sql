-- Which tasks were taken from robots that failed or left, and how did that end?
SELECT site, task, from_robot, to_robot, cause, status, failed_at, event_time, compensation
FROM reallocation_now
ORDER BY event_time DESC, site, task
LIMIT 50;
