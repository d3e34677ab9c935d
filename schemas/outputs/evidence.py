"""What is in the JSON objects of the columns named `evidence` of setpoints, counts and adjustments, key by key.

Comments of the lake, pages and JSON Schemas are made of this; a test holds it against what flows write.
"""

from __future__ import annotations

from typing import Final

from schemas.outputs.model import Key

_MILLI: Final = "per uom / 1000"


SETPOINT_EVIDENCE: Final = (
    Key("demand", "number", "{unit}/h", "Work units an hour expected to arrive when the decision takes effect"),
    Key("backlog", "number", "{unit}", "Work units that wait"),
    Key("rate", "number", "{unit}/h", "Work units that a robot does an hour while busy; 0 where nothing is known"),
    Key("availability", "number", "1", "Share of its time in which a robot can work in the long run, beside charging"),
    Key("robots", "integer", "1", "Setpoint in force"),
    Key("pending", "integers", "1", "Setpoints sent and not yet in force, oldest first, one per interval of delay"),
    Key("low", "integer", "1", "Fewest robots, by the hard limits in force"),
    Key("high", "integer", "1", "Most robots, by the hard limits in force"),
    Key("capacity_lo95", "number", "{unit}", "2.5 % quantile of what the zone can do within the shortest horizon"),
    Key("capacity_hi95", "number", "{unit}", "97.5 % quantile of it"),
    Key("wanted", "number", "1", "Robots wanted, not rounded: the sum of feed_forward, feedback and integral"),
    Key("feed_forward", "number", "1", "Robots that the demand needs"),
    Key("feedback", "number", "1", "Robots that the backlog asks for"),
    Key("integral", "number", "1", "Robots asked for because robots are seen to do less than is believed"),
    Key("held", "string", "", "Guard that kept the setpoint from what was wanted, the last that did; empty for none"),
)

_NEAR = (("before", "within ten minutes up to the count"), ("after", "within ten minutes after the count"))

COUNT_EVIDENCE: Final = (
    Key("count", "string", "", "Event id of the count, where kind is count", optional=True),
    Key("statement", "string", "", "Event id of the statement, where kind is statement", optional=True),
    Key("book_at_first_look", "integer", _MILLI, "What the book said for that moment, as known at the first look"),
    Key("in_transit", "integer", _MILLI, "On its way here at that moment"),
    *(
        key
        for side, when in _NEAR
        for key in (
            Key(f"moves_near.{side}.moves", "integer", "1", f"Moves {when}"),
            Key(f"moves_near.{side}.net", "integer", _MILLI, "Their sum"),
            Key(f"moves_near.{side}.gross", "integer", _MILLI, "The sum of their sizes"),
        )
    ),
    Key("slip.kind", "string", "", "Likeliest slip of the hand, where one explains the difference", optional=True),
    Key("slip.meant", "integer", _MILLI, "What would have been keyed without it", optional=True),
    Key("slip.probability", "number", "1", "Probability of this slip", optional=True),
)
