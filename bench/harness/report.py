"""From single measurements to medians, ratios, and the table."""

import statistics
from dataclasses import dataclass

from harness.rows import Row, Shape

PERCENTILES = ("p50", "p90", "p99", "p99.9", "max")

# (row, yardstick, what the ratio of their throughputs says)
RATIOS = [
    ("memory_hit", "echo", "a hit in memory keeps this share of the bare echo"),
    (
        "memory_hit",
        "memory_hit_ttl",
        "a hit checked against the change stream, against one that is not",
    ),
    ("fill", "fill_ttl", "a stored miss in mode bounded, against mode ttl"),
    ("redis_hit", "redis_get", "a hit in Redis keeps this share of Redis itself"),
    ("relay", "haproxy", "a relayed find, against HAProxy's TCP relay"),
    ("relay", "direct", "a relayed find, against the stub without a relay"),
    ("haproxy", "direct", "HAProxy, against the stub without a relay"),
    ("miss", "relay", "a miss, against a relayed find"),
    ("fill", "relay", "a miss that is stored, against a relayed find"),
    ("memory_hit", "upstream", "a hit in memory, against SecantusDB itself"),
    ("write", "write_haproxy", "a write, against HAProxy's TCP relay"),
    ("write", "write_direct", "a write, against the stub without a relay"),
    ("mixed", "mixed_direct", "95/5 Zipf with lists, against the stub without a cache"),
    ("memory_hit_1k", "echo_1k", "a hit of 1 kB keeps this share of the bare echo"),
    ("memory_hit_16k", "echo_16k", "a hit of 16 kB keeps this share of the bare echo"),
    ("memory_hit_1m", "echo_1m", "a hit of 1 MB keeps this share of the bare echo"),
    ("two_threads", "one_thread", "hits in memory, two threads against one"),
    ("memory_hit_tls", "echo_tls", "a hit over TLS keeps this share of the bare echo over TLS"),
    ("memory_hit_tls", "memory_hit", "a hit over TLS, against one without"),
    ("relay_tls", "haproxy_tls", "a relayed find over TLS, against HAProxy's relay"),
    ("relay_tls_both", "haproxy_tls_both", "the same with TLS on both sides"),
]


@dataclass
class Summary:
    """Medians over the rounds of one row in one shape."""

    row: Row
    shape: Shape
    rounds: list[dict]

    def median(self, name: str) -> float:
        return statistics.median(r[name] for r in self.rounds)

    def latency(self, percentile: str) -> float:
        return statistics.median(r["latency_us"][percentile] for r in self.rounds)

    def curve(self) -> list[tuple[float, float]]:
        """Latency in microseconds by percentile."""
        curves = [r["curve"] for r in self.rounds]
        return [
            (points[0][0], statistics.median(us for _, us in points))
            for points in zip(*curves, strict=True)
        ]

    def spread(self) -> float:
        """Distance from the slowest to the fastest round, as a share of the median."""
        values = [r["throughput"] for r in self.rounds]
        return (max(values) - min(values)) / statistics.median(values)

    def notes(self) -> str:
        """Why a figure may say less than it seems to."""
        notes = []
        load, server = self.median("load_core_busy"), self.median("server_core_busy")
        if not self.shape.rate and load > 0.97 > server:
            notes.append("load core full")
        if self.median("server_core_foreign") > 0.05:
            notes.append(f"disturbed {self.median('server_core_foreign'):.0%}")
        if self.median("unsent") > 0.001 * self.median("requests"):
            notes.append("rate not kept")
        if self.row.share < 0.99:
            notes.append(f"{self.row.outcome} {self.median('right_share'):.0%}")
        if self.spread() > 0.15:
            notes.append(f"spread {self.spread():.0%}")
        return ", ".join(notes)

    def as_json(self) -> dict:
        return {
            "row": self.row.name,
            "connections": self.shape.connections,
            "rate": self.shape.rate,
            "throughput": self.median("throughput"),
            "latency_us": {p: self.latency(p) for p in PERCENTILES},
            "curve": self.curve(),
            "server_cpu_us": self.median("server_cpu_us"),
            "notes": self.notes(),
            "rounds": self.rounds,
        }


def table(summaries: list[Summary]) -> str:
    lines = [
        "| row | load | requests/s | p50 us | p99 us | p99.9 us | server CPU us/request "
        "| server core | load core | notes |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for s in summaries:
        cells = [s.row.text, s.shape.name, f"{s.median('throughput'):,.0f}"]
        cells += [f"{s.latency(p):.1f}" for p in ("p50", "p99", "p99.9")]
        cells += [f"{s.median('server_cpu_us'):.1f}"]
        cells += [f"{s.median(core):.0%}" for core in ("server_core_busy", "load_core_busy")]
        lines.append("| " + " | ".join([*cells, s.notes()]) + " |")
    return "\n".join(lines)


def ratios(summaries: list[Summary]) -> list[dict]:
    """Of throughput and median latency, for each closed loop that both sides ran under."""
    found = []
    by_key = {(s.row.name, s.shape): s for s in summaries if not s.shape.rate}
    for (name, shape), a in by_key.items():
        for row, yardstick, text in RATIOS:
            b = by_key.get((yardstick, shape))
            if row != name or not b:
                continue
            found.append(
                {
                    "row": row,
                    "yardstick": yardstick,
                    "text": text,
                    "connections": shape.connections,
                    "throughput": a.median("throughput") / b.median("throughput"),
                    "p50": a.latency("p50") / b.latency("p50"),
                    "p50_more_us": a.latency("p50") - b.latency("p50"),
                }
            )
    return found


def ratio_table(found: list[dict]) -> str:
    lines = [
        "| what | load | throughput | p50 | p50, us more |",
        "|---|---|--:|--:|--:|",
    ]
    lines += [
        f"| {r['text']} | {r['connections']} conn | {r['throughput']:.2f} | {r['p50']:.2f} "
        f"| {r['p50_more_us']:+.1f} |"
        for r in found
    ]
    return "\n".join(lines)


def cross_check(found: dict[int, float], summaries: list[Summary]) -> str:
    """redis-benchmark beside our own load generator."""
    lines = []
    for connections, rate in found.items():
        for s in summaries:
            if (s.row.name, s.shape) == ("redis_get", Shape(connections)):
                ours = s.median("throughput")
                lines.append(
                    f"- Redis GET, {connections} conn: redis-benchmark {rate:,.0f}/s, "
                    f"our load generator {ours:,.0f}/s ({ours / rate:.2f})"
                )
    return "\n".join(lines)
