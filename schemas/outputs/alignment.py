"""Outputs of the step where capacity meets demand: gaps, setpoints, shedding."""

from __future__ import annotations

from schemas.outputs.evidence import SETPOINT_EVIDENCE
from schemas.outputs.model import Column, Output

_ZONE = (Column("site", "string", "", "Site"), Column("zone", "string", "", "Zone of the site"))

ALIGNMENT = Output(
    name="alignment",
    grain="one row per site, zone, horizon and review",
    comment="Work that is asked for and can be done within each horizon, the gap between them, and time to clear",
    columns=(
        *_ZONE,
        Column("event_time", "timestamp", "UTC", "Time of the review, which knows all that is final before it"),
        Column("horizon_s", "number", "s", "How far ahead"),
        Column("robots", "integer", "1", "Robots of the zone"),
        Column("up", "integer", "1", "Robots that can work now"),
        Column("availability", "number", "1", "Expected share of robot-time in which robots can work"),
        Column("rate", "number", "{unit}/h", "Work units a robot does per busy hour"),
        Column("capacity", "number", "{unit}", "Work the zone can do within the horizon, expected"),
        Column("capacity_lo95", "number", "{unit}", "2.5 % quantile of it"),
        Column("capacity_lo80", "number", "{unit}", "10 % quantile"),
        Column("capacity_hi80", "number", "{unit}", "90 % quantile"),
        Column("capacity_hi95", "number", "{unit}", "97.5 % quantile"),
        Column("demand", "number", "{unit}", "Work that will be asked for within the horizon, expected"),
        Column("demand_lo95", "number", "{unit}", "2.5 % quantile of it"),
        Column("demand_hi95", "number", "{unit}", "97.5 % quantile"),
        Column("demand_source", "string", "", "arrivals (work that came) or forecast (demand estimates, mapped)"),
        Column("backlog", "number", "{unit}", "Work of tasks that are not done"),
        Column("gap", "number", "{unit}", "demand + backlog - capacity, expected; above 0 work is left over"),
        Column("gap_lo95", "number", "{unit}", "2.5 % quantile of it"),
        Column("gap_hi95", "number", "{unit}", "97.5 % quantile"),
        Column("gap_probability", "number", "1", "Probability that work is left over"),
        Column("clears", "boolean", "", "Whether capacity exceeds demand, so that the backlog shrinks"),
        Column("time_to_clear_s", "number", "s", "Until the backlog is gone; null where it never is", nullable=True),
        Column("time_to_clear_hi95_s", "number", "s", "97.5 % quantile; null for never", nullable=True),
        Column("work_version", "string", "", "Version of the mapping from demand to work"),
        Column("model", "string", "", "Models behind the numbers, with their parameters"),
    ),
    key=("site", "zone", "horizon_s", "event_time"),
    event_type="takt.estimate.alignment.v1",
    topic="estimates",
    flow="alignment",
    subject=("site", "zone"),
)

SETPOINT = Output(
    name="setpoint",
    grain="one row per setpoint and status it takes",
    comment="How many robots each zone should have, why, and what became of it",
    columns=(
        Column("setpoint", "string", "", "Id: a digest of all it says"),
        *_ZONE,
        Column("event_time", "timestamp", "UTC", "When it took this status"),
        Column(
            "status",
            "string",
            "",
            "sent, accepted, completed, rejected, failed, unacknowledged, superseded or expired; held, resumed",
        ),
        Column(
            "robots", "integer", "1", "Robots that should be at work in the zone; null: nothing held", nullable=True
        ),
        Column("previous", "integer", "1", "What was asked for before; null where nothing was", nullable=True),
        Column("renews", "string", "", "Id of the setpoint whose time it prolongs; null of a new one", nullable=True),
        Column("decided_at", "timestamp", "UTC", "Time of the review that decided it"),
        Column("effective_at", "timestamp", "UTC", "When robots should be there", nullable=True),
        Column("expires_at", "timestamp", "UTC", "It no longer holds from then on", nullable=True),
        Column("cut", "string", "", "Hard limit that made it another than the controller's; empty for none"),
        Column("controller", "string", "", "Controller with all its parameters; null of held, resumed", nullable=True),
        Column(
            "inputs",
            "string",
            "",
            "Digest of the numbers in evidence before wanted, as the example query setpoints_decided_upon checks it; "
            "null of held, resumed",
            nullable=True,
        ),
        Column("reason", "string", "", "Why, in a sentence with the numbers"),
        Column(
            "evidence",
            "string",
            "",
            "Inputs and parts, as JSON; null of held, resumed",
            nullable=True,
            keys=SETPOINT_EVIDENCE,
        ),
        Column("cause", "string", "", "Of held and resumed: stale or no_data; else null", nullable=True),
        Column("acknowledgement", "string", "", "Event that brought the status; null where time did", nullable=True),
        Column("superseded_by", "string", "", "Setpoint that took its place", nullable=True),
        Column("by", "string", "", "Who acknowledged", nullable=True),
        Column("comment", "string", "", "What they said", nullable=True),
    ),
    key=("setpoint", "status", "event_time"),
    event_type="takt.signal.setpoint.v1",
    topic="signals",
    flow="alignment",
    subject=("site", "zone"),
)

SHEDDING = Output(
    name="shedding",
    grain="one row per site, zone and change of what is shed",
    comment="Classes of work that are given up for now, as time to clear exceeds the service level, and taken back",
    columns=(
        *_ZONE,
        Column("event_time", "timestamp", "UTC", "Time of the review"),
        Column("status", "string", "", "shed or restored"),
        Column("priority", "integer", "1", "Class of work that the row is about: priority of its tasks"),
        Column("level", "integer", "1", "Classes that are shed from now on, lowest first"),
        Column("time_to_clear_s", "number", "s", "Until the backlog is gone; null where it never is", nullable=True),
        Column("service_level_s", "number", "s", "What it should be at most"),
        Column("reason", "string", "", "Why, in a sentence with the numbers"),
        Column("policy", "string", "", "Rules that decided it: name, version and all parameters"),
    ),
    key=("site", "zone", "priority", "event_time"),
    event_type="takt.signal.shedding.v1",
    topic="signals",
    flow="alignment",
    subject=("site", "zone"),
)
