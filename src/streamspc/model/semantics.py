"""The semantic configuration: everything that changes an outcome, and nothing else. It is what travels in the logs."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Literal

import msgspec

WHOLE = "*"  # the segment of the whole stream
SHARDS = 256  # fixed for ever: chart partition = shard mod number of chart partitions
NEVER = -(2**63)  # the watermark before the first record
END = 2**63 - 1  # the watermark after the last record, promised by `--until-end`


class _Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the semantic configuration: everything that changes an outcome, and nothing else."""


class MetricKind(StrEnum):
    """What is computed for each window and segment."""

    COUNT = "count"
    SUM = "sum"
    MEAN = "mean"
    SD = "sd"
    MIN = "min"
    MAX = "max"
    PROPORTION = "proportion"
    NULL_RATE = "null_rate"
    QUANTILE = "quantile"
    LAG = "lag"


class ChartKind(StrEnum):
    """The statistics that are kept for every series."""

    SHEWHART = "shewhart"
    CUSUM = "cusum"
    EWMA = "ewma"


class Rule(StrEnum):
    """Run rules: `we` of Western Electric, `nelson` of Nelson, `run7` seven in a row on one side; and `stuck`, which nobody has to ask for.

    The order numbers bits, for ever.
    """

    WE1 = "we1"
    WE2 = "we2"
    WE3 = "we3"
    WE4 = "we4"
    NELSON1 = "nelson1"
    NELSON2 = "nelson2"
    NELSON3 = "nelson3"
    NELSON4 = "nelson4"
    NELSON5 = "nelson5"
    NELSON6 = "nelson6"
    NELSON7 = "nelson7"
    NELSON8 = "nelson8"
    RUN7 = "run7"
    STUCK = "stuck"


RUN_RULES = tuple(rule for rule in Rule if rule is not Rule.STUCK)


class Effect(_Spec, frozen=True, kw_only=True):
    """The smallest shift that matters; a smaller one never signals."""

    amount: float
    unit: Literal["absolute", "relative", "sigma"] = "absolute"


class ChartSpec(_Spec, frozen=True, kw_only=True):
    """Parameters of the three charts of a series, in sigma. A limit that is None follows from the stream's `Budget`."""

    shewhart_limit: float | None = None
    confirm: Literal[1, 2] = 1  # points in a row beyond the limit, on one side, that make a Shewhart signal
    cusum_k: float = 0.5
    cusum_h: float | None = None
    cusum_headstart: float = 0.0  # where both sides begin, and begin again
    cusum_scales: tuple[float, ...] = ()  # k of further CUSUMs
    ewma_lambda: float = 0.2
    ewma_limit: float | None = None
    ewma_scales: tuple[float, ...] = ()  # lambda of further EWMAs


class Budget(_Spec, frozen=True, kw_only=True):
    """False alarms that are allowed: in control, one episode in `arl0` windows at risk, of the whole stream or of each series.

    `expected_segments` (beside the whole stream's) divides the stream's budget; None: those that have charts when Phase I ends count.
    """

    arl0: float = 43_200.0
    per: Literal["stream", "series"] = "stream"
    expected_segments: int | None = None


class MetricSpec(_Spec, frozen=True, kw_only=True):
    """One metric of a stream. `where` filters the records (for a proportion: it is the numerator, `of` the denominator)."""

    name: str
    kind: MetricKind
    field: str | None = None
    where: str | None = None
    of: str | None = None
    q: float | None = None
    direction: Literal["up", "down", "both"] = "both"
    min_effect: Effect | None = None
    charts: ChartSpec = ChartSpec()
    signal_by: tuple[ChartKind, ...] = (ChartKind.SHEWHART, ChartKind.CUSUM)
    rules: tuple[Rule, ...] = ()  # of RUN_RULES, a part of the Shewhart chart
    stuck: bool = True  # does a value that stops moving signal


