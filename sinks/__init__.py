"""Where results go: the DuckLake lake and Kafka, each one transaction per epoch."""
