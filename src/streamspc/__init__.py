"""streamspc: statistical process control for data pipelines on Apache Kafka. Read `flow` first."""
