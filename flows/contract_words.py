"""Types and limits of a contract's fields in words, for the reference and for `takt contracts show`."""

from __future__ import annotations

import json
from collections.abc import Callable

from schemas.contract import Field


def type_of(field: Field) -> str:
    """Type, whether the key may be absent or null, and its default."""
    words = [{"strings": "list of strings"}.get(field.type, field.type)]
    if not field.required:
        words.append("optional" + (f", default {json.dumps(field.default)}" if field.default is not None else ""))
    if field.nullable:
        words.append("may be null")
    return ", ".join(words)


def bounds_of(field: Field, quoted: Callable[[str], str] = str) -> str:
    """Bounds, lengths, pattern and allowed values; the last two as `quoted` writes them."""
    limits = {
        ">=": field.minimum,
        ">": field.exclusive_minimum,
        "<=": field.maximum,
        "<": field.exclusive_maximum,
    }
    words = [f"{sign} {value:g}" for sign, value in limits.items() if value is not None]
    if field.min_length is not None or field.max_length is not None:
        words.append(f"{field.min_length or 0} to {field.max_length or 'any number of'} characters")
    if field.pattern is not None:
        words.append(quoted(field.pattern))
    return ", ".join([*words, *map(quoted, field.values)])
