import inspect
import logging

import kafka.coordinator.assignors.range as assignor
import kafka.coordinator.consumer as coordinator
import pytest
from kafka.errors import Cancelled, GroupAuthorizationFailedError, UnstableOffsetCommitError
from kafka.net import selector
from kafka.producer import sender, transaction_manager

from streamspc.kafka_io.quiet import EVERYDAY, quiet


@pytest.fixture
def levels(caplog):
    """The levels of what the library's loggers let through after `quiet`, called twice as by two clients."""
    quiet()
    quiet()
    return lambda: [record.levelname for record in caplog.records]


def _say(unstable):
    coordinator.log.error("Unknown error fetching offsets for %s: %s", "topic-0", unstable)
    assignor.log.warning("No partition metadata for topic %s", "topic")
    selector.log.warning("Task %r ran for %.3fs", "fetch", 0.2)
    transaction_manager.log.error(f"Fatal Error handling request EndTxnRequest: {Cancelled()}")
    sender.log.error("%s: Aborting producer batches due to fatal error: %s", "sender", Cancelled())


def test_what_is_everyday_is_not_logged(levels, caplog):
    """An open transaction that holds offsets, a leader that does not know its topics yet, and errors that their caller gets are no news."""
    caplog.set_level(logging.INFO, "kafka")
    _say(UnstableOffsetCommitError())

    assert levels() == []


def test_what_is_everyday_is_debug(levels, caplog):
    """Whoever asks for it sees it at its level."""
    caplog.set_level(logging.DEBUG, "kafka")
    _say(UnstableOffsetCommitError())

    assert levels() == ["DEBUG"] * 5


def test_what_is_not_everyday_stays_an_error(levels, caplog):
    """The same words about another error, and other words of the same logger."""
    caplog.set_level(logging.INFO, "kafka")
    coordinator.log.error("Unknown error fetching offsets: %s", GroupAuthorizationFailedError())
    coordinator.log.error("Not authorized to commit offsets for group %s", "group")

    assert levels() == ["ERROR", "ERROR"]


def test_the_library_still_says_it_so():
    """The words are matched: a release with other words is noticed here."""
    for module in (coordinator, assignor, selector, transaction_manager, sender):
        assert EVERYDAY[module.log.name] in inspect.getsource(module)
