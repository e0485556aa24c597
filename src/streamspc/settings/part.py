"""What all parts of the configuration have in common: strictness, checks across keys, and the scalars people write.

Numbers and switches are strict (`"4"` is not 4), except that text from an environment variable may stand for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from streamspc.model import Secret
from streamspc.settings.dialect import scalar
from streamspc.settings.document import Substituted

SECOND = 1_000_000
_UNITS = {"us": 1, "ms": 1_000, "s": SECOND, "m": 60 * SECOND, "h": 3_600 * SECOND, "d": 86_400 * SECOND, "w": 604_800 * SECOND}
_LONGEST = 3_660 * _UNITS["d"]
_DURATION = r"[0-9]+(us|ms|s|m|h|d|w)"
_MAX_SECRET = 65_536


def fault(text: str) -> PydanticCustomError:
    """An error whose message is ours. Its text never holds a secret."""
    return PydanticCustomError("fault", "{text}", {"text": text})


class Part(BaseModel):
    """A part of the configuration: frozen, unknown keys refused, checked as a whole by `faults`."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        validate_default=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    def faults(self) -> Iterator[tuple[str, str]]:
        """What is wrong between keys, as (key, text). Called when each key alone is right."""
        return iter(())

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Report all faults, each at its key."""
        found = [InitErrorDetails(type=fault(text), loc=(key,), input=None) for key, text in self.faults()]
        if found:
            raise ValidationError.from_exception_data(type(self).__name__, found)
        return self

    def written(self, *keys: str) -> list[str]:
        """Those of the keys that the user wrote, and not as null."""
        return [key for key in keys if key in self.model_fields_set and getattr(self, key) is not None]


def _plain(value: object) -> object:
    """Text from the environment as the scalar that it spells."""
    return scalar(value) if isinstance(value, Substituted) else value


Integer = Annotated[int, Field(strict=True), BeforeValidator(_plain)]
Number = Annotated[float, Field(strict=True), BeforeValidator(_plain)]
Switch = Annotated[bool, Field(strict=True), BeforeValidator(_plain)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Topic = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,248}$")]
FieldPath = Annotated[str, StringConstraints(pattern=r"^[^.\s]+(\.[^.\s]+)*$")]
Text = Annotated[str, StringConstraints(min_length=1)]


def _some(items: tuple[object, ...]) -> tuple[object, ...]:
    """A list that holds something. Pydantic's own bound counts the items that were right, and misleads where none was."""
    if not items:
        raise fault("expected at least one")
    return items


NotEmpty = AfterValidator(_some)


def microseconds(duration: str) -> int:
    """A duration such as `90s` in microseconds. Raises a fault where the unit is missing, or beyond ten years."""
    match = re.fullmatch(_DURATION, duration)
    if match is None:
        cure = f"; write {duration}s for seconds" if re.fullmatch("[0-9]+", duration) else ""
        raise fault(f"expected a duration with its unit (us, ms, s, m, h, d, w) such as 90s, 5m or 1d{cure}")
    digits = duration.removesuffix(match[1])
    if len(digits) > 20 or int(digits) * _UNITS[match[1]] > _LONGEST:
        raise fault(f"at most {_LONGEST // _UNITS['d']}d")
    return int(digits) * _UNITS[match[1]]


def _duration(least: str) -> BeforeValidator:
    """Keeps the text of a duration that is at least so long."""

    def check(value: object) -> str:
        if microseconds(str(value)) < microseconds(least):
            raise fault(f"at least {least}")
        return str(value)

    return BeforeValidator(check)


_DURATION_SCHEMA = WithJsonSchema({"type": "string", "pattern": f"^{_DURATION}$", "examples": ["90s", "1d"]})
Duration = Annotated[str, _duration("0s"), _DURATION_SCHEMA]
Positive = Annotated[str, _duration("1ms"), _DURATION_SCHEMA]
Seconds = Annotated[str, _duration("1s"), _DURATION_SCHEMA]


def _shown(value: object) -> str:
    """A value for a message, as the file has it."""
    return repr(value.written if isinstance(value, Substituted) else value)


def _secret(value: object) -> Secret:
    """A secret that was written in place."""
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not value:
        raise fault("expected a text that is not empty (quote it if it is a number)")
    return Secret(str(value))


def _secret_from(value: object, info: ValidationInfo) -> Secret:
    """A secret from a file; its last line end is not part of it. The context's `folder` is where relative paths begin."""
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not value:
        raise fault("expected the path of a file")
    context: dict[str, Any] = info.context or {}
    try:
        with (context.get("folder", Path()) / value).open("rb") as file:
            content = file.read(_MAX_SECRET + 1)
        text = content.decode().rstrip("\r\n")
    except OSError as error:
        raise fault(f"cannot read {_shown(value)}: {error.strerror}") from None
    except ValueError:
        raise fault(f"{_shown(value)} is not a text in UTF-8") from None
    if not text or len(content) > _MAX_SECRET:
        raise fault(f"{_shown(value)} has to hold 1 to {_MAX_SECRET} bytes")
    return Secret(text)


SecretText = Annotated[Secret, BeforeValidator(_secret), WithJsonSchema({"type": "string", "minLength": 1, "writeOnly": True})]
SecretFile = Annotated[Secret, BeforeValidator(_secret_from), WithJsonSchema({"type": "string", "minLength": 1})]
