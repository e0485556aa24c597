"""serve: what a process shows over HTTP: /metrics, health, readiness, and a page that links to them.

Promises
- It reads `model.View` and nothing else: immutable values that the roles replace, so an answer is never torn and never waits for
  a role, and a role never waits for an answer.
- The names, types and labels of all metrics are one closed table (`names`); a role that shows another one fails its own tests and
  every scrape, loudly, rather than adding a metric nobody documented.
- 100,000 samples are answered in well under half a second: the text is written from columns.
- Healthy means that every loop turned within the longest poll interval. A broker that is down makes a process not ready, never
  unhealthy: to kill the process would not bring the broker back.
- It only answers GET and HEAD, a bounded number at a time, each within a deadline, and it changes nothing.

Rejected: prometheus_client's gauges and its collector (1.2 and 0.8 s for 100,000 samples; its process metrics are used, and tests
read our text with its parsers). A web framework: five addresses need none.
"""
