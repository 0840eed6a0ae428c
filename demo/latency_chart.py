"""The latency histogram as SVG: one row a way, all on one logarithmic axis."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, ROW, LEFT, RIGHT, TOP, BOTTOM = 960, 130, 200, 40, 84, 64
LOWEST, HIGHEST = 0.05, 500.0  # milliseconds
BINS_A_DECADE = 12
COLOURS = ("#6b7280", "#3b78c3", "#0a8f4d")
GRID, INK, QUIET = "#e3e6ea", "#1d2430", "#5b6472"


@dataclass(frozen=True)
class Series:
    name: str
    note: str
    milliseconds: Sequence[float]


def draw(title: str, subtitle: str, series: Sequence[Series]) -> str:
    height = TOP + ROW * len(series) + BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" font-family="DejaVu Sans, Verdana, sans-serif">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        text(24, 36, title, 20, INK, weight="bold"),
        text(24, 60, subtitle, 13, QUIET),
        *axis(height),
    ]
    shares = [histogram(one.milliseconds) for one in series]
    for number, (one, bars) in enumerate(zip(series, shares, strict=True)):
        base = TOP + ROW * (number + 1)
        parts += row(one, bars, base, max(map(max, shares)), COLOURS[number % len(COLOURS)])
    return "\n".join([*parts, "</svg>", ""])


def histogram(values: Sequence[float]) -> list[float]:
    """The share of all values in each bin; what lies outside counts to the outermost bin."""
    bins = [0] * math.ceil(math.log10(HIGHEST / LOWEST) * BINS_A_DECADE)
    for value in values:
        place = int(math.log10(max(value, LOWEST) / LOWEST) * BINS_A_DECADE)
        bins[min(place, len(bins) - 1)] += 1
    return [count / len(values) for count in bins]


def axis(height: int) -> list[str]:
    bottom = height - BOTTOM
    parts = []
    for exponent in (-1, 0, 1, 2):
        for step in range(1, 10):
            value = step * 10.0**exponent
            if not LOWEST <= value <= HIGHEST:
                continue
            strength = 1 if step == 1 else 0.45
            parts.append(
                f'<line x1="{x(value):.1f}" x2="{x(value):.1f}" y1="{TOP}" y2="{bottom}" '
                f'stroke="{GRID}" stroke-opacity="{strength}" stroke-width="1.2"/>'
            )
            if step in (1, 2, 5):
                parts.append(text(x(value), bottom + 24, f"{value:g}", 12, QUIET, anchor="middle"))
    caption = "milliseconds a request, as the program sees it (logarithmic)"
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, bottom + 50, caption, 13, QUIET, anchor="middle"))
    return parts


def row(series: Series, bars: Sequence[float], base: int, tallest: float, colour: str) -> list[str]:
    parts = [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}" stroke="{QUIET}"/>',
        text(24, base - 44, series.name, 15, colour, weight="bold"),
        text(24, base - 24, series.note, 12, QUIET),
        median_mark(series, base, colour),
    ]
    for number, share in enumerate(bars):
        if not share:
            continue
        left, right = bin_edges(number)
        tall = max(share / tallest * (ROW - 34), 1.5)
        parts.append(
            f'<rect x="{left + 0.75:.1f}" y="{base - tall:.1f}" width="{right - left - 1.5:.1f}" '
            f'height="{tall:.1f}" rx="1.5" fill="{colour}"/>'
        )
        if share >= 0.05 and share == max(bars[max(number - 2, 0) : number + 3]):
            middle = (left + right) / 2
            parts.append(text(middle, base - tall - 5, f"{share:.0%}", 11, INK, anchor="middle"))
    return parts


def median_mark(series: Series, base: int, colour: str) -> str:
    """A small triangle below the line, pointing at the median."""
    at = x(min(max(statistics.median(series.milliseconds), LOWEST), HIGHEST))
    return f'<path d="M{at:.1f} {base + 1}l5 9h-10z" fill="{colour}"/>'


def bin_edges(number: int) -> tuple[float, float]:
    return (
        x(LOWEST * 10 ** (number / BINS_A_DECADE)),
        min(x(LOWEST * 10 ** ((number + 1) / BINS_A_DECADE)), WIDTH - RIGHT),
    )


def x(milliseconds: float) -> float:
    share = math.log(milliseconds / LOWEST) / math.log(HIGHEST / LOWEST)
    return LEFT + share * (WIDTH - RIGHT - LEFT)


def text(
    left: float,
    baseline: float,
    words: str,
    size: int,
    colour: str,
    anchor: str = "start",
    weight: str = "normal",
) -> str:
    return (
        f'<text x="{left:.1f}" y="{baseline:.1f}" font-size="{size}" fill="{colour}" '
        f'text-anchor="{anchor}" font-weight="{weight}">{escape(words)}</text>'
    )
