"""Apache Kafka from Maven Central as a local broker: for tests, for demos and for trying things."""
