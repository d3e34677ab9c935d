"""Kafka output: one transaction per epoch, every delivery report checked."""
