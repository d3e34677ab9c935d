"""Compatibility of contract versions, each reason once in both directions, and shown on real messages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schemas.compatibility import check_compatibility
from schemas.contract import Contract, Field, Rule
from schemas.decode import Decoder
from schemas.messages import Messages
from tests.schemas.messages import CONTRACT, GOOD


def changed(name: str, **changes: Any) -> Contract:
    fields = tuple(replace(f, **changes) if f.name == name else f for f in CONTRACT.fields)
    return replace(CONTRACT, version="2", fields=fields)


def without(name: str) -> Contract:
    return replace(CONTRACT, version="2", fields=tuple(f for f in CONTRACT.fields if f.name != name))


def plus(field: Field) -> Contract:
    return replace(CONTRACT, version="2", fields=(*CONTRACT.fields, field))


RULE = Rule("r", "critical", "expect_column_values_to_be_between", {"column": "n", "min_value": 0})
CASES = [
    (replace(CONTRACT, version="2"), "full"),
    (replace(CONTRACT, name="other"), "none"),
    (plus(Field("new", "string", required=False, nullable=True)), "backward"),
    (plus(Field("new", "string")), "none"),
    (without("note"), "forward"),
    (without("n"), "none"),
    (changed("n", required=False, default=0), "backward"),
    (changed("count", required=True, default=None), "forward"),
    (changed("note", nullable=False), "forward"),
    (changed("count", default=8), "none"),
    (changed("n", type="number"), "none"),
    (changed("x", type="integer"), "none"),
    (changed("n", type="string"), "none"),
    (changed("n", unit="s"), "none"),
    (changed("n", minimum=0), "forward"),
    (changed("n", maximum=9), "forward"),
    (changed("id", values=("a", "b")), "forward"),
    (changed("id", min_length=1), "forward"),
    (changed("id", max_length=64), "forward"),
    (changed("id", pattern="^a$"), "forward"),
    (replace(CONTRACT, version="2", idempotency_key=("id", "at")), "none"),
    (replace(CONTRACT, version="2", event_time_field="until"), "none"),
    (replace(CONTRACT, version="2", future_tolerance_s=60), "forward"),
    (replace(CONTRACT, version="2", rules=(RULE,)), "forward"),
    (replace(CONTRACT, version="2", rules=(replace(RULE, severity="warning"),)), "full"),
]


@pytest.mark.parametrize(("new", "level"), CASES)
def test_each_change_has_its_level(new: Contract, level: str) -> None:
    """A change breaks the directions it breaks and no other, and swapping the versions swaps them."""
    found = check_compatibility(CONTRACT, new)
    assert found.level == level, found
    opposite = {"backward": "forward", "forward": "backward"}.get(level, level)
    assert check_compatibility(new, CONTRACT).level == opposite


@pytest.mark.parametrize(
    ("old", "new", "level"),
    [
        ({"minimum": 0}, {"exclusive_minimum": 0}, "forward"),
        ({"exclusive_maximum": 9}, {"maximum": 9}, "backward"),
        ({"minimum": 0}, {"minimum": 1, "maximum": 5}, "forward"),
        ({"minimum": 0, "maximum": 9}, {"minimum": 1, "maximum": 10}, "none"),
    ],
)
def test_bounds_compare_with_their_edges(old: dict[str, Any], new: dict[str, Any], level: str) -> None:
    """An excluded edge is tighter than the same edge included."""
    before, after = changed("n", **old), replace(changed("n", **new), version="3")
    assert check_compatibility(before, after).level == level


def test_small_integers_may_become_numbers() -> None:
    """A number field reads integers within 2^53 exactly, so that direction is compatible."""
    old, new = changed("n", minimum=0, maximum=9), changed("n", type="number", minimum=0, maximum=9)
    assert check_compatibility(old, new).level == "backward"


def test_reasons_name_the_field() -> None:
    """A reason is a sentence that starts with the field."""
    reasons = check_compatibility(CONTRACT, changed("n", unit="s")).backward
    assert [*map(str, reasons)] == ["n: unit '' is written, 's' is read"]


READABLE = [(CONTRACT, new) for new, level in CASES if level in ("full", "backward")]
READABLE += [(new, CONTRACT) for new, level in CASES if level == "forward" and not new.rules]


@pytest.mark.parametrize(("written", "read"), READABLE)
def test_what_is_called_compatible_decodes(written: Contract, read: Contract) -> None:
    """A full and a bare message of the version written decode under the version read."""
    full = [field.name for field in written.fields if field.name in GOOD]
    bare = [field.name for field in written.fields if field.required]
    for names in (full, bare):
        message = b"{" + b",".join(b'"%s":%s' % (name.encode(), GOOD[name]) for name in names) + b"}"
        assert not Decoder(read).decode(Messages.of([message])).rejects
