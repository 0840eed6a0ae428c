"""The running daemon with many entries: in its own memory, and in Redis."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness import machine, measure, subjects
from harness.processes import BenchError, OtherOutcome, ProcessGroup, run_to_end
from harness.redis_info import RedisInfo
from harness.rows import BY_NAME, Row, Shape
from harness.subjects import STUB_SET, Setting, Subject

MIB = 1024**2
LARGE_REPLY = 10_000
FIRST_VALUES = 100
# Nothing expires meanwhile, and a busy machine does not close the gate.
CALM = {"CACHE_TTL": "1d", "CACHE_MAX_LAG": "30s", "REDIS_TIMEOUT": "5s"}
SHAPES = (Shape(1), Shape(50))
ATTEMPTS = 4  # at hits that ended in another way, on a busy machine
# What a value of LARGE_REPLY may take in Redis with its record, and the rest of this machine.
BYTES_OF_VALUE = 13_000
SPARE_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Extent:
    """How many entries, fewest first, and for how long each is measured."""

    seconds: float
    memory: str  # the daemon's own, which all fit into
    entries: tuple[int, ...]
    tight: str  # which they do not
    passing: int


FULL = Extent(2.0, "2GiB", (1000, 10_000, 100_000, 1_000_000), "256MiB", 1_500_000)
QUICK = Extent(0.2, "64MiB", (1000, 10_000), "16MiB", 60_000)


def with_keys(name: str, keys: int) -> Row:
    """The row, on so many documents that were all asked for before."""
    load = ["--keys", "uniform", "--key-space", str(keys), "--no-sweep"]
    return replace(BY_NAME[name], load=load, share=0.98)


def ask_for_all(setting: Setting, subject: Subject, keys: int) -> None:
    options = ["--keys", "uniform", "--key-space", str(keys), "--connections", "50"]
    options += ["--warm-up", "0", "--count", "500"]
    command = measure.load_command(setting, subject, options)
    done = run_to_end(command, setting.cores.load, timeout=3600)
    subject.server.check_alive()
    if done.returncode != 0:
        raise BenchError(f"load failed:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")


def times(setting: Setting, row: Row, subject: Subject, seconds: float) -> dict:
    """Latency in microseconds with one connection, and what a request costs with fifty."""
    one, many = (patiently(setting, row, subject, shape, seconds) for shape in SHAPES)
    return {
        "p50_us": one["latency_us"]["p50"],
        "p99_us": one["latency_us"]["p99"],
        "throughput": many["throughput"],
        "server_cpu_us": many["server_cpu_us"],
    }


def patiently(setting: Setting, row: Row, subject: Subject, shape: Shape, seconds: float) -> dict:
    """A busy machine makes some requests late; a broken daemon fails every time."""
    for _ in range(ATTEMPTS - 1):
        try:
            measure.wait_for_outcome(setting, row, subject)
            return measure.measure(setting, row, subject, shape, seconds, 0.2)
        except OtherOutcome as error:
            print(f"once more: {error}", flush=True)
    return measure.measure(setting, row, subject, shape, seconds, 0.2)


def in_memory(setting: Setting, extent: Extent) -> dict:
    """Hits in the daemon's memory as entries grow in number."""
    with ProcessGroup(setting.folder) as group:
        settings = CALM | {"CACHE_MEMORY": extent.memory}
        subject = subjects.daemon(group, setting, settings)
        ask_for_all(setting, subject, extent.entries[0])
        first = subject.server.resident_bytes()
        found = []
        for entries in extent.entries:
            ask_for_all(setting, subject, entries)
            resident = subject.server.resident_bytes() - first
            row = with_keys("memory_hit", entries)
            found.append(
                {
                    "entries": entries,
                    "resident": resident,
                    **times(setting, row, subject, extent.seconds),
                }
            )
    return {"reply_size": setting.reply_size, "rows": found}


def over_budget(setting: Setting, extent: Extent) -> dict:
    """Resident memory of a daemon through which more documents passed than its memory holds."""
    budget = int(extent.tight.removesuffix("MiB")) * MIB
    with ProcessGroup(setting.folder) as group:
        settings = CALM | {"CACHE_MEMORY": extent.tight}
        subject = subjects.daemon(group, setting, settings)
        before = subject.server.resident_bytes()
        ask_for_all(setting, subject, extent.passing)
        after = subject.server.resident_bytes()
    return {"budget": budget, "documents": extent.passing, "before": before, "after": after}


def affordable(wanted: int) -> int:
    """So many values of LARGE_REPLY, or as many as there is memory for."""
    room = max(machine.available_bytes() - SPARE_BYTES, 0) // BYTES_OF_VALUE
    return wanted if room >= wanted else 10 ** (len(str(max(room, 1))) - 1)


