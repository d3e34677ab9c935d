"""Data quality: contract -> Great Expectations suite -> compiled Polars gate, quarantine, breaker, audit."""
