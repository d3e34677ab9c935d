"""What crosses a boundary: contracts, event and signal types, units, identities, errors.

Everything else may import this package; it imports nothing of Takt.
"""
