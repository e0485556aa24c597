"""What each part takes and refuses, beyond what the faulty files show."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from streamspc.settings.kafka import Kafka
from streamspc.settings.metrics import Metric, Shift
from streamspc.settings.receivers import Receiver
from streamspc.settings.streams import FalseAlarms, Stream

SASL = {"bootstrap_servers": "a:1,[::1]:2", "security_protocol": "SASL_SSL"}
KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def places(kind: Any, value: object) -> set[str]:
    """Keys at which a value is refused."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    return {".".join(map(str, error["loc"])) for error in caught.value.errors()}


@pytest.mark.parametrize(
    "credentials",
    [
        {"sasl_mechanism": "PLAIN", "sasl_username": "me", "sasl_password": "x"},
        {"sasl_mechanism": "SCRAM-SHA-256", "sasl_username": "me", "sasl_password": "x"},
        {"sasl_mechanism": "SCRAM-SHA-512", "sasl_username": "me", "sasl_password_file": __file__},
        {"sasl_mechanism": "OAUTHBEARER", "sasl_token_file": "token"},
    ],
)
def test_each_mechanism_has_its_credentials(credentials):
    """Whole sets are taken, and each of their keys is needed."""
    Kafka.model_validate(SASL | credentials)

    for key in credentials:
        assert places(Kafka, SASL | {name: value for name, value in credentials.items() if name != key})


@pytest.mark.parametrize(
    ("keys", "refused"),
    [
        ({}, {"sasl_mechanism"}),
        ({"security_protocol": "SSL", "sasl_username": "me"}, {"sasl_username"}),
        ({"security_protocol": "PLAINTEXT", "ssl_certfile": "c"}, {"ssl_certfile"}),
        ({"sasl_mechanism": "PLAIN", "sasl_username": "me", "sasl_password": "x", "sasl_password_file": __file__}, {"sasl_password"}),
        ({"sasl_mechanism": "PLAIN", "sasl_username": "me", "sasl_password": "x", "sasl_token_file": "t"}, {"sasl_token_file"}),
        ({"security_protocol": "SSL", "ssl_password": "x", "ssl_password_file": __file__}, {"ssl_password_file"}),
        ({"security_protocol": "SSL", "bootstrap_servers": "a b:1"}, {"bootstrap_servers"}),
        ({"security_protocol": "SSL", "session_timeout": "999ms"}, {"session_timeout"}),
    ],
)
def test_keys_of_kafka_that_do_not_fit_are_refused_at_their_place(keys, refused):
    """What a protocol has no use for, what it lacks, and what would be ambiguous."""
    assert places(Kafka, SASL | keys) == refused


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (3, Shift(3.0, "")),
        (0.5, Shift(0.5, "")),
        ("10 pp", Shift(10.0, "pp")),
        ("5 %", Shift(5.0, "%")),
        ("5%", Shift(5.0, "%")),
        ("0.5 sigma", Shift(0.5, "sigma")),
    ],
)
def test_the_smallest_shift_that_matters_has_four_forms(written, expected):
    """A number, percentage points, per cent of the centre, sigma."""
    metric = TypeAdapter(Metric).validate_python(
        {"name": "m", "kind": "null_rate", "field": "x", "min_effect": written}
        if expected.amount < 1 or expected.unit
        else {"name": "m", "kind": "count", "min_effect": written}
    )

    assert metric.min_effect == expected


@pytest.mark.parametrize("written", [0, -1, True, "10", "10 ppm", "-5 %", "sigma", "1e3 pp", float("inf"), float("nan"), "0 pp", [1]])
def test_a_shift_of_nothing_or_in_no_unit_is_refused(written):
    """A wrong unit must not pass for a number."""
    assert places(Metric, {"name": "m", "kind": "count", "min_effect": written}) == {"count.min_effect"}


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("count", ()),
        ("lag", ()),
        ("sum", ("field",)),
        ("mean", ("field",)),
        ("sd", ("field",)),
        ("min", ("field",)),
        ("max", ("field",)),
        ("null_rate", ("field",)),
        ("quantile", ("field", "q")),
        ("proportion", ("where",)),
    ],
)
def test_each_kind_of_metric_needs_its_keys_and_knows_no_others(kind, keys):
    """`field`, `q`, `of` and `where` belong to kinds."""
    values = {"field": "a.b", "q": 0.9, "where": "x > 1", "of": "y > 1"}
    metric = {"name": "m", "kind": kind, **{key: values[key] for key in keys}}
    allowed = {*keys, "where", *(("of",) if kind == "proportion" else ())}

    TypeAdapter(Metric).validate_python(metric)
    for key in keys:
        assert places(Metric, {name: value for name, value in metric.items() if name != key}) == {f"{kind}.{key}"}
    for key in values.keys() - allowed:
        assert places(Metric, metric | {key: values[key]}) == {f"{kind}.{key}"}


@pytest.mark.parametrize("q", [0, 1, 1.5, -0.1, "0.9", True])
def test_a_quantile_lies_between_0_and_1(q):
    """And is a number."""
    assert places(Metric, {"name": "m", "kind": "quantile", "field": "x", "q": q}) == {"quantile.q"}


def test_a_webhook_may_be_signed():
    """The key of the signature is whsec_ and 24 to 64 bytes in base64."""
    webhook = {"url": "https://example.org/x?y=1"}
    Receiver.model_validate({"name": "hook", "webhook": webhook | {"secret": KEY}})

    for secret in ("whsec_", KEY.removeprefix("whsec_"), "whsec_" + base64.b64encode(b"short").decode(), KEY + "*"):
        assert places(Receiver, {"name": "hook", "webhook": webhook | {"secret": secret}}) == {"webhook.secret"}


@pytest.mark.parametrize(
    "url", ["example.org", "https://", "file:///etc/passwd", "https://example.org:99999", "https://[x", "https://a b", "https://:80"]
)
def test_an_address_can_be_posted_to(url):
    """By http or https, with a host."""
    assert places(Receiver, {"name": "hook", "webhook": {"url": url}}) == {"webhook.url"}


@pytest.mark.parametrize("zone", ["", "Mars", "../etc/passwd", "/etc/localtime", "America", "america/new_york\0"])
def test_a_zone_has_to_be_known(zone):
    """Neither paths nor folders of the zone files are zones."""
    stream = {"name": "s", "topic": "t", "metrics": [{"name": "m", "kind": "count"}], "timezone": zone}

    assert places(Stream, stream) == {"timezone"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [({"rate": 1, "per": "30d"}, "1 per 30d"), ({"per": "1w", "alarms": 0.5}, "0.5 per 1w"), (3, "3 per 30d"), ({"a": "b"}, "1 per 30d")],
)
def test_false_alarms_in_another_form_are_told_the_right_one(written, meant):
    """With the numbers that were written, where they can be made out."""
    with pytest.raises(ValidationError, match=f"write: {meant}"):
        TypeAdapter(FalseAlarms).validate_python(written)
