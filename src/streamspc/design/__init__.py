"""Design of charts: average run lengths and the limits that follow from them. Pure mathematics on numbers, for charts and for users.

Limits are taken from the configuration as they are; the average run lengths behind its defaults are stated, with their sources, in the
modules of `chart`.
"""

from streamspc.design.shewhart import shewhart_arl, shewhart_quantile

__all__ = [
    "shewhart_arl",
    "shewhart_quantile",
]
