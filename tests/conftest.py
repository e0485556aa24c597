"""What all tests share: one embedded Apache Kafka for the session, started when the first test asks for it."""

from __future__ import annotations

import warnings

import pytest

with warnings.catch_warnings():
    # kafka-python reads its schemas by a call that Python 3.11 deprecates and 3.13 takes back; ours are errors all the same.
    warnings.filterwarnings("ignore", "(open|read)_text is deprecated", DeprecationWarning)
    from streamspc.demo.broker import VERSION, Broker


def pytest_report_header() -> str:
    return f"broker: Apache Kafka {VERSION} (embedded)"


@pytest.fixture(scope="session")
def broker():
    """A running broker; topics of tests must have names of their own."""
    with Broker() as running:
        yield running
