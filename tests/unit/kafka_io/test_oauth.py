import os
from pathlib import Path
from unittest.mock import patch

import pytest
from kafka.net.sasl.oauth import SaslMechanismOAuth

from streamspc.kafka_io import KafkaPython
from streamspc.kafka_io.oauth import TokenFile
from streamspc.model import KafkaLocal


def test_the_file_becomes_a_provider_of_the_library():
    """The option is ours and does not reach the library; its mechanism takes the provider and sends the token."""
    client = KafkaPython(KafkaLocal({"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_file": "token"}))

    assert client._common.keys() == {"sasl_mechanism", "sasl_oauth_token_provider"}
    SaslMechanismOAuth(**client._common)


def test_the_token_is_sent_without_space_around_it(tmp_path):
    """Editors and templates leave a line's end behind."""
    path = tmp_path / "token"
    path.write_text(" header.body.sign\n")

    assert SaslMechanismOAuth(sasl_oauth_token_provider=TokenFile(str(path))).auth_bytes() == b"n,,\x01auth=Bearer header.body.sign\x01\x01"


def test_a_renewed_token_is_read_and_an_old_one_is_not_read_again(tmp_path):
    """Only a change of the file costs a read."""
    path = tmp_path / "token"
    path.write_text("old")
    provider = TokenFile(str(path))
    with patch.object(Path, "read_text", autospec=True, side_effect=Path.read_text) as read:
        first = [provider.token() for _ in range(5)]
        (tmp_path / "next").write_text("new")
        (tmp_path / "next").replace(path)
        second = [provider.token() for _ in range(5)]

    assert [first, second] == [["old"] * 5, ["new"] * 5]
    assert read.call_count == 2


def test_the_last_token_is_good_while_the_file_is_replaced(tmp_path):
    """A file that is away or empty for a moment does not end the connection."""
    path = tmp_path / "token"
    path.write_text("token")
    provider = TokenFile(str(path))
    seen = [provider.token()]
    path.write_text("")
    seen.append(provider.token())
    path.unlink()
    seen.append(provider.token())

    assert seen == ["token"] * 3


def test_without_any_token_the_error_names_the_file(tmp_path):
    """Missing, empty, or something that a read could wait for."""
    path = tmp_path / "token"
    with pytest.raises(OSError, match="token"):
        TokenFile(str(path)).token()
    path.write_text("\n")
    with pytest.raises(OSError, match="token"):
        TokenFile(str(path)).token()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="pipe"):
        TokenFile(str(tmp_path / "pipe")).token()
