"""Kafka: the port, its clients and the topics. Nothing outside this package imports a Kafka library."""
