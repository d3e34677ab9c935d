"""Event time, deduplication and windows over columnar micro-batches, independent of where batches are cut."""
