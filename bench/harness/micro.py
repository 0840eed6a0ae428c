"""Single parts of a request in isolation: Google Benchmark programs, as JSON."""

import json

from harness.processes import BenchError, run_to_end
from harness.subjects import Setting

TITLE = "Single parts"
# Program, which of its benchmarks, and nothing of more than one thread.
PROGRAMS = {
    "protocol_bench": ".",
    "bench_hit": ".",
    "bench_local_cache": "(hash|find|make_and).*threads:1$",
}


def run(setting: Setting, quick: bool) -> dict:
    return {name: run_program(setting, name, quick) for name in PROGRAMS}


def run_program(setting: Setting, name: str, quick: bool) -> list[dict]:
    program = setting.tools / name
    command = [
        str(program),
        "--benchmark_format=json",
        f"--benchmark_filter={PROGRAMS[name]}",
    ]
    command.append(f"--benchmark_min_time={0.002 if quick else 0.3}")
    done = run_to_end(command, setting.cores.server)
    found = json.loads(done.stdout)["benchmarks"] if done.returncode == 0 else []
    if not found or any("error_occurred" in one for one in found):
        raise BenchError(f"{name} failed:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
    return [{"name": one["name"], "ns": in_ns(one)} for one in found]


def in_ns(one: dict) -> float:
    return one["cpu_time"] * {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[one["time_unit"]]


def text(found: dict) -> str:
    lines = ["| program | part | ns |", "|---|---|--:|"]
    for program, parts in found.items():
        for part in parts:
            name = part["name"].removesuffix("/real_time/threads:1").removesuffix("/threads:1")
            lines.append(f"| `{program}` | {name} | {part['ns']:,.0f} |")
    return "\n".join(lines)
