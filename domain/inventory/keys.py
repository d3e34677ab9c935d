"""Every key (site, SKU, location) the ledger has met, by number."""

from __future__ import annotations

import itertools

import polars as pl

from domain.inventory.arrays import Int64, UInt8
from domain.inventory.tables import KEY
from domain.streaming.frames import from_bytes, to_bytes

_SCHEMA = {**dict.fromkeys(KEY, pl.String), "dimension": pl.UInt8}


class Keys:
    """Keys and the dimension of each, numbered from 0 as they come."""

    def __init__(self) -> None:
        self.frame = pl.DataFrame(schema=_SCHEMA)
        """Columns of KEY, and dimension (number); the row is the key's number."""
        self._bounds = [0]  # of the pieces last stored
        self._stored: dict[str, bytes] = {}

    def __len__(self) -> int:
        return self.frame.height

    def find(self, keys: pl.DataFrame) -> Int64:
        """Number of each key (columns of KEY), -1 where it is not known."""
        numbered = self.frame.select(*KEY, pl.int_range(pl.len(), dtype=pl.Int64).alias("number"))
        found = keys.select(KEY).join(numbered, on=KEY, how="left", maintain_order="left")
        numbers: Int64 = found["number"].fill_null(-1).to_numpy(writable=True)
        return numbers

    def add(self, keys: pl.DataFrame) -> None:
        """Number new keys, given with their dimension, in order; none may be known, some may stand there twice."""
        new = keys.select(_SCHEMA.keys()).unique(KEY, keep="first", maintain_order=True)
        self.frame = pl.concat([self.frame, new], rechunk=True)

    def dimensions(self) -> UInt8:
        """Dimension by number of key."""
        return self.frame["dimension"].to_numpy()

    def snapshot(self) -> dict[str, bytes]:
        """Pieces of the table by name, never changed once given.

        Each piece is larger than the next, as those that are not are joined: there are few of them, and a key is
        written but a few times over.
        """
        bounds = self._bounds
        if bounds[-1] < len(self):
            bounds.append(len(self))
        while len(bounds) > 2 and bounds[-1] - bounds[-2] >= bounds[-2] - bounds[-3]:  # noqa: PLR2004 - two pieces
            del bounds[-2]
        self._stored = {
            (name := f"keys.{begin}-{end}"): self._stored.get(name) or to_bytes(self.frame[begin:end])
            for begin, end in itertools.pairwise(bounds)
        }
        return self._stored

    def restore(self, pieces: dict[str, bytes]) -> None:
        """Take up a snapshot."""
        begun = sorted((int(name.removeprefix("keys.").partition("-")[0]), data) for name, data in pieces.items())
        frames = [from_bytes(data) for _, data in begun]
        self.frame = pl.concat([pl.DataFrame(schema=_SCHEMA), *frames], rechunk=True)
        self._bounds = [begin for begin, _ in begun] + [len(self)]
        self._stored = dict(pieces)
