"""The standard job, run by Takt and by others on the same file."""
