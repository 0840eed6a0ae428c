"""What the figures are measured on (they mean nothing without it), and how busy its cores are."""

import os
import platform
import shutil
import subprocess
from pathlib import Path


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


def haproxy() -> str | None:
    """Debian puts it where only root's PATH looks."""
    return shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


class Cores:
    """Who runs where: the measured server has one core to itself, the load generator another; its
    backends share the load generator's core unless there is a third."""

    def __init__(self) -> None:
        cores = sorted(os.sched_getaffinity(0))
        self.server: int = cores[0]
        self.load: int = cores[1 % len(cores)]
        self.backend: int = cores[2] if len(cores) > 2 else self.load

    def __str__(self) -> str:
        if self.server == self.load:
            return "one core for everything: compare rows, but do not take them for limits"
        return (
            f"measured server alone on core {self.server}, load generator on core {self.load}, "
            f"backends on core {self.backend}"
        )


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
    before: dict[int, tuple[int, int]], after: dict[int, tuple[int, int]], core: int
) -> float:
    busy = after[core][0] - before[core][0]
    total = after[core][1] - before[core][1]
    return busy / total if total else 0.0
