"""What is promised of speed, beside what was measured."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from harness import cost, far, idle, scale
from harness.report import Summary
from harness.rows import Shape

# The only system calls of a hit: receive, send and the wait for events, under their several names.
ALLOWED = {"recvfrom", "recvmsg", "read", "sendto", "sendmsg", "write"}
ALLOWED |= {"epoll_wait", "epoll_pwait", "epoll_pwait2"}
BYTES_OF_IDLE_CLIENT = 8 * 1024


@dataclass(frozen=True)
class Target:
    text: str
    wanted: str
    measured: str
    share: float | None
    """Measured through wanted, where that says something."""
    met: bool
    notes: str = ""

    def as_json(self) -> dict:
        return vars(self)


def at_least(text: str, wanted: float, measured: float, unit: str = "x") -> Target:
    return Target(
        text,
        f">= {wanted:g}{unit}",
        f"{measured:.2f}{unit}",
        measured / wanted,
        measured >= wanted,
    )


def targets(summaries: list[Summary], sections: dict[str, dict]) -> list[Target]:
    """Those of which everything was measured."""
    found = [*of_rows(summaries)]
    if "far" in sections:
        speed_up = sections["far"]["mongocached"]["speed_up"]
        found.append(at_least(f"{far.TITLE}: a read, against a direct one", 150, speed_up))
    if "idle" in sections:
        found += of_idle(sections["idle"])
    if "cost" in sections:
        found += of_cost(sections["cost"]["rows"].get("memory_hit", {}))
    if "scale" in sections:
        found += of_scale(sections["scale"])
    return found


# Row, yardstick, shape; at least this share of its throughput, or at most this many times its p50.
THROUGHPUT = [
    (
        "memory_hit",
        "echo",
        Shape(50),
        0.90,
        "a hit in memory, of the bare echo's throughput",
    ),
    (
        "redis_hit",
        "redis_get",
        Shape(50),
        1.0,
        "a hit in Redis, of Redis GET's throughput",
    ),
    ("relay", "haproxy", Shape(50), 1.0, "a relayed find, of HAProxy's throughput"),
    ("two_threads", "one_thread", Shape(50), 1.7, "two threads, against one"),
]
LATENCY = [
    (
        "memory_hit",
        "echo",
        Shape(1),
        1.15,
        "p50 of a hit in memory, against the bare echo's",
    ),
    ("relay", "haproxy", Shape(1), 1.0, "p50 of a relayed find, against HAProxy's"),
]


def of_rows(summaries: list[Summary]) -> Iterator[Target]:
    found = {(s.row.name, s.shape): s for s in summaries if not s.shape.rate}

    def pairs(wanted: list) -> Iterator[tuple[Summary, Summary, float, str]]:
        for name, yardstick, shape, limit, text in wanted:
            ours, theirs = found.get((name, shape)), found.get((yardstick, shape))
            if ours and theirs:
                yield ours, theirs, limit, f"{text}, {shape.name}"

    for ours, theirs, least, text in pairs(THROUGHPUT):
        ratio = ours.median("throughput") / theirs.median("throughput")
        yield replace(at_least(text, least, ratio), notes=notes_of(ours, theirs))
    for ours, theirs, most, text in pairs(LATENCY):
        ratio = ours.latency("p50") / theirs.latency("p50")
        notes = notes_of(ours, theirs)
        yield Target(text, f"<= {most:g}x", f"{ratio:.2f}x", ratio / most, ratio <= most, notes)
    for shape in (Shape(1), Shape(50)):
        relayed, missed = found.get(("relay", shape)), found.get(("miss", shape))
        if relayed and missed:
            more = relayed.median("throughput") / missed.median("throughput") - 1
            text = f"a miss, slower than the same request relayed, {shape.name}"
            notes = notes_of(relayed, missed)
            yield Target(text, "<= 15 %", f"{more:.1%}", more / 0.15, more <= 0.15, notes)


def notes_of(a: Summary, b: Summary) -> str:
    """Why the two of them may not be comparable."""
    said = [f"{s.row.name}: {notes}" for s in (a, b) if (notes := s.notes())]
    return "; ".join(said)


def of_idle(found: dict) -> Iterator[Target]:
    for state, name in idle.STATES.items():
        used = found["bytes"][state]
        share = used / BYTES_OF_IDLE_CLIENT
        text = f"resident memory of an idle client, {name}"
        yield Target(text, "<= 8 kB", f"{used / 1024:.1f} kB", share, share <= 1)
    share = found["clients"] / idle.WANTED
    text = "clients connected at once, all answered"
    yield Target(text, f"{idle.WANTED:,}", f"{found['clients']:,}", share, share >= 1)


def of_cost(hit: dict) -> Iterator[Target]:
    if "allocations" in hit:
        made = hit["allocations"]
        yield Target("allocations of a hit in memory", "0", f"{made:.3f}", None, made < 0.005)
    for connections, calls in hit.get("system_calls", {}).items():
        other = {name: n for name, n in calls.items() if name not in ALLOWED}
        text = f"system calls of a hit but receive, send, wait (so no timers), {connections} conn"
        yield Target(text, "none", cost.listed(other) or "none", None, not other)


def of_scale(found: dict) -> Iterator[Target]:
    def at_most(text: str, wanted: float, measured: float, unit: str) -> Target:
        share = measured / wanted
        return Target(text, f"<= {wanted:g}{unit}", f"{measured:.2f}{unit}", share, share <= 1)

    same_size = [one for one in found["budget"] if one["value_bytes"] == one["then_bytes"]]
    resident = max(one["most_then"] / one["budget"] for one in same_size)
    yield at_most("resident memory of a full cache, of its budget", 1.25, resident, "x")
    reads = [n for huge in (False, True) for _, n in scale.growth(found["lookups"], False, huge)]
    if known := [n for n in reads if n is not None]:
        text = "what a hit takes longer among more entries, in single reads"
        yield at_most(text, 6, max(known), "")
    stall = found["insertions"]["insert_growing"]["own"]["max"] / 1e6
    yield at_most("longest stall of an insertion by a growing cache", 1, stall, " ms")
    rows = found["daemon"]["redis"]["rows"]
    text = (
        f"p50 of a hit in Redis among {rows[-1]['values']:,} values, against {rows[0]['values']:,}"
    )
    yield at_most(text, 1.25, rows[-1]["p50_us"] / rows[0]["p50_us"], "x")


def table(found: list[Target]) -> str:
    if not found:
        return ""
    lines = ["| target | wanted | measured | measured/wanted | met | notes |"]
    lines.append("|---|--:|--:|--:|---|---|")
    for t in found:
        share = "" if t.share is None else f"{t.share:.2f}"
        met = "yes" if t.met else "**no**"
        lines.append(f"| {t.text} | {t.wanted} | {t.measured} | {share} | {met} | {t.notes} |")
    return "\n".join(lines)
