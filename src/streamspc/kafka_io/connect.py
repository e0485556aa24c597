"""Clients of the library that leave nothing behind when they cannot connect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from kafka.net.compat import KafkaNetClient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_Client = TypeVar("_Client")


def connect(make: Callable[..., _Client], config: Mapping[str, Any]) -> _Client:
    """A client of the library. Raises what its constructor raises, after closing the sockets and thread that it left running."""
    opened: list[Any] = []

    def network(**options: Any) -> Any:
        opened.append(KafkaNetClient(**options))
        return opened[-1]

    try:
        return make(**config, kafka_client=network)
    except BaseException:
        for each in opened:
            each.close()
        raise
