"""Sources: each emits whole raw batches with their origin, from Kafka or from plain files."""
