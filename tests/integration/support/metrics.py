"""Reading the daemon's metrics."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator

SAMPLE = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Metrics:
    """One scrape. A metric that is not there has the value 0."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples: list[tuple[str, dict[str, str], float]] = list(_parse(text))

    def value(self, name: str, **labels: str) -> float:
        """The sum of all samples of that name that carry these labels."""
        return sum(
            value
            for sample, have, value in self.samples
            if sample == name and labels.items() <= have.items()
        )

    def by(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """Sums by the values of one label, without those that are 0."""
        sums: dict[str, float] = {}
        for sample, have, value in self.samples:
            if sample == name and label in have and labels.items() <= have.items() and value:
                sums[have[label]] = sums.get(have[label], 0.0) + value
        return sums

    def names(self) -> set[str]:
        return {name for name, _, _ in self.samples}


def _parse(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = SAMPLE.match(line)
        assert match, f"not a line of the Prometheus text format: {line!r}"
        yield match["name"], dict(LABEL.findall(match["labels"] or "")), float(match["value"])


def scrape(http_url: str) -> Metrics:
    with urllib.request.urlopen(f"{http_url}/metrics", timeout=5) as answer:
        return Metrics(answer.read().decode())
