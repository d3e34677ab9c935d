"""Forecasters of one series of demand, each River-compatible, small and always finite: one method per file."""
