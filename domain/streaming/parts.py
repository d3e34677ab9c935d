"""State in pieces: what never changes again need not be written with every snapshot.

A snapshot is made of primitives, bytes, lists and dicts, and of `Part`s among them. Whoever stores it may keep each
part once, by its content, and put only its name into the snapshot.
"""

from __future__ import annotations

from collections.abc import Callable


class Part:
    """Bytes that never change; the same object in each snapshot that they belong to.

    >>> part = Part(b"rows")
    >>> part.stored_as("7f", lambda: b"rows from the store")
    >>> part.name, part.read()
    ('7f', b'rows from the store')
    """

    __slots__ = ("_data", "_load", "name", "size")

    def __init__(self, data: bytes) -> None:
        self._data: bytes | None = data
        self._load: Callable[[], bytes] | None = None
        self.size = len(data)
        """Bytes."""
        self.name: str | None = None
        """Where it is stored, once it is."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Part) and self.read() == other.read()

    def __hash__(self) -> int:
        return hash(self.read())

    def read(self) -> bytes:
        """The bytes, from the store if they are there alone."""
        if self._data is not None:
            return self._data
        if self._load is None:
            raise AssertionError("a part is held, or stored")
        return self._load()

    def stored_as(self, name: str, load: Callable[[], bytes]) -> None:
        """It is stored: from now on it is read from there, and no longer held."""
        self.name, self._load, self._data = name, load, None
