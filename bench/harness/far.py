"""PyMongo with its upstream a round trip of 50 ms away: directly, with a cache written by hand, and
through mongocached, which the program does not know of."""

import json
import subprocess
import sys
from pathlib import Path

from harness import subjects
from harness.processes import BenchError, ProcessGroup, free_port, run_to_end
from harness.subjects import REPOSITORY, Setting, Skip

TITLE = "PyMongo, upstream 50 ms away"
ROUND_TRIP = 50.0
PROGRAM = REPOSITORY / "bench" / "cache_aside.py"
WAYS = {
    "direct": "PyMongo, directly",
    "by_hand": "cache-aside by hand, redis-py",
    "mongocached": "PyMongo, through mongocached",
}


def python() -> Path:
    """An interpreter that has PyMongo and redis-py."""
    for candidate in (
        Path(sys.executable),
        REPOSITORY / ".deps" / "client" / "bin" / "python",
    ):
        if not candidate.exists():
            continue
        command = [str(candidate), "-c", "import pymongo, redis"]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return candidate
    raise Skip("no Python with PyMongo and redis-py (make deps)")


def start_distance(group: ProcessGroup, setting: Setting, to: int) -> str:
    """URI of what listens at port `to`, 50 ms away."""
    port = free_port()
    command = [sys.executable, "-B", REPOSITORY / "demo" / "distance.py"]
    command += ["--listen", f"127.0.0.1:{port}", "--to", f"127.0.0.1:{to}"]
    command += ["--round-trip", ROUND_TRIP]
    group.start("distance", command, setting.cores.backend).wait_for_port(port)
    return f"mongodb://127.0.0.1:{port}/?directConnection=true"


def run(setting: Setting, quick: bool) -> dict:
    interpreter = python()
    with ProcessGroup(setting.folder) as group:
        _, stub_port = subjects.start_stub(group, setting, setting.cores.backend)
        far = start_distance(group, setting, stub_port)
        _, redis_port = subjects.start_redis(group, setting.cores.backend)
        redis_url = f"redis://127.0.0.1:{redis_port}/0"
        # The wait for the daemon covers the time that the topology takes over the distance.
        proxy = subjects.start_daemon(group, setting, far, "none", {})

        def read(*words: str) -> dict:
            size = ["--documents", "30", "--seconds", "0.3"] if quick else ["--documents", "300"]
            command = [str(interpreter), "-B", str(PROGRAM), *words, *size]
            done = run_to_end(command, setting.cores.load, timeout=120)
            if done.returncode != 0:
                raise BenchError(f"{PROGRAM.name} failed:\n{done.stderr[-2000:]}")
            return json.loads(done.stdout)

        through = f"mongodb://127.0.0.1:{proxy.port}/"
        found = {
            "direct": read("--uri", far),
            "by_hand": read("--uri", far, "--redis", redis_url),
            "mongocached": read("--uri", through),
        }
    check(found)
    for way in found.values():
        way["speed_up"] = found["direct"]["p50_us"] / way["p50_us"]
    return found


def check(found: dict[str, dict]) -> None:
    if len({way["digest"] for way in found.values()}) != 1:
        raise BenchError(f"{PROGRAM.name}: the ways did not read the same documents: {found}")
    if found["direct"]["p50_us"] < ROUND_TRIP * 1000:
        raise BenchError(f"{PROGRAM.name}: the upstream is not {ROUND_TRIP:g} ms away: {found}")
    if found["mongocached"]["p50_us"] > ROUND_TRIP * 500:
        raise BenchError(f"{PROGRAM.name}: the daemon did not answer from memory: {found}")


def text(found: dict[str, dict]) -> str:
    lines = [
        "| one client, the same documents again and again | reads/s | p50 us | p99 us | speed-up |",
        "|---|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {WAYS[name]} | {way['reads_per_second']:,.0f} | {way['p50_us']:,.0f} "
        f"| {way['p99_us']:,.0f} | {way['speed_up']:.0f} |"
        for name, way in found.items()
    ]
    return "\n".join(lines)
