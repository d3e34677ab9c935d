-- On what was each setpoint decided, by which models, and does its digest of the inputs still match them?
SELECT s.site, s.zone, s.decided_at, s.setpoint, s.robots, s.controller, s.inputs,
       s.inputs = left(sha256(concat('alignment.inputs.v1', strlen(s.told), ':', s.told)), 32) AS matches,
       a.demand, a.demand_source, a.capacity, a.gap, a.model, a.work_version
FROM (
    -- what evidence holds before what the controller made of it
    SELECT *, regexp_extract(evidence, '^(.*),"wanted":', 1) || '}' AS told FROM setpoint WHERE status = 'sent'
) AS s
LEFT JOIN alignment AS a
    ON a.site = s.site AND a.zone = s.zone AND a.event_time = s.decided_at
    AND a.horizon_s = (SELECT min(horizon_s) FROM alignment)
ORDER BY s.decided_at DESC, s.site, s.zone
LIMIT 50;
