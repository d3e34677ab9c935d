"""Random numbers that depend on what they are for, on zone and time, and on nothing else."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(purpose: str, site: str, zone: str, at_us: int) -> np.random.Generator:
    """Generator of the same numbers in every process and on every machine, whoever else is drawing.

    >>> bool(generator("capacity", "north", "pick", 0).random() == generator("capacity", "north", "pick", 0).random())
    True
    """
    digest = hashlib.sha256()
    for part in (purpose, site, zone, str(at_us)):
        data = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:%b" % (len(data), data))
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest.digest()[:16], "big")))
