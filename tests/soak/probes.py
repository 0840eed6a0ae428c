"""Dedicated measurements: how long until a write is seen through A, and when hits resume."""

from __future__ import annotations

import threading
import time
import urllib.error
from dataclasses import dataclass, field

from readers import Reads
from registers import Register
from report import Report, Sample
from support.servers import Daemon
from writers import DATABASE, Writer

HITS = ("l1_hit", "redis_hit", "coalesced")
GIVE_UP = 20.0
BETWEEN_POLLS = 0.001
BETWEEN_SCRAPES = 0.1


class Prober(threading.Thread):
    """Writes a register of its own by one path, and asks A until it shows."""

    def __init__(
        self, reads: Reads, register: Register, writer: Writer, path: str, stop: threading.Event
    ) -> None:
        super().__init__(name=f"probe {path}", daemon=True)
        self.reads = reads
        self.register = register
        self.writer = writer
        self.path = path
        self.stop = stop

    def run(self) -> None:
        films = self.writer.doors["A"].client[DATABASE][self.register.collection]
        while not self.stop.wait(0.05):
            for _ in range(3):  # so that it is cached
                self.reads.by_id(films, self.register)
            version = self.writer.one(self.register, self.path, "update")
            if version is None:
                continue
            end = version.acked + GIVE_UP
            while time.monotonic() < end:
                number = self.reads.by_id(films, self.register)
                if number is not None and number >= version.number:
                    name = "behind" if self.path == "behind" else "through the other proxy"
                    self.reads.checker.report.sample(Sample(name, version.acked, time.monotonic()))
                    break
                if self.stop.wait(BETWEEN_POLLS):
                    return


@dataclass
class Course:
    """What a daemon's counters said over time."""

    times: list[float] = field(default_factory=list)
    hits: list[float] = field(default_factory=list)
    total: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)

    def add(self, now: float, outcomes: dict[str, float]) -> None:
        """Counters start anew when the daemon does."""
        for name, value in outcomes.items():
            before = self.last.get(name, 0.0)
            grown = value - before if value >= before else value
            self.total[name] = self.total.get(name, 0.0) + grown
        self.last = outcomes
        self.times.append(now)
        self.hits.append(sum(self.total.get(name, 0.0) for name in HITS))

    def rate(self, begin: float, end: float) -> float:
        """Hits a second between the first and the last scrape in that time."""
        inside = [(t, h) for t, h in zip(self.times, self.hits, strict=True) if begin <= t <= end]
        if len(inside) < 2:
            return 0.0
        return (inside[-1][1] - inside[0][1]) / (inside[-1][0] - inside[0][0])

    def resumed(self, since: float, until: float, rate: float) -> float | None:
        """Seconds until hits came at a quarter of that rate."""
        for at in range(1, len(self.times)):
            now, before = self.times[at], self.times[at - 1]
            if since <= before and now <= until:
                grown = self.hits[at] - self.hits[at - 1]
                if grown >= max(1.0, rate / 4 * (now - before)):
                    return now - since
        return None


class Monitor(threading.Thread):
    """Scrapes both daemons."""

    def __init__(self, daemons: dict[str, Daemon], stop: threading.Event) -> None:
        super().__init__(name="monitor", daemon=True)
        self.daemons = daemons
        self.stop = stop
        self.courses = {name: Course() for name in daemons}
        self._guard = threading.Lock()

    def run(self) -> None:
        while not self.stop.wait(BETWEEN_SCRAPES):
            self.scrape()

    def scrape(self) -> None:
        for name, daemon in self.daemons.items():
            if not daemon.process.alive:
                continue
            try:
                metrics = daemon.metrics()
            except (OSError, urllib.error.URLError):
                continue
            with self._guard:
                outcomes = metrics.by("mongocached_requests_total", "outcome")
                self.courses[name].add(time.monotonic(), outcomes)

    def hits(self) -> float:
        return sum(course.hits[-1] for course in self.courses.values() if course.hits)

    def outcomes(self) -> dict[str, dict[str, int]]:
        return {
            name: {outcome: int(count) for outcome, count in sorted(course.total.items())}
            for name, course in self.courses.items()
        }

    def own_counters(self) -> dict[str, dict[str, dict[str, float]]]:
        """What the daemons say of themselves, since each started last."""
        names = {
            "mongocached_invalidations_total": "source",
            "mongocached_fills_rejected_total": "reason",
            "mongocached_bypass_total": "reason",
            "mongocached_verified_total": "result",
        }
        scrapes = {name: daemon.metrics() for name, daemon in self.daemons.items()}
        return {
            name: {metric: scrape.by(metric, label) for metric, label in names.items()}
            for name, scrape in scrapes.items()
        }

    def resumption(self, report: Report) -> list[dict[str, object]]:
        """For each fault: seconds from its end until each daemon hit as it did before it."""
        rows: list[dict[str, object]] = []
        nexts = [*(fault.begin for fault in report.faults[1:]), float("inf")]
        for fault, until in zip(report.faults, nexts, strict=False):  # without faults: none
            row: dict[str, object] = {"fault": fault.name, "lasted": fault.end - fault.begin}
            for name, course in self.courses.items():
                usual = course.rate(fault.begin - 2, fault.begin)
                row[name] = course.resumed(fault.end, until, usual)
            rows.append(row)
        return rows
