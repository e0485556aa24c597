"""A picture of average run lengths: one curve a chart over the shift, on a logarithmic scale, as an SVG of our own.

Nothing but text is written, so that it needs no plotting library and a diff can be read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 800, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 220, 50, 50
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999933")  # told apart without red and green


class Line(NamedTuple):
    """One chart: average run lengths at the shifts of the picture."""

    name: str
    arls: Sequence[float]


def picture(title: str, shifts: Sequence[float], lines: Sequence[Line], mark: float) -> str:
    """The SVG, with a line at the shift `mark` that is to be detected."""
    top = max(1, math.ceil(math.log10(max(max(line.arls) for line in lines))))
    scale = _Scale(shifts[-1], top)
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="26" font-size="15">{escape(title)}</text>',
        *_grid(scale),
        f'<line x1="{scale.x(mark)}" x2="{scale.x(mark)}" y1="{scale.y(1)}" y2="{scale.y(10**top)}" stroke="#666" stroke-dasharray="4 3"/>',
    ]
    for place, line in enumerate(lines):
        parts += _curve(scale, shifts, line, place)
    return "\n".join([*parts, "</svg>", ""])


class _Scale(NamedTuple):
    """From shifts and average run lengths to places."""

    widest: float
    decades: int

    def x(self, shift: float) -> float:
        return round(_LEFT + shift / self.widest * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, arl: float) -> float:
        return round(HEIGHT - _BOTTOM - math.log10(arl) / self.decades * (HEIGHT - _TOP - _BOTTOM), 1)


def _grid(scale: _Scale) -> list[str]:
    """Lines and numbers of both axes."""
    left, right, low, high = scale.x(0), scale.x(scale.widest), scale.y(1), scale.y(10**scale.decades)
    every = max(1, math.ceil(scale.decades / 10))
    parts = []
    for decade in range(0, scale.decades + 1, every):
        y = scale.y(10**decade)
        parts.append(f'<line x1="{left}" x2="{right}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{10**decade:g}</text>')
    for step in range(7):
        shift = scale.widest * step / 6
        x = scale.x(shift)
        parts.append(f'<line x1="{x}" x2="{x}" y1="{low}" y2="{high}" stroke="#ddd"/>')
        parts.append(f'<text x="{x}" y="{low + 18}" text-anchor="middle">{shift:g}</text>')
    middle = (low + high) / 2
    parts.append(f'<text x="{(left + right) / 2}" y="{HEIGHT - 12}" text-anchor="middle">shift in sigma</text>')
    parts.append(f'<text x="16" y="{middle}" text-anchor="middle" transform="rotate(-90 16 {middle})">average run length in points</text>')
    return parts


def _curve(scale: _Scale, shifts: Sequence[float], line: Line, place: int) -> list[str]:
    """One chart and its name in the legend."""
    colour = f'stroke="{_COLOURS[place % len(_COLOURS)]}"' + (' stroke-dasharray="7 3"' if place >= len(_COLOURS) else "")
    points = " ".join(f"{scale.x(shift)},{scale.y(arl)}" for shift, arl in zip(shifts, line.arls, strict=True))
    x, y = WIDTH - _RIGHT + 16, _TOP + 12 + 20 * place
    return [
        f'<polyline fill="none" {colour} stroke-width="1.8" points="{points}"/>',
        f'<line x1="{x}" x2="{x + 22}" y1="{y}" y2="{y}" {colour} stroke-width="3"/>',
        f'<text x="{x + 28}" y="{y + 4}">{escape(line.name)}</text>',
    ]
