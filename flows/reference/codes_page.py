"""Every code that a row can carry: why it was refused, and what kind of signal it is."""

from __future__ import annotations

import re

import schemas.decode
from flows.reference.markdown import code, page, table
from quality import suite
from quality.gate import FUTURE

_INTRO = """
Codes are stable: they may be stored, counted and alerted on. A row of `quarantine` has them in `reasons`, in the order
of the suite; `takt quarantine list` counts them.
"""

_IDENTITY = "identity.conflict"

_SIGNALS = {
    "breaker_open": "A rule's failure ratio leapt; reading of the partition pauses. Critical",
    "breaker_closed": "The ratio is back below the limit; reading goes on. Info",
    "partition_returned": "A partition that was silent, or a stream that had ended, was passed over and has rows of a "
    "window that is final where partitions are merged; what it publishes itself is complete. Warning",
    "robot_in_two_partitions": "A robot reports to several partitions of a topic: work is missing or doubled. Critical",
    "audit_mismatch": "Great Expectations and the gate disagree on the same rows: one of them is wrong. Critical",
    "audit_failed": "An expectation that only Great Expectations checks failed on a sample. The rule's own severity",
}


def codes_page() -> str:
    """The page."""
    return page(
        "Codes",
        _INTRO,
        "## Messages that cannot be decoded",
        "Such a message has exactly one code, and `detail` holds the decoder's own words with the place.",
        _codes(_documented(schemas.decode.__doc__)),
        "## Messages that fail a critical rule of their contract",
        "`<field>` is the field's name. Rules that a contract adds itself have the code it gives them, see "
        "[contracts](contracts.md).",
        _codes(_documented(suite.__doc__)),
        "## Messages that the gate or the windows refuse",
        _codes(
            {
                FUTURE: "event time further ahead of the message's arrival than the contract tolerates",
                _IDENTITY: "the identity was seen before, within `time.dedupe_s`, with another value in some field; "
                "kind `conflict`",
            }
        ),
        "## Kinds of signals",
        "Column `kind` of the output `signal`.",
        _codes(_SIGNALS),
    )


def _documented(docstring: str | None) -> dict[str, str]:
    """Codes and meanings from the list in a module's docstring."""
    return dict(re.findall(r"^ {4}((?:decode|<field>)\.\w+) +(.+)$", docstring or "", re.MULTILINE))


def _codes(codes: dict[str, str]) -> str:
    return table(("code", "meaning"), [(code(name), meaning) for name, meaning in codes.items()])
