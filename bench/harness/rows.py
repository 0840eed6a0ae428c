"""What is measured: the rows of the report, and one measurement of one row."""

import json
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from harness import machine, subjects
from harness.processes import BenchError, ProcessGroup, prepare_child
from harness.subjects import Setting, Subject


@dataclass
class Row:
    name: str
    text: str
    start: Callable[[ProcessGroup, Setting], Subject]
    load: list[str] = field(default_factory=lambda: ["--keys", "uniform", "--key-space", "1000"])
    # At least 99 % of the finds must end so (the daemon verifies a small share of its hits).
    outcome: str | None = None
    # Joining another client's request for the same document is as good.
    may_join: bool = False
    # No find may end so.
    never: tuple[str, ...] = ()
    open_loop: bool = True


HITS = ("l1_hit", "redis_hit")
DISTINCT = ["--keys", "distinct"]


def daemon_row(
    settings: dict[str, str], with_redis: bool = False
) -> Callable[[ProcessGroup, Setting], Subject]:
    return lambda group, setting: subjects.daemon(group, setting, settings, with_redis)


ROWS = [
    Row("echo", "bare echo", subjects.echo),
    Row("memory_hit", "hit in memory", daemon_row({}), outcome="l1_hit"),
    # What following the cluster costs: the same without a change stream.
    Row(
        "memory_hit_ttl",
        "hit in memory, mode ttl",
        daemon_row({"CACHE_MODE": "ttl"}),
        outcome="l1_hit",
    ),
    Row("redis_get", "Redis itself, GET", subjects.redis),
    Row(
        "redis_hit",
        "hit in Redis",
        daemon_row({"CACHE_MEMORY": "0"}, with_redis=True),
        outcome="redis_hit",
        may_join=True,
    ),
    Row("direct", "stub upstream itself", subjects.direct_stub),
    Row("haproxy", "HAProxy, TCP mode", subjects.haproxy_tcp),
    Row("relay", "relay, cache off", daemon_row({"CACHE_ENABLED": "false"}), never=HITS),
    Row("miss", "miss, nothing stored", daemon_row({"CACHE_MEMORY": "0"}), DISTINCT, never=HITS),
    Row("fill", "miss, stored in memory", daemon_row({}), DISTINCT, outcome="miss", never=HITS),
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


@dataclass(frozen=True)
class Shape:
    """How load is offered: `rate` 0 is a closed loop."""

    connections: int
    rate: int = 0

    @property
    def name(self) -> str:
        loop = f" at {self.rate}/s" if self.rate else ""
        return f"{self.connections} conn{loop}"


def run_load(setting: Setting, subject: Subject, options: list[str]) -> str:
    """One run of the load generator; a wrong reply anywhere in it is a BenchError."""
    command = [str(setting.tools / "load"), "--target", f"127.0.0.1:{subject.port}", *options]
    command += [*subject.load_options, "--core", str(setting.cores.load)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        preexec_fn=prepare_child(None),
    )
    subject.server.check_alive()
    if done.returncode != 0:
        shown = f"{done.stdout[-1500:]}{done.stderr[-1500:]}"
        raise BenchError(f"load failed against {subject.server.name}:\n{shown}")
    return done.stdout


def prepare(setting: Setting, row: Row, subject: Subject) -> None:
    """Brings a started server to the state in which the row measures it."""
    if subject.populate:
        run_load(setting, subject, [*row.load, "--only-populate"])
    if row.outcome:
        wait_for_outcome(setting, row, subject)


def wait_for_outcome(setting: Setting, row: Row, subject: Subject) -> None:
    """Until the row's requests end as the row wants: fills are stored, the gate is open."""
    assert subject.outcomes
    end = time.monotonic() + 30
    last: Counter[str] = Counter()
    while time.monotonic() < end:
        before = subject.outcomes()
        run_load(setting, subject, [*row.load, "--warm-up", "0", "--count", "500"])
        last = subject.outcomes() - before
        if last[row.outcome or ""] >= 0.99 * last.total() > 0:
            return
        time.sleep(0.1)
    raise BenchError(f"row {row.name}: finds end as {dict(last)}, not as {row.outcome}")


def measure(
    setting: Setting, row: Row, subject: Subject, shape: Shape, seconds: float, warm_up: float
) -> dict:
    """One figure: what the load generator saw, and what it cost the server."""
    options = [*row.load, "--connections", str(shape.connections), "--rate", str(shape.rate)]
    options += ["--duration", str(seconds), "--warm-up", str(warm_up)]
    outcomes = subject.outcomes() if subject.outcomes else Counter()
    cores, cpu, start = machine.core_times(), subject.server.cpu_seconds(), time.monotonic()
    result = json.loads(run_load(setting, subject, options))
    wall = time.monotonic() - start
    cores_after, cpu = machine.core_times(), subject.server.cpu_seconds() - cpu
    result["server_core_busy"] = machine.busy_share(cores, cores_after, setting.cores.server)
    result["load_core_busy"] = machine.busy_share(cores, cores_after, setting.cores.load)
    # The server's share of its core that somebody else took: other programs disturb the figures.
    result["server_core_foreign"] = max(0.0, result["server_core_busy"] - cpu / wall)
    result["server_cpu_us"] = cpu * 1e6 / result["all_requests"]
    if subject.outcomes:
        ended = subject.outcomes() - outcomes
        result["outcomes"] = dict(ended)
        check_outcomes(row, ended)
    return result


def check_outcomes(row: Row, ended: Counter[str]) -> None:
    wrong = [outcome for outcome in row.never if ended[outcome]]
    right = ended[row.outcome or ""] + (ended["coalesced"] if row.may_join else 0)
    if row.outcome and right < 0.99 * ended.total():
        wrong.append(f"not {row.outcome}")
    if wrong or ended.total() == 0:
        raise BenchError(f"row {row.name}: finds ended as {dict(ended)}")


def redis_benchmark(setting: Setting, connections: int, requests: int) -> float | None:
    """Requests a second that redis-benchmark finds, as a check of our own load generator."""
    program = shutil.which("redis-benchmark")
    if not program:
        return None
    with ProcessGroup(setting.folder) as group:
        _, port = subjects.start_redis(group, setting.cores.server)
        command = [program, "-h", "127.0.0.1", "-p", str(port), "-c", str(connections)]
        command += ["-n", str(requests), "-d", str(setting.reply_size), "-t", "set,get", "--csv"]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            preexec_fn=prepare_child(setting.cores.load),
        )
    found = re.search(r'^"GET","([0-9.]+)"', done.stdout, re.MULTILINE)
    if done.returncode != 0 or not found:
        raise BenchError(f"redis-benchmark failed:\n{done.stdout[-500:]}{done.stderr[-500:]}")
    return float(found[1])
