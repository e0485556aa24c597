"""The embedded default: what `make demo` and the tests need so that a machine with Python alone can run the main job.

Promise: nothing here is needed to run streamspc against a Kafka that exists. The broker is Apache Kafka itself, from two
packages, rather than a stand-in, because transactions, fencing and isolation are what this product leans on, and every
stand-in that was tried answers differently in just these.
"""
