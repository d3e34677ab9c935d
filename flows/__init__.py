"""Bytewax wiring: settings, sources, operators, recovery, one file per deployable flow, the `takt` command."""