def sizes_up_to(most: int) -> Iterator[int]:
    size = most
    while size > 1000 and size > most // 1000:
        size //= 10
    while size <= most:
        yield size
        size *= 10


def in_redis(setting: Setting, quick: bool, extent: Extent) -> dict:
    """Hits in Redis as values grow in number, all of them filled by the daemon itself."""
    wanted = 1000 if quick else setting.redis_values
    setting = replace(setting, reply_size=LARGE_REPLY)
    with ProcessGroup(setting.folder) as group:
        _, stub_port = subjects.start_stub(group, setting, setting.cores.backend)
        redis, redis_port = subjects.start_redis(group, setting.cores.backend)
        upstream = f"mongodb://127.0.0.1:{stub_port}/?replicaSet={STUB_SET}"
        redis_uri = f"redis://127.0.0.1:{redis_port}/0"
        settings = CALM | {"CACHE_MEMORY": "0"}
        subject = subjects.start_daemon(group, setting, upstream, redis_uri, settings)
        # What the first values bring along (scripts, buffers, tables) is no value's. From here on
        # the daemon trusts this Redis, so that it fills what it is asked for.
        measure.wait_for_outcome(setting, with_keys("redis_hit", FIRST_VALUES), subject)
        info = RedisInfo(redis_port)
        used, keys, found = info.used_bytes(), info.keys(), []
        most = affordable(wanted)
        for values in sizes_up_to(most):
            ask_for_all(setting, subject, values)
            row = with_keys("redis_hit", values)
            measure.wait_for_outcome(setting, row, subject)
            # Two keys an entry: its value and its record.
            each = (info.used_bytes() - used) / ((info.keys() - keys) / 2)
            found.append(
                {
                    "values": values,
                    "redis_each": each,
                    "redis_resident": redis.resident_bytes(),
                    "daemon_resident": subject.server.resident_bytes(),
                    **times(setting, row, subject, extent.seconds),
                }
            )
        one = info.one_entry()
    return {"wanted": wanted, "most": most, "rows": found, "entry": one}


def run(setting: Setting, quick: bool) -> dict:
    extent = QUICK if quick else FULL
    Path(setting.folder).mkdir(exist_ok=True)
    return {
        "memory": in_memory(setting, extent),
        "budget": over_budget(setting, extent),
        "redis": in_redis(setting, quick, extent),
    }


def table_of_times(found: list[dict], count: str) -> list[str]:
    lines = [
        f"| {count} | p50 us, 1 conn | p99 us, 1 conn | requests/s, 50 conn "
        "| daemon CPU us/request | daemon resident |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for row in found:
        resident = row.get("daemon_resident", row.get("resident"))
        lines.append(
            f"| {row[count]:,} | {row['p50_us']:.1f} | {row['p99_us']:.1f} "
            f"| {row['throughput']:,.0f} | {row['server_cpu_us']:.1f} | {resident / MIB:,.0f} MiB |"
        )
    return lines


def text(found: dict) -> str:
    memory, budget, redis = found["memory"], found["budget"], found["redis"]
    lines = ["### The daemon, entries in its own memory", ""]
    lines += [f"Replies of {memory['reply_size']} bytes; resident memory above the first row's."]
    lines += ["", *table_of_times(memory["rows"], "entries"), ""]
    grown = (budget["after"] - budget["before"]) / budget["budget"]
    lines += [
        f"With `cache.memory` of {budget['budget'] / MIB:,.0f} MiB and {budget['documents']:,} "
        f"documents read, the process grew from {budget['before'] / MIB:,.0f} MiB to "
        f"{budget['after'] / MIB:,.0f} MiB: by {grown:.2f} of `cache.memory`.",
        "",
        f"### The daemon, values in Redis, replies of {LARGE_REPLY:,} bytes",
        "",
        *table_of_times(redis["rows"], "values"),
        "",
        *text_of_redis(redis),
    ]
    return "\n".join(lines)


def text_of_redis(redis: dict) -> Iterator[str]:
    last, entry = redis["rows"][-1], redis["entry"]
    each = last["redis_each"]
    yield (
        f"- an entry takes {each:,.0f} bytes of Redis (`used_memory`), "
        f"{each - entry['stored']:,.0f} beyond its stored form of {entry['stored']:,.0f}: "
        f"{entry['value']:,.0f} for the value with its name, {entry['record']:,.0f} for its record "
        "(`MEMORY USAGE`), the rest for tables"
    )
    yield f"- Redis is resident with {last['redis_resident'] / MIB:,.0f} MiB at the end"
    if redis["most"] < redis["wanted"]:
        yield (
            f"- {redis['wanted']:,} values were wanted; there was not memory enough for more than "
            f"{redis['most']:,}"
        )
