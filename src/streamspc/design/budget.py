"""A budget of false alarms for many series, split exactly: expectations add, whatever the dependence of the series."""

from __future__ import annotations

from streamspc.design import arguments


def series_arl0(windows_per_alarm: float, series: float = 1.0, share: float = 1.0) -> float:
    """The ARL0 of each of so many series that together have `share` of one false alarm in `windows_per_alarm` windows.

    A series has a point in each window. One alarm in 30 days of minutes, for 12 series that are known, with a tenth kept for those that
    come later:

    >>> round(series_arl0(30 * 1440, 12, share=0.9))
    576000

    Raises:
        ValueError: a number is not above 0, the share is above 1, or each series would have to signal at every point.
    """
    windows, series = arguments.positive("windows_per_alarm", windows_per_alarm), arguments.positive("series", series)
    arl0 = windows * series / arguments.weight("share", share)
    if arl0 <= 1.0:
        raise ValueError(f"one false alarm in {windows:g} windows of {series:g} series is one at every point; ask for fewer")
    return arl0
