-- Which classes of work are given up for now, and why?
SELECT site, zone, priority, event_time, reason
FROM shedding_now
ORDER BY site, zone, priority;
