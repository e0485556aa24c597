"""The page at `/`: what this process is, where its addresses lead, how its roles are."""

from __future__ import annotations

from html import escape
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamspc.model import View

LINKS = (
    ("/metrics", "metrics for Prometheus"),
    ("/-/healthy", "does every loop turn"),
    ("/-/ready", "has every role what it needs"),
)
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 46rem; margin: 3rem auto; padding: 0 1rem }
h1 { margin: 0 } h1 small { font-weight: normal; opacity: .6; font-size: .5em }
table { border-collapse: collapse; width: 100% }
td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid #8884 }
td:first-child { white-space: nowrap } .yes::before { content: "● "; color: #2a9d5c } .no::before { content: "▲ "; color: #d1495b }
code { font-size: .95em } a { color: inherit }
"""


def page(views: Sequence[View], config_hash: str, now: float) -> str:
    """The page as HTML. `now` is monotonic seconds, as `View.turned`."""
    links = "".join(f'<tr><td><a href="{path}"><code>{path}</code></a><td>{what}' for path, what in LINKS)
    roles = "".join(_role(view, now) for view in views) or "<tr><td>none yet<td>"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>streamspc</title><style>{STYLE}</style>"
        f"<h1>streamspc <small>{escape(version('streamspc'))}, configuration {escape(config_hash)}</small></h1>"
        f"<p>Statistical process control for data pipelines on Apache Kafka.</p>"
        f"<table>{links}</table><h2>Roles</h2><table>{roles}</table></html>\n"
    )


def _role(view: View, now: float) -> str:
    turned = f"turned {max(0.0, now - view.turned):.0f} s ago" if view.turned else "has not turned yet"
    state = "ready" if view.ready else "; ".join(view.not_ready_because) or "not ready"
    return f'<tr><td class="{"yes" if view.ready else "no"}">{escape(view.role)}<td>{escape(state)}<td>{turned}'
