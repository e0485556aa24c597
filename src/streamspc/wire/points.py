"""Format of points (version 1): each array of `model.Points` is a column of its name, everything else is metadata.

An array of one value throughout, down to its bits, is a column without dimensions: windows of which most is nan or 0 are small.
The column `rules` is there only where a run rule is broken, `contributions` [P, S] only where a chart of several metrics signals,
`contributors` only where there are such charts, and `learnt.*` only where baselines were estimated (see `model.Learnt`): who does not know
them reads the rest, and bytes without them mean what they did.
Bytes without the limits of the charts are older than these columns; their limits are nan.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from streamspc.model import Learnt, Points
from streamspc.wire.container import Array, Meta, pack, understood, unpack
from streamspc.wire.tables import read_sources

_TUPLES = ("metrics", "segments")
_PLAIN = ("stream", "config", "start", "end", "gap", *_TUPLES)
_APART = ("sources", "counts", "rules", "contributors", "contributions", "learnt")
_LATER = ("shewhart_limit", "cusum_limit", "ewma_width")
_ARRAYS = tuple(field.name for field in fields(Points) if field.name not in (*_PLAIN, *_APART))


def encode_points(points: Points) -> bytes:
    """One window of all series of a stream in one chart partition."""
    meta: Meta = {name: getattr(points, name) for name in _PLAIN}
    meta["counts"] = dict(sorted(points.counts.items()))
    columns: dict[str, Array] = {name: _short(getattr(points, name)) for name in _ARRAYS}
    columns |= {f"sources.{name}": column for name, column in points.sources._asdict().items()}
    if points.rules is not None:
        columns["rules"] = _short(points.rules)
    if points.contributors:
        meta["contributors"] = points.contributors
    if points.contributions is not None:
        columns["contributions"] = _short(points.contributions)
    if points.learnt is not None:
        columns |= {f"learnt.{name}": column for name, column in points.learnt._asdict().items()}
    return pack("points", 1, meta, columns)


def decode_points(data: bytes) -> Points:
    """What `encode_points` was given. Raises Fatal."""
    _, meta, columns = unpack(data, "points")
    return understood("points", lambda: _points(meta, columns))


def _points(meta: Meta, columns: dict[str, Array]) -> Points:
    parts: dict[str, Any] = {name: meta[name] for name in _PLAIN}
    parts |= {name: tuple(meta[name]) for name in _TUPLES}
    shape = (len(parts["metrics"]), len(parts["segments"]))
    if not columns.keys() & set(_LATER):
        columns = dict.fromkeys(_LATER, np.array(np.nan)) | columns
    for name in (*_ARRAYS, *(name for name in ("rules",) if name in columns)):
        parts[name] = _long(columns[name], shape[1:] if name == "records" else shape)
    parts["contributors"] = tuple((chart, metric) for chart, metric in meta.get("contributors", ()))
    if "contributions" in columns:
        parts["contributions"] = _long(columns["contributions"], (len(parts["contributors"]), shape[1]))
    if "learnt.metric" in columns:
        parts["learnt"] = _learnt({name: columns[f"learnt.{name}"] for name in Learnt._fields})
    return Points(**parts, counts=dict(meta["counts"]), sources=read_sources(columns))


def _learnt(columns: dict[str, Array]) -> Learnt:
    for name, array in columns.items():
        _long(array, columns["dropped" if name == "baseline" else name if name == "dropped" else "metric"].shape)
    return Learnt(**columns)


def _short(array: Array) -> Array:
    bits = np.ascontiguousarray(array).view(f"u{array.itemsize}").ravel()
    return array.ravel()[0].reshape(()) if len(bits) > 1 and (bits == bits[0]).all() else array


def _long(array: Array, shape: tuple[int, ...]) -> Array:
    if np.ndim(array) == 0:
        array = np.full(shape, array)
        array.flags.writeable = False
    if np.shape(array) != shape:
        raise ValueError(f"an array is of shape {np.shape(array)}, not {shape}")
    return array
