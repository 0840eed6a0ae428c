"""Other ways to build, run or write a server, each beside the way it is done now: the groups of
bench/beyond.py. What they gave stands in docs/performance.md."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness import subjects
from harness.processes import BenchError, Process, ProcessGroup
from harness.rows import BY_NAME, Row, Shape, Start, daemon_row
from harness.subjects import Setting, Skip, Subject

AGAIN = "the same again"
WITHOUT_URING = 77  # exit status of the tools on io_uring where there is none
LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
HUGE_PAGES = Path("/proc/sys/vm/nr_hugepages")


@dataclass(frozen=True)
class Variant:
    """One way. The first of a group is what the others are compared with."""

    name: str
    start: Start | None = None
    """Another server in the row's place."""
    environment: tuple[str, ...] = ()
    """NAME=VALUE that the daemon runs with."""
    daemon: Path | None = None
    needs: Callable[[], str] = lambda: ""
    """Why this machine cannot do it; empty: it can."""

    def apply(self, setting: Setting) -> Setting:
        if self.environment:
            setting = replace(setting, wrapper=("env", *self.environment))
        return replace(setting, daemon=self.daemon) if self.daemon else setting


@dataclass(frozen=True)
class Group:
    text: str
    rows: list[Row]
    variants: list[Variant]
    shapes: list[Shape] = field(default_factory=lambda: [Shape(50)])


def tool(name: str, *options: str) -> Start:
    """An echo server of that name."""

    def start(group: ProcessGroup, setting: Setting) -> Subject:
        command = [existing(setting, name), "--reply-size", setting.reply_size, *options]
        server = group.start(name, command, setting.cores.server)
        return Subject(port_of(server), server, load_options=["--check", "ok"])

    return start


def relay_tool(name: str, *options: str) -> Start:
    """A relay of that name before the stub."""

    def start(group: ProcessGroup, setting: Setting) -> Subject:
        _, port = subjects.start_stub(group, setting, setting.cores.backend)
        command = [existing(setting, name), "--upstream", f"127.0.0.1:{port}", *options]
        server = group.start(name, command, setting.cores.server)
        return Subject(port_of(server), server)

    return start


def existing(setting: Setting, name: str) -> Path:
    program = setting.tools / name
    if not program.exists():
        raise Skip(f"no {program}: not built here (is liburing-dev installed?)")
    return program


def port_of(server: Process) -> int:
    try:
        return server.announced_port()
    except BenchError:
        if server.child.poll() == WITHOUT_URING:
            raise Skip(server.output().strip()) from None
        raise


def with_control(first: Variant, *others: Variant) -> list[Variant]:
    """The first is measured twice: what lies between the two is noise."""
    return [first, replace(first, name=AGAIN), *others]


def preload(name: str, file: str) -> Variant:
    path = LIBRARIES / file
    return Variant(
        name,
        environment=(f"LD_PRELOAD={path}",),
        needs=lambda: "" if path.exists() else f"{path} is not installed",
    )


def tunables(name: str, value: str, needs: Callable[[], str] = lambda: "") -> Variant:
    return Variant(name, environment=(f"GLIBC_TUNABLES={value}",), needs=needs)


def no_huge_pages() -> str:
    free = HUGE_PAGES.exists() and int(HUGE_PAGES.read_text()) > 0
    return "" if free else "no huge pages are reserved: sysctl vm.nr_hugepages=600"


def build(name: str, folder: Path) -> Variant:
    daemon = folder / "daemon" / "mongocached"
    return Variant(
        name,
        daemon=daemon,
        needs=lambda: "" if daemon.exists() else f"no {daemon} (docs/performance.md builds it)",
    )


def named(*names: str) -> list[Row]:
    return [BY_NAME[name] for name in names]


def wide_row() -> Row:
    """Hits all over some 150 MB of cache, where the pages of a small one would stay in the TLB."""
    load = ["--keys", "uniform", "--key-space", "200000"]
    settings = {"CACHE_MEMORY": "512MiB"}
    row = Row("memory_hit_wide", "hit in memory, 200 000 documents", daemon_row(settings), load)
    row.outcome = "l1_hit"
    return row


ECHO = Variant("epoll", tool("echo_server"))
ALLOCATORS = with_control(
    Variant("glibc, one arena"),
    preload("jemalloc", "libjemalloc.so.2"),
    preload("tcmalloc", "libtcmalloc_minimal.so.4"),
    preload("mimalloc", "libmimalloc.so.2"),
)


def groups(builds: Path) -> dict[str, Group]:
    """`builds`: the folder of the daemon's other builds."""
    few_and_many = [Shape(1), Shape(50), Shape(1000)]
    return {
        "uring": Group(
            "io_uring under the bare echo",
            named("echo"),
            with_control(
                ECHO,
                Variant("io_uring, multishot", tool("uring_echo")),
                Variant("io_uring, plain receives", tool("uring_echo", "--plain")),
                Variant("io_uring, multishot, SQPOLL", tool("uring_echo", "--sqpoll")),
            ),
            few_and_many,
        ),
        "uring_relay": Group(
            "io_uring under a bare relay",
            named("direct"),
            with_control(
                Variant("epoll", relay_tool("relay_server")),
                Variant("io_uring, multishot", relay_tool("uring_relay")),
                Variant("io_uring, multishot, SQPOLL", relay_tool("uring_relay", "--sqpoll")),
            ),
            few_and_many,
        ),
        "waiting": Group(
            "busy polling under the bare echo",
            named("echo"),
            with_control(
                ECHO,
                Variant("spin 20 us", tool("echo_server", "--spin-us", "20")),
                Variant("spin 100 us", tool("echo_server", "--spin-us", "100")),
                Variant("SO_BUSY_POLL 50 us", tool("echo_server", "--busy-poll-us", "50")),
            ),
            few_and_many,
        ),
        "sending": Group(
            "ways to send 560 bytes",
            named("echo"),
            with_control(
                ECHO,
                Variant("behind the whole batch", tool("echo_server", "--send-last")),
                Variant("Nagle on", tool("echo_server", "--nagle")),
                Variant("TCP_QUICKACK", tool("echo_server", "--quick-ack")),
            ),
        ),
        "zerocopy": Group(
            "MSG_ZEROCOPY for large replies",
            named("echo_16k", "echo_1m"),
            with_control(ECHO, Variant("MSG_ZEROCOPY", tool("echo_server", "--zerocopy"))),
        ),
        "allocators": Group(
            "other allocators under the daemon",
            named("memory_hit", "redis_hit", "relay", "miss", "fill"),
            ALLOCATORS,
        ),
        "pages": Group(
            "huge pages under the daemon",
            [*named("memory_hit"), wide_row(), *named("relay", "fill")],
            with_control(
                Variant("4 kB pages"),
                tunables("hugetlb=1 (madvise)", "glibc.malloc.hugetlb=1"),
                tunables("hugetlb=2 (reserved)", "glibc.malloc.hugetlb=2", no_huge_pages),
            ),
        ),
        "builds": Group(
            "other builds of the daemon",
            named("memory_hit", "redis_hit", "relay", "miss", "write"),
            with_control(
                Variant("release (-O2)"),
                build("-O3", builds / "o3"),
                build("-march=x86-64-v3", builds / "v3"),
                build("-flto", builds / "lto"),
                build("profile-guided", builds / "pgo"),
            ),
        ),
    }
