"""Outputs of the flow over robots, tasks and sensors."""

from __future__ import annotations

from schemas.outputs.model import Column, Output

_WINDOW = (
    Column("window_start", "timestamp", "UTC", "Start of the event-time window, inclusive"),
    Column("window_end", "timestamp", "UTC", "End of the event-time window, exclusive"),
    Column("revision", "integer", "1", "0 when first told; one more each time it is told again, changed"),
    Column("final", "boolean", "", "True if told when no later row could change it; see also accounting.final_until"),
)

ROBOT_WINDOW = Output(
    name="robot_window",
    grain="one row per site, zone, robot, window and revision",
    comment="What each robot reported in each window: work by difference of cumulative counters",
    columns=(
        Column("site", "string", "", "Site of the robot"),
        Column("zone", "string", "", "Zone in which the readings were taken"),
        Column("robot", "string", "", "Robot"),
        *_WINDOW,
        Column("messages", "integer", "1", "Accepted robot.state messages"),
        Column("tasks", "integer", "{task}", "Tasks finished: counter differences, resets detected"),
        Column("units", "integer", "{unit}", "Sum of the units field of the messages"),
        Column("busy_s", "number", "s", "Busy time: counter differences"),
        Column("available_s", "number", "s", "Observed time in which the robot could work: counter differences"),
        Column("battery_mean", "number", "%", "Mean state of charge over messages"),
        Column("battery_min", "number", "%", "Lowest state of charge"),
        Column("queue_max", "integer", "{task}", "Longest queue reported"),
        Column("resets", "integer", "1", "Counter resets seen: new boot epoch, or a counter that fell"),
    ),
    key=("site", "zone", "robot", "window_start", "window_end", "revision"),
    latest_by=("site", "zone", "robot", "window_start", "window_end"),
)

THROUGHPUT = Output(
    name="throughput",
    grain="one row per level, site, entity, window and revision",
    comment="Work and rate estimates per robot, zone and site",
    columns=(
        Column("level", "string", "", "robot, zone or site"),
        Column("site", "string", "", "Site"),
        Column("entity", "string", "", "Robot, zone or site name, by level"),
        *_WINDOW,
        Column("robots", "integer", "1", "Robots that reported in the window"),
        Column("messages", "integer", "1", "Accepted robot.state messages"),
        Column("tasks", "integer", "{task}", "Tasks finished in the window"),
        Column("units", "integer", "{unit}", "Sum of the units field of the messages"),
        Column("busy_s", "number", "s", "Busy time in the window, summed over robots"),
        Column("available_s", "number", "s", "Observed available time (exposure), summed over robots"),
        Column("utilisation", "number", "1", "busy_s / available_s; null without exposure", nullable=True),
        Column("rate", "number", "{task}/h", "Posterior mean of tasks per available robot-hour"),
        Column("rate_lo", "number", "{task}/h", "2.5 % quantile of the posterior rate"),
        Column("rate_hi", "number", "{task}/h", "97.5 % quantile of the posterior rate"),
        Column("dispersion", "number", "1", "Variance of tasks per available hour over that of Poisson counts"),
        Column(
            "service_rate",
            "number",
            "{task}/h",
            "Posterior mean of tasks per busy robot-hour; null until busy time was seen",
            nullable=True,
        ),
        Column("service_rate_lo", "number", "{task}/h", "2.5 % quantile of the service rate", nullable=True),
        Column("service_rate_hi", "number", "{task}/h", "97.5 % quantile of the service rate", nullable=True),
        Column(
            "service_dispersion",
            "number",
            "1",
            "Variance of tasks per busy hour over that of Poisson counts: nearly the squared variation coefficient of "
            "service times",
            nullable=True,
        ),
        Column("model", "string", "", "Name and version of the estimator with its parameters"),
        Column("contract", "string", "", "Contract and version of the input"),
    ),
    key=("level", "site", "entity", "window_start", "window_end", "revision"),
    latest_by=("level", "site", "entity", "window_start", "window_end"),
    event_type="takt.estimate.throughput.v1",
    topic="estimates",
    subject=("level", "site", "entity"),
)

SERVICE_TIME = Output(
    name="service_time",
    grain="one row per site, zone, window and revision",
    comment="Service times of finished tasks (started to done), over the last 500 of the zone",
    columns=(
        Column("site", "string", "", "Site"),
        Column("zone", "string", "", "Zone in which the task was done"),
        *_WINDOW,
        Column("done", "integer", "{task}", "Tasks done in the window"),
        Column("failed", "integer", "{task}", "Tasks failed in the window"),
        Column("work_units", "number", "{unit}", "Work units of the tasks done in the window"),
        Column("sample", "integer", "{task}", "Service times behind mean and quantiles (at most 500)"),
        Column("mean_s", "number", "s", "Mean service time", nullable=True),
        Column("p50_s", "number", "s", "Median service time", nullable=True),
        Column("p90_s", "number", "s", "90 % quantile of service time", nullable=True),
        Column("p95_s", "number", "s", "95 % quantile of service time", nullable=True),
        Column("model", "string", "", "Name and version of the estimator with its parameters"),
        Column("contract", "string", "", "Contract and version of the input"),
    ),
    key=("site", "zone", "window_start", "window_end", "revision"),
    latest_by=("site", "zone", "window_start", "window_end"),
    event_type="takt.estimate.service_time.v1",
    topic="estimates",
    subject=("site", "zone"),
)

SENSOR_WINDOW = Output(
    name="sensor_window",
    grain="one row per entity, metric, window and revision",
    comment="Machine health: statistics of sensor readings",
    columns=(
        Column("entity", "string", "", "Machine, robot or any other thing that is measured"),
        Column("metric", "string", "", "What is measured"),
        Column("unit", "string", "", "Unit of the statistics (UCUM), as the readings give it"),
        *_WINDOW,
        Column("readings", "integer", "1", "Accepted readings"),
        Column("mean", "number", "", "Mean, in the row's unit"),
        Column("std", "number", "", "Sample standard deviation; null for one reading", nullable=True),
        Column("min", "number", "", "Smallest reading"),
        Column("max", "number", "", "Largest reading"),
        Column("p05", "number", "", "5 % quantile (linear interpolation)"),
        Column("p50", "number", "", "Median"),
        Column("p95", "number", "", "95 % quantile"),
        Column("last", "number", "", "Reading with the latest event time"),
        Column("contract", "string", "", "Contract and version of the input"),
    ),
    key=("entity", "metric", "unit", "window_start", "window_end", "revision"),
    latest_by=("entity", "metric", "unit", "window_start", "window_end"),
    event_type="takt.estimate.sensor_window.v1",
    topic="estimates",
    subject=("entity", "metric"),
)
