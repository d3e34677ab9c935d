"""Machine health: windowed statistics of sensor readings per entity and metric."""