class MultivariateSpec(_Spec, frozen=True, kw_only=True):
    """A chart of several metrics of a window together: T2 where the weight is 1, else MEWMA. Without a limit it follows from the budget."""

    name: str
    metrics: tuple[str, ...]
    weight: float = 0.1
    limit: float | None = None

    @property
    def kind(self) -> ChartKind:
        """The chart that it signals as: Shewhart where it has no memory, else EWMA."""
        return ChartKind.SHEWHART if self.weight == 1.0 else ChartKind.EWMA


class EventTime(_Spec, frozen=True, kw_only=True):
    """Where event time comes from: a field in a unit, or (field None) the Kafka timestamp."""

    field: str | None = None
    unit: Literal["s", "ms", "us", "iso8601"] = "ms"


class BaselineSpec(_Spec, frozen=True, kw_only=True):
    """Phase I: `windows` points a series are learnt from, robustly screened at `screen` sigma, then frozen.

    `relearn` says which commands may replace a baseline: none, those that learn Phase I again, or also the level of an open episode.
    """

    windows: int = 50
    screen: float = 3.5
    overdispersion: float = 1e-5  # how alike two records of one window may be in a rate near 0 or 1, for all that Phase I can tell
    relearn: Literal["never", "on_demand", "accepted_shifts"] = "accepted_shifts"


class EpisodeSpec(_Spec, frozen=True, kw_only=True):
    """An episode ends after `quiet` points without a signal or more (`decide.episodes`); one that reopens within `refractory` is muted.

    One that has rejected `max_reject` windows on one side is a level shift: it rejects no more there, and awaits a command.
    """

    quiet: int = 2
    refractory: int = 0
    max_reject: int = 24


class JudgeRule(_Spec, frozen=True, kw_only=True):
    """Which metric and charts may reject a window, for which segments (empty: all)."""

    metric: str
    charts: tuple[ChartKind, ...] = (ChartKind.SHEWHART,)
    segments: tuple[str, ...] = ()


class StormSpec(_Spec, frozen=True, kw_only=True):
    """The last `windows` complete windows each lost more than `max_share` of their records: the limits are wrong, not the data."""

    max_share: float = 0.5
    windows: int = 10


class StreamSpec(_Spec, frozen=True, kw_only=True):
    """One source topic with its decoding, event time, window and metrics."""

    name: str
    topic: str
    format: Literal["json"] = "json"
    event_time: EventTime = EventTime()
    window_us: int = 60_000_000
    timezone: str = "UTC"
    disorder_us: int = 0
    lateness_us: int = 0
    max_future_us: int = 60_000_000
    segment_by: tuple[str, ...] = ()
    metrics: tuple[MetricSpec, ...]
    multivariate: tuple[MultivariateSpec, ...] = ()
    budget: Budget = Budget()
    baseline: BaselineSpec = BaselineSpec()
    episodes: EpisodeSpec = EpisodeSpec()
    judge_by: tuple[JudgeRule, ...] = ()
    min_records: int = 1
    max_segments: int = 1000
    max_open_windows: int = 16
    max_empty_windows: int = 1000
    clock: Literal["live", "log"] = "live"
    idle_after_us: int = 60_000_000
    clean_topic: str | None = None
    quarantine_topic: str | None = None
    storm: StormSpec = StormSpec()
    before_verdicts: Literal["accept", "quarantine"] = "accept"

    @property
    def series(self) -> tuple[str, ...]:
        """Names of what is charted in each segment: the metrics, and the charts of several of them."""
        return (*(metric.name for metric in self.metrics), *(chart.name for chart in self.multivariate))


class Semantics(_Spec, frozen=True, kw_only=True):
    """The semantic configuration of an application. Its hash travels with every block, verdict and snapshot."""

    app: str
    chart_partitions: int
    streams: tuple[StreamSpec, ...]

    def hash(self) -> str:
        """Sixteen hex digits of SHA-256 over the canonical JSON."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:16]

    def stream(self, name: str) -> StreamSpec:
        """The stream of that name. Raises KeyError."""
        for spec in self.streams:
            if spec.name == name:
                return spec
        raise KeyError(name)


def shard(stream: str, segment: str) -> int:
    """Shard of a segment: fixed for ever, whatever the machine or the Python version."""
    digest = hashlib.blake2b(f"{stream}\0{segment}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % SHARDS
