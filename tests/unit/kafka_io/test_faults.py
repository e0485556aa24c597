import inspect
from typing import Any

import kafka.errors
import pytest

from streamspc.errors import BadRecord, Fatal, Fenced, Reason, Transient
from streamspc.kafka_io.faults import kind, mapped

_CLASSES: set[Any] = {cls for cls in vars(kafka.errors).values() if inspect.isclass(cls) and issubclass(cls, kafka.errors.KafkaError)}
_FENCED = """
    CommitFailedError FencedInstanceIdError FencedMemberEpochError IllegalGenerationError InvalidProducerEpochError
    InvalidProducerIdMappingError ProducerFencedError RebalanceInProgressError StaleMemberEpochError
    TransactionCoordinatorFencedError UnknownMemberIdError
"""
_FATAL = """
    AuthorizationError BrokerIdNotRegisteredError BrokerResponseError ClusterAuthorizationFailedError
    DelegationTokenAuthDisabledError DelegationTokenAuthorizationFailedError DelegationTokenExpiredError
    DelegationTokenNotFoundError DelegationTokenOwnerMismatchError DelegationTokenRequestNotAllowedError
    DuplicateBrokerRegistrationError DuplicateResourceError DuplicateVoterError FeatureUpdateFailedError
    FencedStateEpochError GroupAuthorizationFailedError GroupIdNotFoundError GroupMaxSizeReachedError
    GroupSubscribedToTopicError IllegalArgumentError IllegalSaslStateError IncompatibleBrokerVersion
    InconsistentClusterIdError InconsistentGroupProtocolError InconsistentVoterSetError IneligibleReplicaError
    InvalidCommitOffsetSizeError InvalidConfigurationError InvalidFetchRequestError InvalidGroupIdError
    InvalidPartitionsError InvalidPrincipalTypeError InvalidRecordError InvalidRecordStateError InvalidRegistrationError
    InvalidReplicationAssignmentError InvalidReplicationFactorError InvalidRequestError InvalidRequiredAcksError
    InvalidSessionTimeoutError InvalidTimestampError InvalidTopicError InvalidTransactionTimeoutError
    InvalidUpdateVersionError InvalidVoterKeyError KafkaConfigurationError
    LogDirNotFoundError MessageSizeTooLargeError MismatchedEndpointTypeError NewLeaderElectedError NoError
    NoOffsetForPartitionError NoReassignmentInProgressError NonEmptyGroupError OffsetMetadataTooLargeError
    OffsetMovedToTieredStorageError OperationNotAttemptedError PolicyViolationError PositionOutOfRangeError
    PrincipalDeserializationFailureError QuotaViolationError ReassignmentInProgressError RecordListTooLargeError
    ResourceNotFoundError SaslAuthenticationFailedError SecurityDisabledError SnapshotNotFoundError
    TelemetryTooLargeError TopicAlreadyExistsError TopicAuthorizationFailedError TopicDeletionDisabledError
    TransactionalIdAuthorizationFailedError TransactionalIdNotFoundError UnacceptableCredentialError
    UnknownControllerIdError UnknownSubscriptionIdError UnrecognizedBrokerVersion UnreleasedInstanceIdError
    UnsupportedAssignorError UnsupportedCodecError UnsupportedCompressionTypeError UnsupportedEndpointTypeError
    UnsupportedForMessageFormatError UnsupportedSaslMechanismError UnsupportedVersionError VoterNotFoundError
"""


def _names(cls):
    return {each.__name__ for each in _CLASSES if kind(each) is cls}


def test_every_error_of_the_library_is_named_for_what_happens_next():
    """The lists are the decision: an error that a new release brings shows up in one of them."""
    assert _names(Fenced) == set(_FENCED.split())
    assert _names(Fatal) == set(_FATAL.split())
    assert {each.__name__ for each in _CLASSES} == _names(Fenced) | _names(Fatal) | _names(Transient)


@pytest.mark.parametrize(
    ("error", "expected"), [(OSError("no route"), Transient), (RuntimeError("?"), Transient), (ValueError("option"), Fatal)]
)
def test_other_errors_do_not_leave_either(error, expected):
    """The network is transient, a refused option is not."""
    with pytest.raises(expected, match="look: "), mapped("look"):
        raise error


def test_errors_of_ours_pass_unchanged():
    """What is already named keeps its name."""
    ours = BadRecord(Reason.TOO_LARGE)
    with pytest.raises(BadRecord) as caught, mapped("look"):
        raise ours

    assert caught.value is ours


def test_an_error_says_its_cure():
    """The message names what was done, what went wrong, and what to do."""
    with pytest.raises(Fatal, match=r"send: MessageSizeTooLargeError: .*; raise max.message.bytes"), mapped("send"):
        raise kafka.errors.MessageSizeTooLargeError("9 bytes")
