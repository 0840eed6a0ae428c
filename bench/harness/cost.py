"""What one request costs the thread that serves it, counted and not timed: instructions and
allocations by callgrind, system calls by strace.

Each figure is the slope between a short and a long run of one connection, so that start-up and
connecting are not in it. What is counted belongs to the build, hardly to the machine: an earlier
report's figures can be compared."""

import re
import shutil
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from harness import callgrind, measure
from harness.processes import BenchError, Process, ProcessGroup
from harness.rows import BY_NAME, Row
from harness.subjects import Setting, Skip, Subject

TITLE = "Counted, not timed"
ROWS = ("memory_hit", "memory_hit_tls", "redis_hit", "relay", "miss", "fill", "write")
DATA_THREAD = "data-0"
# No hit is verified upstream, and nothing is given up for being slow under callgrind.
CALM = {"CACHE_VERIFY_SHARE": "0", "REDIS_TIMEOUT": "5s", "CACHE_MAX_LAG": "30s"}
# Calls that are no steady part of a request are not listed.
RARE = 0.02
SHORT, LONG = 200, 1200  # requests
# Few documents: each run looks at all of them first, and a short run of writes reaches all.
DOCUMENTS = "50"
# System calls are counted with so many: a busy thread serves several for one wait.
CONNECTIONS = (1, 50)


def run(setting: Setting, quick: bool) -> dict:
    """What it costs, by row; `missing` says why a tool's figures are not there."""
    tools = {"valgrind": under_callgrind, "strace": under_strace}
    missing = {tool: "it is not installed" for tool in tools if not shutil.which(tool)}
    repeats = 1 if quick else 3
    found: dict = {"missing": missing, "rows": {}}
    for name in ROWS[:1] if quick else ROWS:
        row, cost = with_few_documents(BY_NAME[name]), {}
        for tool, count in tools.items():
            if tool in missing:
                continue
            try:
                cost |= count(setting, row, repeats)
            except Skip as reason:
                missing[tool] = str(reason)
        found["rows"][name] = cost
    if missing.keys() == tools.keys():
        raise Skip(f"neither valgrind nor strace works: {missing}")
    return found


def with_few_documents(row: Row) -> Row:
    load = [*row.load]
    if "--key-space" in load:
        load[load.index("--key-space") + 1] = DOCUMENTS
    return replace(row, load=load)


def slope(count: Callable[[int], Counter[str]], repeats: int) -> dict[str, float]:
    """What one more request adds; `count` runs so many requests and counts. The median, for now and
    then a timer's work falls in between."""
    found = [(count(SHORT), count(LONG)) for _ in range(repeats)]
    names = {name for _, long in found for name in long}
    return {
        name: statistics.median(long[name] - short[name] for short, long in found) / (LONG - SHORT)
        for name in names
    }


def send(setting: Setting, row: Row, subject: Subject, count: int, connections: int = 1) -> None:
    options = [*row.load, "--warm-up", "0", "--count", str(count)]
    options += ["--connections", str(connections)]
    assert subject.outcomes
    before = subject.outcomes(row.command)
    measure.run_load(setting, subject, options)
    measure.check_outcomes(row, subject.outcomes(row.command) - before)


def under_callgrind(setting: Setting, row: Row, repeats: int) -> dict:
    folder = Path(setting.folder) / f"callgrind-{row.name}"
    folder.mkdir(exist_ok=True)
    out = folder / "out"
    slow = replace(
        setting,
        wrapper=callgrind.command(out),
        daemon_settings=CALM,
        patience=120.0,
    )
    with ProcessGroup(folder) as group:
        subject = row.start(group, slow)
        measure.prepare(slow, row, subject)
        send(slow, row, subject, SHORT)
        callgrind.control(subject.server, "--instr=on")

        def count(requests: int) -> Counter[str]:
            send(slow, row, subject, requests)
            counted = callgrind.dump(subject.server, out)
            if counted["receives"] < requests:
                raise BenchError(f"callgrind saw no requests of row {row.name}: {counted}")
            return counted

        count(SHORT)  # code that runs for the first time is translated, and its data paged in
        found = slope(count, repeats)
    allocations = max(found.get("allocations", 0.0), 0.0)
    return {"instructions": found["instructions"], "allocations": allocations}


def under_strace(setting: Setting, row: Row, repeats: int) -> dict:
    """Calls a request by name, by number of connections."""
    folder = Path(setting.folder) / f"strace-{row.name}"
    folder.mkdir(exist_ok=True)
    with ProcessGroup(folder) as group:
        subject = row.start(group, replace(setting, daemon_settings=CALM))
        measure.prepare(setting, row, subject)

        def count(requests: int, connections: int) -> Counter[str]:
            out = folder / f"calls-{requests}-{connections}"
            thread = data_thread(subject.server)
            tracer = group.start("strace", ["strace", "-c", "-o", out, "-p", thread])
            wait_until_attached(tracer)
            send(setting, row, subject, requests, connections)
            time.sleep(0.1)  # its connections end
            tracer.end()
            calls = parse_strace(out.read_text())
            if calls.total() < requests:
                raise BenchError(f"strace saw no requests of row {row.name}: {dict(calls)}")
            return calls

        calls = {c: slope(partial(count, connections=c), repeats) for c in CONNECTIONS}
    steady = {
        str(c): {name: n for name, n in by_name.items() if abs(n) > RARE}
        for c, by_name in calls.items()
    }
    return {"system_calls": steady}


def wait_until_attached(tracer: Process) -> None:
    """Skip where the machine does not let us trace."""
    end = time.monotonic() + 10
    while "attached" not in tracer.output():
        if tracer.child.poll() is not None or time.monotonic() > end:
            raise Skip(f"strace cannot attach: {tracer.output().strip()[-200:]}")
        time.sleep(0.02)


def data_thread(server: Process) -> int:
    for task in Path(f"/proc/{server.child.pid}/task").iterdir():
        if (task / "comm").read_text().strip() == DATA_THREAD:
            return int(task.name)
    raise BenchError(f"the daemon has no thread {DATA_THREAD}")


def parse_strace(summary: str) -> Counter[str]:
    """Calls by name from the table of `strace -c`."""
    row = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)\s*$")
    found = (row.match(line) for line in summary.splitlines())
    return Counter({m[2]: int(m[1]) for m in found if m and m[2] != "total"})


def listed(calls: dict[str, float]) -> str:
    ordered = sorted(calls.items(), key=lambda call: -call[1])
    return ", ".join(f"{call} {times:.2f}" for call, times in ordered)


def text(found: dict, earlier: dict | None = None) -> str:
    lines = [
        "| row | instructions/request | against the earlier report | allocations/request "
        "| system calls/request, 1 conn | system calls/request, 50 conn |",
        "|---|--:|--:|--:|---|---|",
    ]
    for name, cost in found["rows"].items():
        before = (earlier or {}).get("rows", {}).get(name, {}).get("instructions")
        instructions = cost.get("instructions")
        cells = [BY_NAME[name].text]
        cells.append(f"{instructions:,.0f}" if instructions else "")
        cells.append(f"{instructions / before - 1:+.1%}" if instructions and before else "")
        cells.append(f"{cost['allocations']:.2f}" if "allocations" in cost else "")
        cells += [listed(cost.get("system_calls", {}).get(str(c), {})) for c in CONNECTIONS]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [f"\nNo figures of {tool}: {why}." for tool, why in found["missing"].items()]
    return "\n".join(lines)
