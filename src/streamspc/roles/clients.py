"""What the roles share in handling their clients and batches."""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING

from streamspc.model import Batch

if TYPE_CHECKING:
    from streamspc.model import KafkaLocal


def transactional_id(group: str, local: KafkaLocal) -> str:
    """Stable for a static member, so that its next life aborts at once what it left open; else unique, fenced by the group."""
    return f"{group}.{local.instance or uuid.uuid4().hex}"


def close_all(role: object, *clients: str) -> None:
    """Close these attributes where they are there. Errors are swallowed: the clients are spent, and new ones will be made."""
    for attribute in clients:
        client = getattr(role, attribute, None)
        if client is not None:
            with contextlib.suppress(Exception):
                client.close()
            setattr(role, attribute, None)


def head(batch: Batch, keep: int) -> Batch:
    """The first `keep` records of a longer batch; `next` is the offset of the first one left out."""
    headers = None if batch.headers is None else batch.headers[:keep]
    columns = (batch.offsets[:keep], batch.timestamps[:keep], batch.keys[:keep], batch.values[:keep], headers)
    return Batch(batch.topic, batch.partition, *columns, int(batch.offsets[keep]))
