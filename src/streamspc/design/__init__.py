"""Design of charts: average run lengths and the limits that follow from them. Pure mathematics on numbers, for charts and for users.

Each function states its conventions and its error, each module its sources. `chart.limits` takes the limits of a configuration from
`bank_limits`: those at which all charts that may signal, together, keep its false alarms.
"""

from streamspc.design.alone import confirmed_arl
from streamspc.design.ar1_cusum import ar1_cusum_arl, ar1_cusum_limit
from streamspc.design.ar1_ewma import ar1_ewma_arl, ar1_ewma_limit
from streamspc.design.ar1_shewhart import ar1_shewhart_arl, ar1_shewhart_limit
from streamspc.design.bernoulli_cusum import bernoulli_cusum_arl, bernoulli_cusum_limit
from streamspc.design.budget import series_arl0
from streamspc.design.count_chart import c_chart_arl, c_chart_limit, p_chart_arl, p_chart_limit
from streamspc.design.count_cusum import (
    binomial_cusum_arl,
    binomial_cusum_limit,
    negbin_cusum_arl,
    negbin_cusum_limit,
    poisson_cusum_arl,
    poisson_cusum_limit,
)
from streamspc.design.cusum import cusum_arl, cusum_limit
from streamspc.design.cusum_quantile import cusum_quantile
from streamspc.design.estimated import estimated_shewhart_arl, expected_rate_limit, guaranteed_limit
from streamspc.design.estimated_cusum import expected_rate_cusum_limit, guaranteed_cusum_limit
from streamspc.design.estimated_ewma import expected_rate_ewma_limit, guaranteed_ewma_limit
from streamspc.design.estimated_mewma import expected_rate_mewma_limit
from streamspc.design.ewma import ewma_arl, ewma_limit
from streamspc.design.hotelling import t2_arl
from streamspc.design.individuals import imr_arl
from streamspc.design.joint import BankLimits, bank_limits
from streamspc.design.mewma import mewma_arl, mewma_limit
from streamspc.design.r_chart import r_chart_arl
from streamspc.design.s_chart import s_chart_arl
from streamspc.design.self_starting import self_starting
from streamspc.design.shewhart import shewhart_arl, shewhart_quantile
from streamspc.design.shewhart_cusum import shewhart_cusum_arl, shewhart_cusum_limit
from streamspc.design.shewhart_ewma import shewhart_ewma_arl
from streamspc.design.variance_charts import cusum_variance_arl, cusum_variance_limit, ewma_variance_arl, ewma_variance_limit

__all__ = [
    "BankLimits",
    "ar1_cusum_arl",
    "ar1_cusum_limit",
    "ar1_ewma_arl",
    "ar1_ewma_limit",
    "ar1_shewhart_arl",
    "ar1_shewhart_limit",
    "bank_limits",
    "bernoulli_cusum_arl",
    "bernoulli_cusum_limit",
    "binomial_cusum_arl",
    "binomial_cusum_limit",
    "c_chart_arl",
    "c_chart_limit",
    "confirmed_arl",
    "cusum_arl",
    "cusum_limit",
    "cusum_quantile",
    "cusum_variance_arl",
    "cusum_variance_limit",
    "estimated_shewhart_arl",
    "ewma_arl",
    "ewma_limit",
    "ewma_variance_arl",
    "ewma_variance_limit",
    "expected_rate_cusum_limit",
    "expected_rate_ewma_limit",
    "expected_rate_limit",
    "expected_rate_mewma_limit",
    "guaranteed_cusum_limit",
    "guaranteed_ewma_limit",
    "guaranteed_limit",
    "imr_arl",
    "mewma_arl",
    "mewma_limit",
    "negbin_cusum_arl",
    "negbin_cusum_limit",
    "p_chart_arl",
    "p_chart_limit",
    "poisson_cusum_arl",
    "poisson_cusum_limit",
    "r_chart_arl",
    "s_chart_arl",
    "self_starting",
    "series_arl0",
    "shewhart_arl",
    "shewhart_cusum_arl",
    "shewhart_cusum_limit",
    "shewhart_ewma_arl",
    "shewhart_quantile",
    "t2_arl",
]
