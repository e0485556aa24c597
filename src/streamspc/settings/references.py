"""Names that refer to other parts, and names that must be unique. Looked at in the data, so that they are found beside other faults."""

from __future__ import annotations

from streamspc.settings.document import Document, Path, items, texts
from streamspc.settings.explain import meant

_STREAM = ("streams", None)
_INTERNAL = ("tallies", "points", "signals", "verdicts", "snapshots", "control", "outbox")


def check(document: Document) -> None:
    """Add the problems of names to the document's."""
    _unique(document, "name", (*_STREAM, "name"))
    _unique(document, "name", ("receivers", None, "name"))
    _unique(document, "topic", (*_STREAM, "topic"), (*_STREAM, "gate", "clean"), (*_STREAM, "gate", "quarantine"))
    streams = [name for _, name in texts(document, *_STREAM, "name")]
    _routes(document, ("routing",), streams)
    _unique(document, "name", ("routing", "mute_times", None, "name"))
    for end in ("source", "target"):
        for path in items(document, "routing", "inhibit"):
            _match(document, (*path, end), streams)
    for path in items(document, "streams"):
        _metrics(document, path)
    _internal(document)


def _routes(document: Document, route: Path, streams: list[str]) -> None:
    """What a route and those below it name is there."""
    receivers = [name for _, name in texts(document, "receivers", None, "name")]
    mutes = [name for _, name in texts(document, "routing", "mute_times", None, "name")]
    for key, what, known in (("receivers", "receiver", receivers), ("mute", "mute time", mutes)):
        for path, name in texts(document, *route, key, None):
            if name not in known:
                document.note(path, f"no {what} {name!r}; {meant(name, known)}")
    _match(document, (*route, "match"), streams)
    for below in items(document, *route, "routes"):
        _routes(document, below, streams)


def _match(document: Document, match: Path, streams: list[str]) -> None:
    """Streams and metrics that a match names are there."""
    metrics = [name for _, name in texts(document, *_STREAM, "metrics", None, "name")]
    for key, known in (("stream", streams), ("metric", metrics)):
        for path, name in (*texts(document, *match, key), *texts(document, *match, key, None)):
            if name not in known:
                document.note(path, f"no {key} {name!r}; {meant(name, known)}")


def _metrics(document: Document, stream: Path) -> None:
    """Metrics of a stream, and charts of several of them, have names of their own; `multivariate` and `judge_by` name them."""
    _unique(document, "name", (*stream, "metrics", None, "name"), (*stream, "multivariate", None, "name"))
    metrics = [name for _, name in texts(document, *stream, "metrics", None, "name")]
    together = [name for _, name in texts(document, *stream, "multivariate", None, "name")]
    for pattern, known in ((("multivariate", None, "metrics", None), metrics), (("judge_by", None, "metric"), metrics + together)):
        for path, name in texts(document, *stream, *pattern):
            if name not in known:
                document.note(path, f"no metric {name!r} in this stream; {meant(name, known)}")


def _internal(document: Document) -> None:
    """The topics of the roles are nobody else's."""
    taken = {f"{app}.{topic}" for _, app in texts(document, "app") for topic in _INTERNAL}
    for pattern in (("topic",), ("gate", "clean"), ("gate", "quarantine")):
        for path, topic in texts(document, *_STREAM, *pattern):
            if topic in taken:
                document.note(path, f"{topic!r} is a topic of streamspc itself; choose another name or another `app`")


def _unique(document: Document, what: str, *patterns: tuple[str | int | None, ...]) -> None:
    """No two of the texts are equal; the later one is the problem."""
    first: dict[str, int] = {}
    found = [item for pattern in patterns for item in texts(document, *pattern)]
    for path, text in sorted(found, key=lambda item: document.place(item[0])):
        if text in first:
            document.note(path, f"the {what} {text!r} is used twice; it is already on line {first[text]}")
        else:
            first[text] = document.place(path).line
