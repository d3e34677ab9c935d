-- Which moves came late, and how late? By reason
SELECT reason, count(*) AS moves, sum((booked_time > event_time)::INTEGER) AS late,
       max(booked_time - event_time) AS latest
FROM stock_move_latest
WHERE leg = 0
GROUP BY reason
ORDER BY late DESC, reason;
