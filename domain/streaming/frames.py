"""Frames as bytes: stored state is versioned primitives and Arrow IPC, never pickled classes."""

from __future__ import annotations

import io

import polars as pl


def to_bytes(frame: pl.DataFrame) -> bytes:
    """Arrow IPC bytes of a frame. For storage, not for comparison: bytes under nulls are undefined."""
    buffer = io.BytesIO()
    frame.rechunk().write_ipc(buffer)
    return buffer.getvalue()


def from_bytes(data: bytes) -> pl.DataFrame:
    """Frame from `to_bytes`."""
    return pl.read_ipc(io.BytesIO(data))
