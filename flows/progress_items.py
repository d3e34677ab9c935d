"""How far a partition, or a step that others join, has come: what is handed to steps that merge."""

from __future__ import annotations

import msgspec
import polars as pl

from domain.streaming.windows import Closed


class Idle(msgspec.Struct, frozen=True):
    """The partition has been silent for a while and should hold nobody back; `present` is as in `Ended`."""

    present: pl.DataFrame


class Ended(msgspec.Struct, frozen=True):
    """The source has ended; `present` are the partition's results of all windows that are not final, as they stand."""

    present: pl.DataFrame


Progress = Closed | Idle | Ended
