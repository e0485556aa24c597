"""All metrics that a process shows: the closed table. Names, types and labels are an interface to dashboards and alerts."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Metric(NamedTuple):
    """One metric family. Label values come in the order of `labels`; those of a histogram's `_bucket` rows end with the bound."""

    name: str
    type: Literal["gauge", "counter", "histogram"]
    labels: tuple[str, ...]
    help: str


SERIES = ("stream", "metric", "segment")
ON_CHART = (*SERIES, "chart")

TABLE = (
    # the process
    Metric("spc_build_info", "gauge", ("version", "pythonversion"), "A constant 1, labelled by the version of streamspc and of Python."),
    Metric("spc_config_info", "gauge", ("hash",), "A constant 1, labelled by the hash of the semantic configuration."),
    Metric("spc_role_ready", "gauge", ("role",), "Whether the role has its partitions, restored (1), or not (0)."),
    Metric("spc_role_finished", "gauge", ("role",), "Whether the role has read to the end that --until-end promised (1) or not (0)."),
    Metric("spc_restarts_total", "counter", ("role",), "Times the role made new Kafka clients after an error."),
    # series, as of their last point
    Metric("spc_value", "gauge", SERIES, "Statistic of the last window."),
    Metric("spc_sample_size", "gauge", SERIES, "Records behind the statistic of the last window."),
    Metric("spc_center", "gauge", SERIES, "Centre line: the value in control."),
    Metric("spc_sigma", "gauge", SERIES, "Standard deviation of the statistic in control, for the last window's sample size."),
    Metric("spc_control_limit", "gauge", (*SERIES, "limit"), "Control limit of the Shewhart chart: limit is lcl or ucl."),
    Metric("spc_statistic", "gauge", ON_CHART, "Chart statistic in sigma: chart is shewhart, cusum_up, cusum_down or ewma."),
    Metric("spc_statistic_limit", "gauge", ON_CHART, "Limit of the chart statistic in sigma; beyond it the chart signals."),
    Metric("spc_out_of_control", "gauge", SERIES, "Whether an episode is open, or was in the last two minutes (1), or not (0)."),
    Metric("spc_signal", "gauge", ON_CHART, "Whether the chart (shewhart, cusum, ewma) signals at the last window (1) or not (0)."),
    Metric("spc_violations_total", "counter", ON_CHART, "Windows at which the chart signalled."),
    Metric("spc_phase", "gauge", SERIES, "Phase of the last window: 1 learnt from, 2 judged, 3 too few records, 4 provisional."),
    Metric("spc_baseline_version", "gauge", SERIES, "Version of the frozen baseline; 0 while it is learnt."),
    Metric("spc_rule_violations_total", "counter", ("stream", "metric", "rule"), "Points at which a run rule, or stuck, signalled."),
    Metric("spc_baselines_total", "counter", ("stream", "metric"), "Baselines estimated, each a version."),
    Metric(
        "spc_baseline_windows_dropped_total", "counter", ("stream", "metric"), "Windows that screening left out of baselines, as outliers."
    ),
    Metric("spc_series_provisional", "gauge", ("stream",), "Series whose baseline is provisional: they signal and reject nothing."),
    # windows and episodes
    Metric("spc_window_end_timestamp_seconds", "gauge", ("stream",), "End of the last closed window, in event time."),
    Metric("spc_windows_total", "counter", ("stream",), "Windows closed and charted."),
    Metric("spc_verdicts_total", "counter", ("stream", "verdict"), "Windows of a segment, or of the whole stream: accepted or rejected."),
    Metric("spc_open_windows", "gauge", ("stream",), "Windows with tallies that are not closed yet."),
    Metric("spc_episodes_open", "gauge", ("stream",), "Episodes that are open now."),
    Metric("spc_level_shifts_awaiting", "gauge", ("stream",), "Level shifts that reject no more, and await baseline accept or reset."),
    Metric("spc_rejections_lifted_total", "counter", ("stream",), "Windows of a segment that passed since a level shift awaits an answer."),
    Metric("spc_episodes_total", "counter", ("stream", "metric"), "Episodes that were opened."),
    Metric("spc_expected_false_episodes_total", "counter", ("stream",), "Episodes that false_alarms promises while nothing changes."),
    Metric("spc_gaps_total", "counter", ("stream",), "Runs of empty windows too long to be charted one by one."),
    Metric("spc_storm_active", "gauge", ("stream",), "Whether the storm guard lets rejected windows pass (1) or not (0)."),
    Metric("spc_series", "gauge", ("stream",), "Series that have charts."),
    Metric("spc_series_hidden", "gauge", ("stream",), "Series that have charts and are not shown here: server.max_exported_series."),
    Metric("spc_series_dropped_total", "counter", ("stream",), "Segments without charts of their own because of max_segments."),
    # records and time
    Metric(
        "spc_records_total", "counter", ("stream", "role", "route"), "Records by role: read, and by the gate sent clean or to quarantine."
    ),
    Metric(
        "spc_records_refused_total", "counter", ("stream", "role", "reason"), "Records that were not judged like the others, by reason."
    ),
    Metric("spc_records_unjudged_total", "counter", ("stream",), "Records accepted without a judgement: no baseline, or too few records."),
    Metric("spc_watermark_timestamp_seconds", "gauge", ("stream", "partition"), "Watermark of a source partition, in event time."),
    Metric("spc_frontier_timestamp_seconds", "gauge", ("stream",), "Frontier of a stream, in event time: earlier windows are closed."),
    Metric("spc_held_back_total", "counter", ("stream",), "Times a source partition was max_open_windows ahead of others and had to wait."),
    Metric("spc_gate_waiting_partitions", "gauge", ("stream",), "Source partitions whose next record waits for its verdict."),
    Metric("spc_gate_backlog_records", "gauge", ("stream",), "Records behind the gate's position where it does not wait for a verdict."),
    # Kafka
    Metric("spc_consumer_lag_records", "gauge", ("role", "stream", "partition"), "Offsets between the role's position and the stable end."),
    Metric(
        "spc_last_stable_offset_age_seconds",
        "gauge",
        ("role", "stream", "partition"),
        "How long an open transaction has held back what can be read.",
    ),
    Metric("spc_txn_duration_seconds", "histogram", ("role",), "Duration of committed transactions."),
    Metric("spc_txn_total", "counter", ("role", "result"), "Transactions by result: committed or failed."),
    Metric("spc_last_commit_timestamp_seconds", "gauge", ("role",), "When the role last committed a transaction."),
    Metric("spc_snapshots_total", "counter", (), "Snapshots of a chart partition that were committed."),
    Metric("spc_last_snapshot_timestamp_seconds", "gauge", (), "When a snapshot was last committed."),
    Metric("spc_last_snapshot_bytes", "gauge", (), "Size of the snapshots that were committed then."),
    Metric("spc_restore_duration_seconds", "gauge", (), "How long the last restore of chart partitions took."),
    # notifications
    Metric(
        "spc_notifications_total",
        "counter",
        ("receiver", "result"),
        "Notifications by result: sent, retried, dead, or signals that made none.",
    ),
    Metric("spc_notifications_pending", "gauge", ("receiver",), "Notifications committed to be sent that are not settled."),
    Metric("spc_notifications_oldest_age_seconds", "gauge", ("receiver",), "Age of the oldest pending notification."),
    Metric("spc_notifications_lag_signals", "gauge", ("receiver",), "Signals that the receiver's role has not heard."),
    Metric("spc_receiver_episodes", "gauge", ("receiver",), "Episodes that the receiver is or will be told of, and are not settled."),
    Metric("spc_receiver_disabled", "gauge", ("receiver",), "Whether the receiver answered that it is gone for ever (1) or not (0)."),
)

METRICS = {metric.name: metric for metric in TABLE}


def metric_of(row: str) -> Metric:
    """The metric that rows of this name belong to: its own, or the histogram's of `_bucket`, `_sum` and `_count`. Raises KeyError."""
    if row in METRICS:
        return METRICS[row]
    found = METRICS[row.rpartition("_")[0]] if row.endswith(("_bucket", "_sum", "_count")) else None
    if found is None or found.type != "histogram":
        raise KeyError(row)
    return found


def label_names(row: str) -> tuple[str, ...]:
    """Label names of rows of this name, in the order of their values. Raises KeyError."""
    return (*metric_of(row).labels, "le") if row.endswith("_bucket") else metric_of(row).labels
