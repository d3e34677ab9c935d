"""What differs between two versions of a contract, change by change, and which direction each one breaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from schemas.compatibility import check_compatibility
from schemas.contract import Contract, Field, Rule

_PARTS = ("fields", "rules", "version")
"""Fields and rules are compared one by one, and another version is no change of the contract's content."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field, rule or property that differs; `backward` and `forward` say what it breaks, empty where nothing."""

    subject: str
    what: str
    backward: tuple[str, ...]
    forward: tuple[str, ...]


def changes(old: Contract, new: Contract) -> tuple[Change, ...]:
    """All changes from `old` to `new`: properties of the event first, then fields, then rules."""
    found = check_compatibility(old, new)

    def change(subject: str, what: str) -> Change:
        backward = tuple(reason.text for reason in found.backward if reason.subject == subject)
        forward = tuple(reason.text for reason in found.forward if reason.subject == subject)
        return Change(subject, what, backward, forward)

    return tuple(change(subject, what) for subject, what in _differences(old, new))


def _differences(old: Contract, new: Contract) -> Iterator[tuple[str, str]]:
    for name in (f.name for f in fields(Contract) if f.name not in _PARTS):
        if getattr(old, name) != getattr(new, name):
            yield name, f"{_shown(getattr(old, name))} -> {_shown(getattr(new, name))}"
    yield from _items({f.name: f for f in old.fields}, {f.name: f for f in new.fields})
    yield from _items({f"rule {r.code}": r for r in old.rules}, {f"rule {r.code}": r for r in new.rules})


def _items(old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name in {**old, **new}:
        if name not in old:
            yield name, f"added{_kind(new[name])}"
        elif name not in new:
            yield name, f"removed{_kind(old[name])}"
        elif old[name] != new[name]:
            yield name, "; ".join(_attributes(old[name], new[name]))


def _kind(item: Field | Rule) -> str:
    if isinstance(item, Rule):
        return f", {item.severity}"
    return f", {'required' if item.required else 'optional'} {item.type}"


def _attributes(old: Field | Rule, new: Field | Rule) -> Iterator[str]:
    for name in (f.name for f in fields(old)):
        if getattr(old, name) != getattr(new, name):
            yield f"{name} {_shown(getattr(old, name))} -> {_shown(getattr(new, name))}"


def _shown(value: object) -> str:
    if value is None or value in ("", ()):
        return "none"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
