r"""The regular expressions that Python (Great Expectations) and Rust (the compiled gate) read alike.

The subset: literals, `.`, explicit classes, groups, alternation, greedy quantifiers, `^` and the very end. Left
out, because the engines differ: `\w`, `\d`, `\s`, `\b` (other Unicode tables), flags, look-around, back-references,
lazy and possessive quantifiers, set operations in classes. `$` is the very end in ECMA-262 and so in a contract,
but stands before a last newline too in Python; `\Z` is Python's very end and `\z` Rust's.
"""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(
    r"""
    (?P<escape>\\[\\.^$|?*+()\[\]{}/\-nrt])
  | (?P<class>\[\^?(?:[^\\\[\]]|\\[\\^\]\[\-nrt])+\])
  | (?P<group>\((?:\?:)?)
  | (?P<close>\))
  | (?P<quantifier>[*+?]|\{[0-9]{1,4}(?:,(?:[0-9]{1,4})?)?\})
  | (?P<end>\\Z)
  | (?P<dollar>\$)
  | (?P<plain>[^\\\[\](){}*+?$])
    """,
    re.VERBOSE | re.DOTALL,
)
_SET_OPERATIONS: Final = ("&&", "--", "~~", "||")
_REPEATABLE: Final = ("escape", "class", "close", "plain")


def to_python(pattern: str) -> str:
    r"""Python form of a contract's pattern, in which `$` is the very end.

    >>> to_python(r"^[$]a\$$")
    '^[$]a\\$\\Z'
    """
    parts = []
    at = 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        text = token.group() if token else pattern[at]
        parts.append(r"\Z" if text == "$" else text)
        at += len(text)
    return "".join(parts)


def to_rust(pattern: str) -> str | None:
    r"""Rust form of a Python pattern that finds exactly the same texts, or None outside of the subset.

    >>> to_rust(r"^[a-z]+(?:-[0-9]{2})?\Z")
    '^[a-z]+(?:-[0-9]{2})?\\z'
    >>> to_rust(r"\d+") is None
    True
    """
    parts = []
    at, before = 0, ""
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None:
            return None
        kind, text = str(token.lastgroup), token.group()
        if kind == "quantifier" and (before not in _REPEATABLE or pattern[at - 1] in "^|"):
            return None
        if kind == "class" and any(operation in text for operation in _SET_OPERATIONS):
            return None
        if kind == "dollar":
            if token.end() != len(pattern):
                return None
            text = r"\n?\z"
        parts.append(r"\z" if kind == "end" else text)
        at, before = token.end(), kind
    return "".join(parts)
