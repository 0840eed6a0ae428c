"""Collects what happened and says it: violations, histograms, counts."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from typing import Any

EDGES_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]
SHOWN = 3  # violations of each rule printed in full
SETTLING = 2.0  # seconds after a fault in which a sample still counts as taken under it


@dataclass
class Fault:
    name: str
    begin: float
    end: float = 0.0
    note: str = ""


@dataclass
class Sample:
    """A probe: from a write's acknowledgement until it was seen through daemon A."""

    path: str
    acked: float
    seen: float

    @property
    def milliseconds(self) -> float:
        return (self.seen - self.acked) * 1000


class Report:
    def __init__(self) -> None:
        self.violations: list[dict[str, Any]] = []
        self.counts: Counter[str] = Counter()
        self.samples: list[Sample] = []
        self.faults: list[Fault] = []
        self.ages: dict[str, list[float]] = defaultdict(list)
        self.over_bound = 0
        """Answers that were older than the bound, be it within the slack."""
        self._lock = threading.Lock()

    def count(self, what: str, by: int = 1) -> None:
        with self._lock:
            self.counts[what] += by

    def violation(self, details: dict[str, Any]) -> None:
        with self._lock:
            faults = [asdict(fault) for fault in self.faults[-2:]]
            self.violations.append({**details, "last faults": faults})

    def sample(self, sample: Sample) -> None:
        with self._lock:
            self.samples.append(sample)

    def answer_age(self, daemon: str, path: str, age: float, over: bool) -> None:
        """An answer was sent for `age` s after a newer version was acknowledged."""
        with self._lock:
            self.ages[f"{daemon}, written {path}"].append(age * 1000)
            self.over_bound += over

    def quiet(self, sample: Sample) -> bool:
        return not any(
            fault.begin < sample.seen and sample.acked < (fault.end or sample.seen) + SETTLING
            for fault in self.faults
        )

    # What is said at the end

    def staleness(self) -> dict[str, list[float]]:
        by_path: dict[str, list[float]] = defaultdict(list)
        for sample in self.samples:
            when = "quiet" if self.quiet(sample) else "around faults"
            by_path[f"{sample.path}, {when}"].append(sample.milliseconds)
        return dict(sorted(by_path.items()))

    def data(self) -> dict[str, Any]:
        return {
            "violations": self.violations,
            "counts": dict(sorted(self.counts.items())),
            "staleness_ms": {name: summary(ms) for name, ms in self.staleness().items()},
            "answers_older_than_an_acknowledged_write_ms": {
                name: summary(ms) for name, ms in sorted(self.ages.items())
            },
            "answers_over_the_bound": self.over_bound,
            "faults": [asdict(fault) for fault in self.faults],
        }

    def text(self) -> str:
        lines = ["counts"]
        lines += [f"  {name:<44}{count:>9}" for name, count in sorted(self.counts.items())]
        lines += ["", "probes: from acknowledgement to first sight through A, ms"]
        lines += table(self.staleness())
        lines += ["", "answers that missed an acknowledged write, by how long, ms"]
        lines += table(dict(sorted(self.ages.items())))
        lines += [f"  {self.over_bound} over the bound (with those within the slack)", ""]
        rules = Counter(violation["rule"] for violation in self.violations)
        lines += [f"violations: {len(self.violations)} {dict(rules) if rules else ''}"]
        for rule in rules:
            of_rule = [violation for violation in self.violations if violation["rule"] == rule]
            for violation in of_rule[:SHOWN]:
                lines += ["", *(f"  {name}: {value}" for name, value in violation.items())]
        return "\n".join(lines)


def percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def summary(values: list[float]) -> dict[str, Any]:
    ordered = sorted(values)
    buckets = Counter(
        next((f"<={edge}" for edge in EDGES_MS if ms <= edge), "more") for ms in values
    )
    marks = {"p50": percentile(ordered, 0.5), "p99": percentile(ordered, 0.99)}
    figures = {name: round(ms, 2) for name, ms in {**marks, "max": ordered[-1]}.items()}
    return {"n": len(values), **figures, "buckets": dict(buckets)}


def table(by_name: dict[str, list[float]]) -> list[str]:
    width = max([36, *map(len, by_name)])
    names = [f"<={edge}" for edge in EDGES_MS] + ["more"]
    head = " " * (width + 2) + "".join(f"{n:>8}" for n in ("n", "p50", "p99", "max", *names))
    lines = [head]
    for name, values in by_name.items():
        one = summary(values)
        figures = f"{one['n']:>8}{one['p50']:>8.1f}{one['p99']:>8.1f}{one['max']:>8.1f}"
        buckets = "".join(f"{one['buckets'].get(n, '') or '.':>8}" for n in names)
        lines.append(f"  {name:<{width}}{figures}{buckets}")
    return lines
