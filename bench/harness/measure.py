"""One measurement of one row."""

import json
import re
import shutil
import time
from collections import Counter

from harness import machine, subjects
from harness.processes import BenchError, OtherOutcome, ProcessGroup, run_to_end
from harness.rows import Row, Shape
from harness.subjects import Setting, Subject


def load_command(setting: Setting, subject: Subject, options: list[str]) -> list[str]:
    command = [
        str(setting.tools / "load"),
        "--target",
        f"127.0.0.1:{subject.port}",
        *options,
    ]
    return [*command, *subject.load_options]


def run_load(setting: Setting, subject: Subject, options: list[str]) -> str:
    """One run of the load generator; a wrong reply anywhere in it is a BenchError."""
    done = run_to_end(load_command(setting, subject, options), setting.cores.load)
    subject.server.check_alive()
    if done.returncode != 0:
        shown = f"{done.stdout[-1500:]}{done.stderr[-1500:]}"
        raise BenchError(f"load failed against {subject.server.name}:\n{shown}")
    return done.stdout


def prepare(setting: Setting, row: Row, subject: Subject) -> None:
    """Brings a started server to the state in which the row measures it."""
    if subject.populate:
        run_load(setting, subject, [*row.load, "--only-populate"])
    if row.outcome and subject.outcomes:
        wait_for_outcome(setting, row, subject)


def wait_for_outcome(setting: Setting, row: Row, subject: Subject) -> None:
    """Until the row's requests end as the row wants: fills are stored, the gate is open."""
    assert subject.outcomes
    end = time.monotonic() + 30
    last: Counter[str] = Counter()
    while time.monotonic() < end:
        before = subject.outcomes(row.command)
        run_load(setting, subject, [*row.load, "--warm-up", "0", "--count", "500"])
        last = subject.outcomes(row.command) - before
        if last[row.outcome or ""] >= row.share * last.total() > 0:
            return
        time.sleep(0.1)
    raise OtherOutcome(f"row {row.name}: it ends as {dict(last)}, not as {row.outcome}")


def measure(
    setting: Setting,
    row: Row,
    subject: Subject,
    shape: Shape,
    seconds: float,
    warm_up: float,
) -> dict:
    """One figure: what the load generator saw, and what it cost the server."""
    threads = min(len(setting.cores.load), shape.connections)
    options = [
        *row.load,
        "--connections",
        str(shape.connections),
        "--rate",
        str(shape.rate),
    ]
    options += [
        "--duration",
        str(seconds),
        "--warm-up",
        str(warm_up),
        "--threads",
        str(threads),
    ]
    outcomes = subject.outcomes(row.command) if subject.outcomes else Counter()
    cores, cpu, start = (
        machine.core_times(),
        subject.server.cpu_seconds(),
        time.monotonic(),
    )
    load_cpu = machine.children_cpu_seconds()
    result = json.loads(run_load(setting, subject, options))
    wall = time.monotonic() - start
    cores_after, cpu = machine.core_times(), subject.server.cpu_seconds() - cpu
    load_cpu = machine.children_cpu_seconds() - load_cpu
    result["server_core_busy"] = machine.busy_share(cores, cores_after, setting.cores.server)
    result["load_core_busy"] = machine.busy_share(cores, cores_after, setting.cores.load)
    # The share of the server's cores that somebody else took: other programs disturb the figures.
    ours = (cpu + (load_cpu if setting.cores.are_shared else 0)) / len(setting.cores.server)
    result["server_core_foreign"] = max(0.0, result["server_core_busy"] - ours / wall)
    result["server_cpu_us"] = cpu * 1e6 / result["all_requests"]
    if subject.outcomes:
        ended = subject.outcomes(row.command) - outcomes
        result["outcomes"] = dict(ended)
        result["right_share"] = check_outcomes(row, ended)
    return result


def check_outcomes(row: Row, ended: Counter[str]) -> float:
    """The share that ended as the row wants."""
    wrong = [outcome for outcome in row.never if ended[outcome]]
    right = ended[row.outcome or ""] + (ended["coalesced"] if row.may_join else 0)
    if row.outcome and right < row.share * ended.total():
        wrong.append(f"not {row.outcome}")
    if wrong or ended.total() == 0:
        raise OtherOutcome(f"row {row.name}: {row.command} ended as {dict(ended)}")
    return right / ended.total()


def redis_benchmark(setting: Setting, connections: int, requests: int) -> float | None:
    """Requests a second that redis-benchmark finds, as a check of our own load generator."""
    program = shutil.which("redis-benchmark")
    if not program:
        return None
    with ProcessGroup(setting.folder) as group:
        _, port = subjects.start_redis(group, setting.cores.server)
        command = [program, "-h", "127.0.0.1", "-p", str(port), "-c", str(connections)]
        command += [
            "-n",
            str(requests),
            "-d",
            str(setting.reply_size),
            "-t",
            "set,get",
            "--csv",
        ]
        done = run_to_end(command, setting.cores.load)
    found = re.search(r'^"GET","([0-9.]+)"', done.stdout, re.MULTILINE)
    if done.returncode != 0 or not found:
        raise BenchError(f"redis-benchmark failed:\n{done.stdout[-500:]}{done.stderr[-500:]}")
    return float(found[1])
