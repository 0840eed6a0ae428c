"""What is measured: the rows of the report. What they mean stands in bench/README.md."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from harness import subjects
from harness.processes import ProcessGroup
from harness.subjects import Setting, Subject

Start = Callable[[ProcessGroup, Setting], Subject]


@dataclass
class Row:
    name: str
    text: str
    start: Start
    load: list[str] = field(default_factory=lambda: ["--keys", "uniform", "--key-space", "1000"])
    # Rows of one group share a chart.
    group: str = "main"
    # At least this share of the commands of that name must end so (the daemon verifies a small
    # share of its hits).
    outcome: str | None = None
    share: float = 0.99
    command: str = "find"
    # Joining another client's request for the same document is as good.
    may_join: bool = False
    # No such command may end so.
    never: tuple[str, ...] = ()
    open_loop: bool = True
    # Only with so many connections; None: as many as the run asks for.
    connections: tuple[int, ...] | None = None
    # Also with a thousand connections and more.
    many: bool = False
    reply_size: int = 560
    # Data threads of a row about threads, which has its own choice of cores.
    threads: int | None = None


@dataclass(frozen=True)
class Shape:
    """How load is offered: `rate` 0 is a closed loop."""

    connections: int
    rate: int = 0

    @property
    def name(self) -> str:
        loop = f" at {self.rate}/s" if self.rate else ""
        return f"{self.connections} conn{loop}"


HITS = ("l1_hit", "redis_hit")
DISTINCT = ["--keys", "distinct"]
UNIFORM = ["--keys", "uniform", "--key-space", "1000"]
WRITES = [*UNIFORM, "--write-share", "1"]
MIXED = [
    "--keys",
    "zipf",
    "--key-space",
    "1000",
    "--write-share",
    "0.05",
    "--top-share",
    "0.01",
]


# Room for a thousand documents of 16 kB, or some of 1 MB, in whatever shard they fall.
LARGE = {"CACHE_MEMORY": "1GiB"}


def daemon_row(settings: dict[str, str], **options: bool | int) -> Start:
    return partial(subjects.daemon, settings=settings, **options)


def rows_of_size(name: str, text: str, size: int, documents: int) -> list[Row]:
    """The bare echo and a hit in memory with replies of so many bytes."""
    load = ["--keys", "uniform", "--key-space", str(documents)]
    found = [
        Row(f"echo_{name}", f"bare echo, {text}", subjects.echo, load),
        Row(f"memory_hit_{name}", f"hit in memory, {text}", daemon_row(LARGE), load),
    ]
    found[1].outcome = "l1_hit"
    for row in found:
        row.group, row.open_loop, row.connections, row.reply_size = (
            "size",
            False,
            (50,),
            size,
        )
    return found


def write_row(name: str, text: str, start: Start, outcome: str | None = None) -> Row:
    return Row(
        name,
        text,
        start,
        WRITES,
        "write",
        outcome=outcome,
        command="update",
        open_loop=False,
    )


def threads_row(name: str, text: str, threads: int) -> Row:
    row = Row(name, text, daemon_row({}, threads=threads), group="threads", outcome="l1_hit")
    row.open_loop, row.connections, row.threads = False, (50,), threads
    return row


MAIN = [
    Row("echo", "bare echo", subjects.echo, many=True),
    Row("memory_hit", "hit in memory", daemon_row({}), outcome="l1_hit", many=True),
    # What following the cluster costs: the same without a change stream.
    Row(
        "memory_hit_ttl",
        "hit in memory, mode ttl",
        daemon_row({"CACHE_MODE": "ttl"}),
        outcome="l1_hit",
    ),
    Row("redis_get", "Redis itself, GET", subjects.redis),
    Row("redis_echo", "bare echo that asks Redis", subjects.redis_echo),
    Row(
        "redis_hit",
        "hit in Redis",
        daemon_row({"CACHE_MEMORY": "0", "REDIS_TIMEOUT": "1s"}, with_redis=True),
        outcome="redis_hit",
        may_join=True,
    ),
    Row("direct", "stub upstream itself", subjects.direct_stub),
    Row("haproxy", "HAProxy, TCP mode", subjects.haproxy_tcp),
    Row("relay", "relay, cache off", daemon_row({"CACHE_ENABLED": "false"}), never=HITS),
    Row(
        "miss",
        "miss, nothing stored",
        daemon_row({"CACHE_MEMORY": "0"}),
        DISTINCT,
        never=HITS,
    ),
    Row(
        "fill",
        "miss, stored in memory",
        daemon_row({}),
        DISTINCT,
        outcome="miss",
        never=HITS,
    ),
    Row(
        "fill_ttl",
        "miss, stored in memory, mode ttl",
        daemon_row({"CACHE_MODE": "ttl"}),
        DISTINCT,
        outcome="miss",
        never=HITS,
    ),
    Row(
        "upstream",
        "SecantusDB itself",
        subjects.secantus,
        ["--keys", "uniform", "--key-space", "500"],
        open_loop=False,
    ),
]

WRITE = [
    write_row("write_direct", "write, stub upstream itself", subjects.direct_stub),
    write_row("write_haproxy", "write, HAProxy", subjects.haproxy_tcp),
    write_row("write", "write", daemon_row({}), outcome="write"),
]

# Writes drop what reads have filled, and lists of which one document changed.
MIX = [
    Row("mixed_direct", "mixed, stub itself", subjects.direct_stub, MIXED, "mixed"),
    Row("mixed", "mixed", daemon_row({}), MIXED, "mixed", outcome="l1_hit", share=0.5),
]

SIZES = [
    *rows_of_size("1k", "1 kB", 1000, 1000),
    *rows_of_size("16k", "16 kB", 16_000, 1000),
    *rows_of_size("1m", "1 MB", 1_000_000, 20),
]

THREADS = [
    threads_row("one_thread", "hit in memory, one thread", 1),
    threads_row("two_threads", "hit in memory, two threads", 2),
]

TLS = [
    Row("echo_tls", "bare echo, TLS", subjects.echo_tls, group="client_tls"),
    Row(
        "memory_hit_tls",
        "hit in memory, TLS towards clients",
        daemon_row({}, tls=True),
        group="client_tls",
        outcome="l1_hit",
    ),
    Row("haproxy_tls", "HAProxy, TLS to the upstream", subjects.haproxy_tls, group="tls"),
    Row("relay_tls", "relay, TLS to the upstream", subjects.relay_tls, group="tls", never=HITS),
    Row(
        "haproxy_tls_both",
        "HAProxy, TLS on both sides",
        partial(subjects.haproxy_tls, both_sides=True),
        group="tls",
    ),
    Row(
        "relay_tls_both",
        "relay, TLS on both sides",
        partial(subjects.relay_tls, both_sides=True),
        group="tls",
        never=HITS,
    ),
]
for row in TLS:
    row.open_loop = False

ROWS = [*MAIN, *WRITE, *MIX, *SIZES, *THREADS, *TLS]
BY_NAME = {row.name: row for row in ROWS}
