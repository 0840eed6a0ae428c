"""The cache at scale: memory, look-ups, insertions and hit ratios of the in-process cache by the
programs bench_scale and bench_eviction, then the daemon itself with many entries, in its memory and
in Redis."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness import charts, machine, scale_daemon
from harness.processes import BenchError, run_to_end
from harness.subjects import Setting

TITLE = "The cache at scale"
GIB = 1024**3
HUGE_PAGES = "glibc.malloc.hugetlb=1"  # madvise(MADV_HUGEPAGE)
# Entries of 560 bytes that a look-up's chase and then the cache take, and the rest of the machine.
BYTES_OF_ENTRY = 900


@dataclass(frozen=True)
class Extent:
    memory: tuple[tuple[int, int], ...]  # entries, bytes of a value
    budget: int
    entries: tuple[int, ...]
    lookups: int
    insertions: int
    objects: int
    requests: int


FULL = Extent(
    ((1_000_000, 100), (1_000_000, 560), (100_000, 10_000)),
    GIB // 2,
    (1000, 10_000, 100_000, 1_000_000, 4_000_000),
    2_000_000,
    1_000_000,
    100_000,
    1_000_000,
)
QUICK = Extent(((10_000, 560),), 16 * 1024**2, (1000, 10_000), 20_000, 10_000, 2000, 20_000)
# Bytes of the first values that pass through a full cache, and of those behind them.
PASSING = ((100, 100), (560, 560), (10_000, 10_000), (560, 10_000), (10_000, 560))
PERCENTILES = ("mean", "p50", "p99", "p99.9", "p99.99", "max")


def ask(setting: Setting, tool: str, *options: object, tunables: str = "") -> dict:
    command: list[object] = [setting.tools / tool, *options]
    if tunables:
        command = ["env", f"GLIBC_TUNABLES={tunables}", *command]
    done = run_to_end(command, setting.cores.server, timeout=1800)
    if done.returncode != 0:
        raise BenchError(f"{tool} {options} failed:\n{done.stdout[-500:]}{done.stderr[-1500:]}")
    return json.loads(done.stdout)


def run(setting: Setting, quick: bool) -> dict:
    extent = QUICK if quick else FULL
    return {
        "memory": [
            ask(setting, "bench_scale", "memory", "--entries", entries, "--value-bytes", size)
            for entries, size in extent.memory
        ],
        "budget": [
            ask(
                setting, "bench_scale", "budget", "--budget", extent.budget,
                "--value-bytes", first, "--then-bytes", then,
            )
            for first, then in PASSING
        ],
        "lookups": [*lookups(setting, extent)],
        "insertions": ask(setting, "bench_scale", "insertions", "--entries", extent.insertions),
        "hits": ask(
            setting, "bench_eviction", "--curves", "--objects", extent.objects,
            "--requests", extent.requests,
        ),
        "daemon": scale_daemon.run(setting, quick),
    }  # fmt: skip


def lookups(setting: Setting, extent: Extent) -> Iterator[dict]:
    for entries in extent.entries:
        if entries * BYTES_OF_ENTRY + 2 * GIB > machine.available_bytes():
            continue
        for keys in ((), ("--zipf",)):
            for tunables in ("", HUGE_PAGES):
                options = ["--entries", entries, "--lookups", extent.lookups, *keys]
                found = ask(setting, "bench_scale", "lookups", *options, tunables=tunables)
                yield found | {"huge": bool(tunables)}


def text(found: dict) -> str:
    parts = [
        "### Memory of an entry",
        *text_of_memory(found["memory"]),
        *text_of_budget(found["budget"]),
        "### A hit, by entries held",
        *text_of_lookups(found["lookups"]),
        "### One insertion",
        *text_of_insertions(found["insertions"]),
        "### Hit ratio, by memory",
        *text_of_hits(found["hits"]),
        scale_daemon.text(found["daemon"]),
    ]
    return "\n".join(parts)


def text_of_memory(found: list[dict]) -> Iterator[str]:
    yield "\n| entries | value | key | counted beyond | resident beyond | resident/counted |"
    yield "|--:|--:|--:|--:|--:|--:|"
    for one in found:
        counted, resident = (
            (one[n] - one["payload"]) / one["entries"] for n in ("counted", "resident")
        )
        yield (
            f"| {one['entries']:,} | {one['value_bytes']:,} B | {one['key_bytes']} B "
            f"| {counted:.0f} B | {resident:.0f} B | {one['resident'] / one['counted']:.3f} |"
        )
    yield (
        "\nBeyond: bytes an entry besides its key and value. Of these, "
        f"{found[0]['header_bytes']} are its header; the rest is what malloc rounds up to, the "
        "index and the policy's counters."
    )


def text_of_budget(found: list[dict]) -> Iterator[str]:
    yield (
        f"\nA cache of {found[0]['budget'] / 1024**2:,.0f} MiB after ten times as many bytes went "
        "through it, the second half maybe of another size:\n"
    )
    yield (
        "| values | then | counted/budget | resident/budget, most in the first half | most in the "
        "second | at the end |"
    )
    yield "|--:|--:|--:|--:|--:|--:|"
    for one in found:
        counted, first, then, end = (
            one[name] / one["budget"] for name in ("counted", "most_first", "most_then", "resident")
        )
        yield (
            f"| {one['value_bytes']:,} B | {one['then_bytes']:,} B | {counted:.3f} | {first:.3f} "
            f"| {then:.3f} | {end:.3f} |"
        )
    yield ""


def growth(found: list[dict], zipf: bool, huge: bool) -> Iterator[tuple[dict, float | None]]:
    """Each look-up's figures, and how many dependent reads its time above the smallest cache's is
    worth, where such a read takes notably longer too."""
    rows = [one for one in found if one["zipf"] is zipf and one["huge"] is huge]
    for one in rows:
        more = one["chase_ns"] - rows[0]["chase_ns"]
        yield one, (one["hit_ns"] - rows[0]["hit_ns"]) / more if more > 5 else None


def text_of_lookups(found: list[dict]) -> Iterator[str]:
    yield (
        "\nA hit: the key hashed, found, and the first byte of its value read, each key known only "
        "when the hit before it is done. One read: of a block of the same size among as many, its "
        "address known only when the read before it is done; the least that any structure pays "
        "whose entries do not fit the processor's caches. Growth in reads: the hit's time above "
        "that of the smallest cache, through the read's time above that of the smallest.\n"
    )
    yield "| keys | pages | entries | bytes | a hit, ns | one read, ns | growth in reads |"
    yield "|---|---|--:|--:|--:|--:|--:|"
    for zipf in (False, True):
        for huge in (False, True):
            for one, reads in growth(found, zipf, huge):
                cells = ["Zipf 0.99" if zipf else "random", "huge" if huge else "4 kB"]
                cells += [f"{one['entries']:,}", f"{one['footprint'] / 1e6:,.0f} MB"]
                cells += [f"{one['hit_ns']:.0f}", f"{one['chase_ns']:.1f}"]
                cells.append("" if reads is None else f"{reads:.1f}")
                yield "| " + " | ".join(cells) + " |"
    yield f"\nOf a hit, {found[0]['key_ns']:.0f} ns are for the key and its hash.\n"


def text_of_insertions(found: dict) -> Iterator[str]:
    yield (
        f"\n{found['entries']:,} entries of {found['value_bytes']} bytes, ns, with some 25 for the "
        f"clock. Own: of the same call repeated {found['repeats']} times the fastest, so that what "
        "other programs took is out and what the cache itself stalls for is in.\n"
    )
    yield "| step | " + " | ".join(PERCENTILES) + " | own p99.99 | own max |"
    yield "|---|" + "--:|" * (len(PERCENTILES) + 2)
    names = {
        "make_growing": "make the entry, cache growing",
        "insert_growing": "insert it, with room",
        "make_full": "make the entry, cache full",
        "insert_full": "insert it, another leaves",
    }
    for name, shown in names.items():
        any_, own = found[name]["any"], found[name]["own"]
        cells = [f"{any_[p]:,.0f}" for p in PERCENTILES] + [
            f"{own[p]:,}" for p in ("p99.99", "max")
        ]
        yield f"| {shown} | " + " | ".join(cells) + " |"
    yield ""


def text_of_hits(found: dict) -> Iterator[str]:
    yield (
        f"\n{found['objects']:,} objects, {found['requests']:,} requests; equal: 1 KiB each, "
        "mixed: 100 B to 20 kB. Memory in percent of all objects' bytes. Each cell: LRU / "
        "`local_cache` / optimum. `local_cache` is the daemon's own cache through its interface, "
        "with index, counters and shards in its budget; LRU has nothing but entries in its. "
        "Optimum: Belady for equal sizes, for mixed ones a bound above it (PFOO-L).\n"
    )
    points = found["points"]
    shares = list(dict.fromkeys(one["percent"] for one in points))
    yield "| trace | sizes | " + " | ".join(f"memory {share:g} %" for share in shares) + " |"
    yield "|---|---|" + "---|" * len(shares)
    for trace, sizes in dict.fromkeys((one["trace"], one["sizes"]) for one in points):
        cells = [
            " / ".join(f"{100 * one[name]:.1f}" for name in ("lru", "local_cache", "optimum"))
            for one in points
            if (one["trace"], one["sizes"]) == (trace, sizes)
        ]
        yield f"| {trace} | {sizes} | " + " | ".join(cells) + " |"
    apart = [100 * abs(one["model"] - one["local_cache"]) for one in points if one["percent"] >= 1]
    yield (
        "\nThe policy alone, as bench/README-eviction.md compares it, and `local_cache` are "
        f"{max(apart):.1f} points apart at most and {sum(apart) / len(apart):.2f} in the mean, "
        "from 1 % on.\n"
    )


def pictures(found: dict) -> dict[str, str]:
    drawn = {"scale_lookups": picture_of_lookups(found["lookups"])}
    points = [one for one in found["hits"]["points"] if one["sizes"] == "equal"]
    for trace in dict.fromkeys(one["trace"] for one in points):
        shown = [one for one in points if one["trace"] == trace]
        names = {"optimum": "optimum", "local_cache": "mongocached", "lru": "LRU"}
        series = {
            text: [(one["percent"], 100 * one[name]) for one in shown]
            for name, text in names.items()
        }
        plain = re.sub("[^a-z0-9]+", "_", trace.lower())
        title = f"Hit ratio, {trace}"
        drawn[f"scale_hits_{plain}"] = charts.lines(
            title, "memory, % of all objects' bytes", series, "%", 100
        )
    for name, title in (("memory", "A hit in memory"), ("redis", "A hit in Redis")):
        rows = found["daemon"][name]["rows"]
        count = "entries" if name == "memory" else "values"
        series = {p: [(row[count], row[f"{p}_us"]) for row in rows] for p in ("p50", "p99")}
        series["daemon CPU a request, 50 conn"] = [
            (row[count], row["server_cpu_us"]) for row in rows
        ]
        drawn[f"scale_{name}"] = charts.lines(f"{title}, 1 conn", count, series, "us")
    return drawn


def picture_of_lookups(found: list[dict]) -> str:
    series = {}
    for zipf, keys in ((False, "random"), (True, "Zipf")):
        for huge, pages in ((False, "4 kB pages"), (True, "huge pages")):
            rows = [one for one, _ in growth(found, zipf, huge)]
            series[f"hit, {keys}, {pages}"] = [(one["entries"], one["hit_ns"]) for one in rows]
            if not zipf:
                series[f"one read, {pages}"] = [(one["entries"], one["chase_ns"]) for one in rows]
    return charts.lines("A hit in the in-process cache", "entries", series, "ns")
