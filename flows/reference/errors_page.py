"""The tree of errors, from the classes."""

from __future__ import annotations

from flows.reference.markdown import code, page, table
from schemas import errors
from schemas.errors import TaktError

_INTRO = """
Every error that Takt raises on purpose says what was wrong and where, and how to mend it; the command then ends with
exit code 1, and what was committed before is intact.

    error: what was wrong, with file, line, topic, offset or key
      fix: what to do

A bad message is never an error: it goes to quarantine with a [code](codes.md).
"""


def errors_page() -> str:
    """The page."""
    kinds: list[type[TaktError]] = [TaktError, *TaktError.__subclasses__()]
    rows = [(code(kind.__name__), _first_line(kind)) for kind in kinds if kind.__module__ == errors.__name__]
    return page("Errors", _INTRO, table(("error", "meaning"), rows))


def _first_line(kind: type[TaktError]) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]
