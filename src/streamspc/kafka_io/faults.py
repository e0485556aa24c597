"""Errors of the Kafka library, named for what happens next. The only place that knows both.

An error of the library that is not listed is Transient when the library calls it retriable and Fatal when it does not; a
test holds the whole list against the library, so that a release with a new error is noticed. TypeError and ValueError are how
it refuses options; anything else that it lets slip is a state of its own that new clients do not have.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import kafka.errors as k

from streamspc.errors import Fatal, Fenced, StreamspcError, Transient

if TYPE_CHECKING:
    from collections.abc import Iterator

_FENCED = (  # another member or producer owns the work now
    k.CommitFailedError,
    k.FencedInstanceIdError,
    k.FencedMemberEpochError,
    k.IllegalGenerationError,
    k.InvalidProducerEpochError,
    k.InvalidProducerIdMappingError,
    k.ProducerFencedError,
    k.RebalanceInProgressError,
    k.StaleMemberEpochError,
    k.TransactionCoordinatorFencedError,
    k.UnknownMemberIdError,
)
_TRANSIENT = (  # not retriable with the same client, but new clients start again from the committed offset
    k.BrokerNotAvailableError,
    k.CorruptRecordError,  # the next fetch may bring an undamaged reply; when it does not, `records` says Fatal
    k.IllegalStateError,  # the client gave up on its own state
    k.InvalidReceiveError,
    k.InvalidTxnStateError,
    k.MemberIdRequiredError,
    k.OffsetOutOfRangeError,  # retention passed the position: whoever loads the committed offset again sees the gap
    k.LogTruncationError,
    k.OutOfOrderSequenceNumberError,
    k.DuplicateSequenceNumberError,
    k.StaleBrokerEpochError,
    k.StaleControllerEpochError,
    k.TransactionAbortableError,
    k.TransactionAbortedError,
    k.UnknownError,
    k.UnknownProducerIdError,
    k.UnknownBrokerIdError,
    k.UnstableOffsetCommitError,
    k.KafkaProtocolError,
)
_CURES: dict[type[BaseException], str] = {
    k.MessageSizeTooLargeError: "raise max.message.bytes of the topic, or send less per record",
    k.InvalidTimestampError: "let the topic take records of any time: `streamspc topics check FILE` says how",
    k.RecordListTooLargeError: "raise max.message.bytes of the topic",
    k.AuthorizationError: "give the principal the rights that the README lists",
    k.SaslAuthenticationFailedError: "check the user and password under kafka",
    k.UnsupportedCodecError: "install the codec's package",
    k.NoOffsetForPartitionError: "a group without a committed offset has to be told where to start",
    k.KafkaConfigurationError: "correct the options under kafka",
    k.InvalidReplicationFactorError: "lower kafka.replication_factor to the number of brokers",
    k.OffsetMetadataTooLargeError: "raise offset.metadata.max.bytes of the brokers",
}


def kind(error: BaseException | type[BaseException]) -> type[Transient | Fatal]:
    """The class of ours that an error of the library becomes: Transient, Fenced or Fatal."""
    cls = error if isinstance(error, type) else type(error)
    if issubclass(cls, _FENCED):
        return Fenced
    if issubclass(cls, (*_TRANSIENT, OSError)) or getattr(cls, "retriable", False):
        return Transient
    if cls is k.KafkaError:  # how the library wraps what it has no name for, such as a coordinator that is moving
        return Transient
    return Fatal if issubclass(cls, (k.KafkaError, TypeError, ValueError)) else Transient


def ours(error: BaseException, doing: str) -> StreamspcError:
    """An error of ours that says what was being done, what went wrong and, where there is one, the cure."""
    cure = next((text for cls, text in _CURES.items() if isinstance(error, cls)), "")
    text = f"{doing}: {type(error).__name__}: {error}"
    return kind(error)(f"{text}; {cure}" if cure else text)


@contextlib.contextmanager
def mapped(doing: str) -> Iterator[None]:
    """Let only errors of ours leave the block."""
    try:
        yield
    except StreamspcError:
        raise
    except Exception as error:
        raise ours(error, doing) from error
