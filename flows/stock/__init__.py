"""Demand and stock: streams that meet in event time, and what is made of them."""
