"""What the figures are measured on (they mean nothing without it), and how busy its cores are."""

import os
import platform
import resource
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self


def first_line(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ((done.stdout or done.stderr).strip().splitlines() or [None])[0]


def value_of(file: str, name: str) -> str | None:
    for line in Path(file).read_text().splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return None


def describe(daemon: Path) -> dict[str, str]:
    """Name and value; a part that is not there is left out."""
    memory = value_of("/proc/meminfo", "MemTotal")
    parts = {
        "processor": value_of("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{int(memory.split()[0]) / 1024**2:.1f} GiB" if memory else None,
        "kernel": platform.release(),
        "mongocached": first_line([str(daemon), "--version"]) if daemon.exists() else None,
        "redis": first_line(["redis-server", "--version"]),
        "haproxy": first_line([haproxy() or "haproxy", "-v"]),
        "load average at the start": f"{os.getloadavg()[0]:.2f}",
    }
    return {name: value for name, value in parts.items() if value is not None}


def available_bytes() -> int:
    """Memory that new processes can have without anything being swapped out."""
    found = value_of("/proc/meminfo", "MemAvailable")
    return int(found.split()[0]) * 1024 if found else 0


def haproxy() -> str | None:
    """Debian puts it where only root's PATH looks."""
    return shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@dataclass(frozen=True)
class Cores:
    """Who runs where."""

    server: tuple[int, ...]
    load: tuple[int, ...]
    backend: tuple[int, ...]

    @classmethod
    def apart(cls) -> Self:
        """The measured server has one core to itself, the load generator another; its backends
        share the load generator's core unless there is a third."""
        cores = sorted(os.sched_getaffinity(0))
        load = cores[1 % len(cores)]
        return cls((cores[0],), (load,), (cores[2] if len(cores) > 2 else load,))

    @classmethod
    def for_threads(cls, threads: int) -> Self | None:
        """So many cores for the server, and two others for load. With fewer than four, server and
        load share as many cores as the server has threads. None: there are not enough."""
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < threads:
            return None
        server = tuple(cores[:threads])
        load = tuple(cores[-2:]) if len(cores) >= threads + 2 and len(cores) > 3 else server
        return cls(server, load, load)

    @property
    def are_shared(self) -> bool:
        return bool(set(self.server) & set(self.load))

    def __str__(self) -> str:
        if self.are_shared:
            return "one core for everything: compare rows, but do not take them for limits"
        return (
            f"measured server alone on core {self.server[0]}, load generator on core "
            f"{self.load[0]}, backends on core {self.backend[0]}"
        )


def raise_descriptor_limit(wanted: int) -> int:
    """So many open files for us and our children, or as many as can be had."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
        except (ValueError, OSError):
            wanted = hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))
    return wanted


def most_clients(descriptors: int) -> int:
    """How many clients the daemon takes with so many open files: it keeps two for each of them
    (its own connection and one upstream), and some for itself."""
    return max((descriptors - 300) // 2 // 100 * 100, 1)


def core_times() -> dict[int, tuple[int, int]]:
    """Busy and total clock ticks of every core since boot."""
    times = {}
    for line in Path("/proc/stat").read_text().splitlines():
        name, *rest = line.split()
        if name.startswith("cpu") and name != "cpu":
            ticks = [int(t) for t in rest[:8]]
            times[int(name[3:])] = (sum(ticks) - ticks[3] - ticks[4], sum(ticks))
    return times


def busy_share(
    before: dict[int, tuple[int, int]],
    after: dict[int, tuple[int, int]],
    cores: tuple[int, ...],
) -> float:
    """Of the time of these cores."""
    busy = sum(after[core][0] - before[core][0] for core in cores)
    total = sum(after[core][1] - before[core][1] for core in cores)
    return busy / total if total else 0.0


def children_cpu_seconds() -> float:
    """User and system time of the children that have ended and were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
