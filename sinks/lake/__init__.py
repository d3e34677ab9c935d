"""The lake: DuckLake tables, views and comments, and the writer that commits one epoch at a time."""
