"""Names of models and rules that decisions carry: kind, version and all parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def named(kind: str, version: int, config: Any) -> str:
    """Kind, version and all parameters of a configuration, which is a dataclass.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Guards:
    ...     rate: float = 4.0
    ...     limits: Mapping[tuple[str, str], int] | None = None
    >>> named("held", 1, Guards())
    'held@1(rate=4,limits=none)'
    >>> named("held", 1, Guards(limits={("north", "dock"): 4}))
    'held@1(rate=4,limits=north/dock:4)'
    """
    return f"{kind}@{version}({','.join(_parameters(config))})"


def _parameters(config: Any) -> list[str]:
    told: list[str] = []
    for part in fields(config):
        value = getattr(config, part.name)
        told += _parameters(value) if is_dataclass(value) else [f"{part.name}={_told(value)}"]
    return told


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{_text(key)}:{_text(one)}" for key, one in sorted(value.items())) or "none"
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return "/".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value).lower()
