"""The whole configuration as a user writes it, and the JSON Schema for editors."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from streamspc.model import SHARDS
from streamspc.settings.kafka import Kafka
from streamspc.settings.part import Integer, Name, NotEmpty, Part, Seconds
from streamspc.settings.receivers import Receiver
from streamspc.settings.routing import Links, Routing
from streamspc.settings.streams import Stream


class Charts(Part):
    """The chart role."""

    partitions: Integer = Field(default=4, ge=1, le=SHARDS)
    """Chart partitions: how many processes can share the charts. It cannot change later."""


class Server(Part):
    """What the process answers over HTTP."""

    listen: str = Field(default="127.0.0.1:9404", pattern=r"^\S*:[0-9]{1,5}$")
    """Address and port of /metrics, /-/healthy and /-/ready; `:9404` is every address."""
    external_url: str = Field(default="", pattern=r"^(https?://\S+)?$")
    """Where people reach the page, for links in messages."""
    max_exported_series: Integer = Field(default=5_000, ge=0)
    """Series of a process that have rows of their own in /metrics; the whole stream's always have."""


class Log(Part):
    """Logs on stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least that is written."""
    format: Literal["auto", "console", "logfmt", "json"] = "auto"
    """`auto` is console on a terminal, else logfmt."""


class Settings(Part):
    """Configuration of streamspc."""

    app: Name
    """Name of the application: the prefix of its topics, groups and transactional ids."""
    kafka: Kafka
    """How to reach Kafka."""
    charts: Charts = Charts()
    """The chart role."""
    streams: Annotated[tuple[Stream, ...], NotEmpty] = Field(json_schema_extra={"minItems": 1})
    """What is watched."""
    receivers: tuple[Receiver, ...] = ()
    """Whom to tell."""
    routing: Routing = Routing()
    """Who is told of which episodes, when and how often. Without it, everybody hears of everything."""
    links: Links = Links()
    """Where messages lead to."""
    server: Server = Server()
    """What the process answers over HTTP."""
    log: Log = Log()
    """Logs on stderr."""
    drain: Seconds = "25s"
    """From SIGTERM to the exit, at most."""
    snapshot_every: Seconds = "1m"
    """Time between snapshots of a chart partition."""


def json_schema() -> dict[str, Any]:
    """JSON Schema of the file before variables are replaced: a value that is not free text may be `${NAME}`, too."""
    schema: dict[str, Any] = _for_editors(Settings.model_json_schema())
    schema["$defs"]["Variable"] = {"type": "string", "pattern": r"\$\{", "description": "${NAME} or ${NAME:-default} of the environment."}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "streamspc", **schema}


def _for_editors(schema: Any) -> Any:
    """The same schema without titles, and with variables where text alone would not do."""
    if isinstance(schema, list):
        return [_for_editors(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain: dict[str, Any] = {}
    for key, value in schema.items():
        if key in {"properties", "$defs"}:
            plain[key] = {name: _for_editors(inner) for name, inner in value.items()}
        elif key in {"items", "anyOf", "oneOf"}:
            plain[key] = _for_editors(value)
        elif key not in {"title", "discriminator"}:
            plain[key] = value
    if plain.get("type") not in {"integer", "number", "boolean"} and not plain.keys() & {"const", "enum", "pattern"}:
        return plain
    told = {key: plain.pop(key) for key in ("description", "default", "examples") if key in plain}
    return {**told, "anyOf": [plain, {"$ref": "#/$defs/Variable"}]}
