"""Distributions and their quantiles, many at once: what demand and stock share."""
