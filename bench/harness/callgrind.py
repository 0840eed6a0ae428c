"""Valgrind's callgrind round the daemon: switched on when everything is warm, dumped after each
run."""

import re
import subprocess
from collections import Counter
from pathlib import Path

from harness.processes import BenchError, Process
from harness.subjects import Skip

ALLOCATORS = (
    "malloc",
    "calloc",
    "realloc",
    "memalign",
    "posix_memalign",
    "aligned_alloc",
)
RECEIVERS = ("recv", "recvfrom", "recvmsg", "read", "readv")
COUNTED = dict.fromkeys(ALLOCATORS, "allocations") | dict.fromkeys(RECEIVERS, "receives")
FUNCTION = re.compile(r"c?fn=\((\d+)\)(?: (.*))?")


def command(out: Path) -> tuple[str, ...]:
    """What to put before the program's own words."""
    options = (
        "--instr-atstart=no",
        "--separate-threads=yes",
        f"--callgrind-out-file={out}",
    )
    return ("valgrind", "--tool=callgrind", *options, "--")


def control(server: Process, option: str) -> None:
    words = ["callgrind_control", option, str(server.child.pid)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    server.check_alive()
    if done.returncode != 0:
        raise Skip(f"callgrind_control: {(done.stdout + done.stderr).strip()[-300:]}")


def dump(server: Process, out: Path) -> Counter[str]:
    """What the thread that receives most has done since the last dump, which sets the counters to
    zero."""
    seen = set(out.parent.iterdir())
    control(server, "--dump")
    threads = [parse(path) for path in out.parent.iterdir() if path not in seen]
    if not threads:
        raise BenchError("callgrind wrote no dump")
    return max(threads, key=lambda thread: thread["receives"])


def parse(path: Path) -> Counter[str]:
    """Instructions in all, and calls of the C library's functions that allocate or receive."""
    found: Counter[str] = Counter()
    names: dict[str, str] = {}
    called = ""
    for line in path.read_text().splitlines():
        if match := FUNCTION.match(line):
            number, name = match.groups()
            if name:
                names[number] = name.partition("'")[0]
            if line.startswith("cfn="):
                called = names[number]
        elif line.startswith("calls=") and called in COUNTED:
            found[COUNTED[called]] += int(line[6:].split()[0])
        elif line.startswith(("totals:", "summary:")):
            found["instructions"] = max(found["instructions"], int(line.split()[1]))
    return found
