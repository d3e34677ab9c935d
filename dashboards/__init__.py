"""What people look at: read-only SQL over the lake, example queries, boards."""
