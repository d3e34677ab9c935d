"""How much more, or less, counts scatter than Poisson counts do.

Tasks that take a random time leave Poisson counts only where that time is exponential. Counts of steadier work
scatter less, those of mixed work more: in the long run by the squared coefficient of variation of the service time
(Cox 1962, Renewal Theory). An interval that takes them for Poisson covers 100 % of steady rates and 69 % of rates of
work with a coefficient of 2, where it says 95 %.

The dispersion is measured on *blocks*: stretches in which `BLOCK_TASKS` tasks per robot are expected, as windows are
too short, a robot that works through a window finishes no task or one whatever the law. Of a block of E hours with N
tasks, where the rate r was known with variance r q / e^2 from what was learned before it,

    x = (N - r E)^2 / (r E (1 + E q / e^2))

has a mean of 1 if counts are Poisson, and the dispersion if they are not. An entity's dispersion is the mean of its x,
older blocks weighing less, and of a prior worth `PRIOR_BLOCKS` blocks: the mean over blocks of all robots of its site,
which have one of 1 behind them. An x of more than three standard deviations counts as that much: where the rate itself
leaps, one block says nothing of the scatter about it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from domain.throughput.counters import Bool
from domain.throughput.rate import Evidence, Float64, Int64

BLOCK_TASKS: Final = 10.0
"""Tasks per robot expected in a block: with 5 the ends of blocks are felt in steady work, with 20 it takes long."""
PRIOR_BLOCKS: Final = 5.0
_FURTHEST: Final = 9.0
LEAST: Final = 0.05
"""Work as steady as clockwork still has ends of blocks."""
_KEPT: Final = 0.98
"""Weight that an entity's blocks keep with each further one."""
_POOLED: Final = 0.998
"""The same of the blocks of all robots of a site."""


@dataclass(frozen=True, slots=True)
class Scatter:
    """What is known of the scatter of counts, one entry per entity (last axis)."""

    block_rate: Float64
    """Rate per hour as it was known when the block under way began; 0 where none is."""
    block_doubt: Float64
    """q / e^2 at that time."""
    block_count: Float64
    """Tasks of the block so far."""
    block_hours: Float64
    squares: Float64
    """Discounted sum of x over whole blocks."""
    blocks: Float64
    """Discounted number of them."""
    site_squares: Float64
    """The same over all robots of the site; 0 but where the entity is a site."""
    site_blocks: Float64

    def learn(
        self, known: Evidence, kept: Float64, tasks: Int64, hours: Float64, robots: Int64, sites: Int64, pooled: Bool
    ) -> Scatter:
        """Scatter after a window, before which `known` is the evidence, of which it leaves the weight `kept`.

        `robots`: number of those behind each entity; `sites`: place of each one's site, -1 where it has none;
        `pooled`: which of them are robots.
        """
        alive = kept > 0
        now = self if alive.all() else self._remembered(alive)
        least: Float64 = np.multiply(BLOCK_TASKS, robots, dtype=np.float64)
        rate, doubt = _under_way(now, known, kept, hours, least)
        seen = rate > 0
        count, spent = np.where(seen, now.block_count + tasks, 0.0), np.where(seen, now.block_hours + hours, 0.0)
        expected = rate * spent
        whole = expected >= least
        if not whole.any():
            return Scatter(rate, doubt, count, spent, now.squares, now.blocks, now.site_squares, now.site_blocks)
        off, variance = count - expected, expected * (1 + spent * doubt)
        found = np.divide(off * off, variance, out=np.zeros_like(expected), where=whole)
        found = np.minimum(found, _FURTHEST * now.dispersion(sites))
        site_squares, site_blocks = now.site_squares.copy(), now.site_blocks.copy()
        _pool(site_squares, site_blocks, found, whole & pooled & (sites >= 0), sites)
        return Scatter(
            np.where(whole, 0.0, rate),
            np.where(whole, 0.0, doubt),
            np.where(whole, 0.0, count),
            np.where(whole, 0.0, spent),
            np.where(whole, _KEPT * now.squares + found, now.squares),
            np.where(whole, _KEPT * now.blocks + 1, now.blocks),
            site_squares,
            site_blocks,
        )

    def _remembered(self, alive: Bool) -> Scatter:
        """The same, in which what was not seen for too long is as if it had never been."""
        return Scatter(*(np.where(alive, getattr(self, field.name), 0.0) for field in fields(self)))

    def dispersion(self, sites: Int64) -> Float64:
        """Variance of counts over that of Poisson counts; `sites`: place of each entry's site, -1 where it has none."""
        of_site = (PRIOR_BLOCKS + self.site_squares) / (PRIOR_BLOCKS + self.site_blocks)
        prior = np.where(sites < 0, 1.0, of_site[..., sites])
        return np.maximum((PRIOR_BLOCKS * prior + self.squares) / (PRIOR_BLOCKS + self.blocks), LEAST)


def _under_way(now: Scatter, known: Evidence, kept: Float64, hours: Float64, least: Float64) -> tuple[Float64, Float64]:
    """Rate and doubt of blocks under way, those that begin included; 0 where there is none.

    None begins where there is nothing to see, or `least` tasks are not known.
    """
    idle = now.block_rate == 0
    sample = kept * known.exposure
    tasks = sample * known.count  # times q, which may be 0
    begins = idle & (hours > 0) & (tasks > 0) & (tasks >= least * known.squared)
    if not begins.any():
        return now.block_rate, now.block_doubt
    rate, doubt = now.block_rate.copy(), now.block_doubt.copy()
    np.divide(known.count, known.exposure, out=rate, where=begins)
    np.divide(known.squared, sample * known.exposure, out=doubt, where=begins)
    return rate, doubt


def _pool(squares: Float64, blocks: Float64, found: Float64, ended: Bool, sites: Int64) -> None:
    """Add blocks of robots that ended to those of their sites, in place."""
    for of, rows in enumerate(ended):
        number = np.bincount(sites[rows])
        added = np.bincount(sites[rows], found[of, rows])  # in the order of entries: always the same, to the last bit
        for site in np.flatnonzero(number).tolist():
            kept = _POOLED ** int(number[site])
            squares[of, site] = kept * squares[of, site] + added[site]
            blocks[of, site] = kept * blocks[of, site] + number[site]
