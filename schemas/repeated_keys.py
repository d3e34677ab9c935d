"""Find messages in which a key occurs twice: parsers disagree on which value counts, so neither does.

msgspec takes the last value in silence. In a flat object each key brings one colon, and any other colon stands
inside a string. So a message has at least (keys decoded + colons in decoded strings) colons, where no colon is
written as an escape. If all messages of a batch together have no more than these, no key is repeated: one count
over the joined bytes proves it. Only what this cannot prove is looked at message by message, exactly.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np

# Outside of strings valid JSON has no quote, so tokens stay aligned from the first one on.
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"([ \t\n\r]*:)?', re.DOTALL)
_ESCAPED_COLON: Final = rb"\u003"
_COLON: Final = ord(":")


def colons(data: bytes) -> int:
    """Number of colons in `data`."""
    return int(np.count_nonzero(np.frombuffer(data, dtype=np.uint8) == _COLON))


def may_escape_colons(data: bytes) -> bool:
    r"""Whether a colon in `data` may be written as an escape (`\u003a`), so that counting proves nothing."""
    return _ESCAPED_COLON in data


def count_keys(message: bytes) -> int:
    r"""Number of keys in a message that is a valid flat JSON object, repeated ones counted each time.

    >>> count_keys(b'{"a": ":\\":", "b": [":"], "a" : 1}')
    3
    """
    return sum(map(bool, _STRING.findall(message)))
