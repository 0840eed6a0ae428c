"""Plain SVG, written by hand: bars of throughput, curves of latency."""

import math
from html import escape

from harness.report import Summary

COLOURS = [
    "#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951",
    "#a463f2", "#97bbf5", "#9c6b4e", "#9498a0", "#d6336c",
]  # fmt: skip
FONT = 'font-family="sans-serif" font-size="13" fill="#222"'


GROUPS = {
    "main": "Finds by _id a second",
    "write": "Updates by _id a second",
    "mixed": "Finds, 5 % updates and 1 % lists a second",
    "size": "Finds by _id a second, by size of the document",
    "threads": "Finds by _id a second, by threads",
    "client_tls": "Finds by _id a second, TLS towards clients",
    "tls": "Finds by _id a second, relayed with TLS",
}


def of(summaries: list[Summary]) -> dict[str, str]:
    """Charts by name: one for every group of rows and way of offering load."""
    pictures = {}
    for group, shape in dict.fromkeys((s.row.group, s.shape) for s in summaries):
        shown = [s for s in summaries if (s.row.group, s.shape) == (group, shape)]
        if shape.rate:
            title = f"Latency, {shape.name}, open loop"
            pictures[f"latency_{group}"] = latency(title, shown)
        else:
            title = f"{GROUPS[group]}, {shape.name}"
            pictures[f"throughput_{group}_{shape.connections}"] = throughput(title, shown)
    return pictures


def svg(width: int, height: int, parts: list[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
    head += f'width="{width}" height="{height}"><rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([head, *parts, "</svg>", ""])


def text(x: float, y: float, content: str, extra: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {FONT} {extra}>{escape(content)}</text>'


def throughput(title: str, summaries: list[Summary]) -> str:
    """One bar a row, for one way of offering load."""
    left, bar, gap, width = 230, 22, 8, 560
    most = max(s.median("throughput") for s in summaries)
    parts = [text(12, 24, title, 'font-weight="bold"')]
    y = 44
    for i, s in enumerate(summaries):
        value = s.median("throughput")
        length = width * value / most
        parts.append(text(left - 8, y + 16, s.row.text, 'text-anchor="end"'))
        parts.append(
            f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{bar}" '
            f'fill="{COLOURS[i % len(COLOURS)]}"/>'
        )
        parts.append(text(left + length + 6, y + 16, f"{value:,.0f}/s"))
        y += bar + gap
    return svg(left + width + 100, y + 8, parts)


def latency(title: str, summaries: list[Summary]) -> str:
    """Latency by percentile; both axes logarithmic, so that the tail has room."""
    left, top, width, height = 70, 44, 560, 320
    shares = [p for p, _ in summaries[0].curve() if p >= 50]
    values = [us for s in summaries for p, us in s.curve() if p >= 50]
    low = math.floor(math.log10(max(min(values), 1)))
    high = max(math.ceil(math.log10(max(values))), low + 1)

    def x_of(percent: float) -> float:
        return left + width * math.log10(50 / (100 - percent)) / math.log10(50 / (100 - shares[-1]))

    def y_of(us: float) -> float:
        return top + height * (high - math.log10(max(us, 1))) / (high - low)

    parts = [text(12, 24, title, 'font-weight="bold"')]
    for power in range(low, high + 1):
        y = y_of(10**power)
        parts.append(f'<path d="M{left} {y:.1f}H{left + width}" stroke="#ddd"/>')
        label = f"{10**power} us" if power < 3 else f"{10 ** (power - 3)} ms"
        parts.append(text(left - 8, y + 4, label, 'text-anchor="end"'))
    for percent in (50, 90, 99, 99.9, 99.99):
        x = x_of(percent)
        parts.append(f'<path d="M{x:.1f} {top}V{top + height}" stroke="#eee"/>')
        parts.append(text(x, top + height + 20, f"{percent:g}%", 'text-anchor="middle"'))
    for i, s in enumerate(summaries):
        colour = COLOURS[i % len(COLOURS)]
        points = " ".join(f"{x_of(p):.1f},{y_of(us):.1f}" for p, us in s.curve() if p >= 50)
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        y = top + 20 * i
        parts.append(
            f'<rect x="{left + width + 20}" y="{y}" width="12" height="12" fill="{colour}"/>'
        )
        parts.append(text(left + width + 38, y + 11, s.row.text))
    return svg(left + width + 200, top + height + 40, parts)


def lines(
    title: str,
    x_name: str,
    series: dict[str, list[tuple[float, float]]],
    unit: str,
    most: float | None = None,
) -> str:
    """Curves over a logarithmic x; y is linear and begins at 0. `most`: the upper end of y."""
    left, top, width, height = 70, 44, 560, 320
    points = [point for line in series.values() for point in line]
    xs = sorted({x for x, _ in points})
    step = nice_step((most or max(y for _, y in points)) / 6)
    high = step * math.ceil((most or max(y for _, y in points)) / step)

    def x_of(x: float) -> float:
        return left + width * (math.log(x / xs[0]) / math.log(xs[-1] / xs[0]) if xs[1:] else 0.5)

    def y_of(y: float) -> float:
        return top + height * (1 - y / high)

    parts = [text(12, 24, title, 'font-weight="bold"')]
    for i in range(round(high / step) + 1):
        y = y_of(i * step)
        parts.append(f'<path d="M{left} {y:.1f}H{left + width}" stroke="#ddd"/>')
        parts.append(text(left - 8, y + 4, f"{i * step:g} {unit}", 'text-anchor="end"'))
    for x in xs:
        parts.append(f'<path d="M{x_of(x):.1f} {top}V{top + height}" stroke="#eee"/>')
        parts.append(text(x_of(x), top + height + 20, short(x), 'text-anchor="middle"'))
    middle = left + width / 2
    parts.append(text(middle, top + height + 40, x_name, 'text-anchor="middle"'))
    for i, (name, line) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        drawn = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in line)
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = top + 20 * i
        parts.append(
            f'<rect x="{left + width + 20}" y="{y}" width="12" height="12" fill="{colour}"/>'
        )
        parts.append(text(left + width + 38, y + 11, name))
    return svg(left + width + 300, top + height + 56, parts)


def nice_step(least: float) -> float:
    """1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)


def short(number: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:g}{letter}"
    return f"{number:g}"
