"""Child processes of a benchmark: started on chosen cores, waited for, and ended whatever happens.

Everything binds to loopback only. A child also gets SIGKILL from the kernel when the runner itself
dies.
"""

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class BenchError(Exception):
    """The benchmark is broken: no start, a wrong reply, a row that measured something else."""


class OtherOutcome(BenchError):
    """Requests did not end as the row wants: broken, or the machine was too busy this time."""


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def prepare_child(cores: tuple[int, ...] | None) -> Callable[[], None]:
    """What a child does before it becomes another program."""

    def prepare() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if cores is not None:
            os.sched_setaffinity(0, cores)

    return prepare


def run_to_end(
    command: Sequence[object], cores: tuple[int, ...] | None, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """A program that ends by itself, with what it printed; its exit status is the caller's."""
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        preexec_fn=prepare_child(cores),
    )


class Process:
    """One child with its output in a log file of its own."""

    def __init__(
        self,
        name: str,
        command: Sequence[object],
        log: Path,
        cores: tuple[int, ...] | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        # A session of its own: Ctrl-C in a terminal reaches the runner only, which then ends the
        # children in order.
        with self.log.open("wb") as out:
            try:
                self.child = subprocess.Popen(
                    [str(part) for part in command],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    env=env,
                    preexec_fn=prepare_child(cores),
                    start_new_session=True,
                )
            except OSError as error:
                raise BenchError(f"cannot start {name}: {error}") from error

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def check_alive(self) -> None:
        if self.child.poll() is not None:
            status, output = self.child.returncode, self.output()[-2000:]
            raise BenchError(f"{self.name} ended with status {status}:\n{output}")

    def wait_for(self, what: str, test: Callable[[], T], seconds: float = 20.0) -> T:
        """Polls test() until it returns something true, which is returned."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.check_alive()
            found = test()
            if found:
                return found
            time.sleep(0.02)
        output = self.output()[-2000:]
        raise BenchError(f"{self.name}: {what} did not come within {seconds:g} s:\n{output}")

    def announced_port(self) -> int:
        """The port of a tool that prints `ready PORT`."""

        def announced() -> int:
            lines = [line for line in self.output().splitlines() if line.startswith("ready ")]
            return int(lines[0].split()[1]) if lines else 0

        return self.wait_for("the line `ready PORT`", announced)

    def wait_for_port(self, port: int) -> None:
        def answers() -> bool:
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0

        self.wait_for(f"port {port}", answers)

    def cpu_seconds(self) -> float:
        """User and system time of all its threads so far."""
        self.check_alive()
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        """Anonymous and file pages in memory, shared ones in proportion."""
        for line in Path(f"/proc/{self.child.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
        raise BenchError(f"no memory figures of {self.name}")

    def end(self) -> None:
        if self.child.poll() is not None:
            return
        self.child.terminate()
        try:
            self.child.wait(5)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


class ProcessGroup:
    """`with ProcessGroup(folder) as group:` ends what group.start() started, last first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.members: list[Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for member in reversed(self.members):
            member.end()

    def start(
        self,
        name: str,
        command: Sequence[object],
        cores: tuple[int, ...] | None = None,
        env: dict[str, str] | None = None,
    ) -> Process:
        log = self.folder / f"{len(self.members)}-{name}.log"
        member = Process(name, command, log, cores, env)
        self.members.append(member)
        return member
