"""One child process with its log in a file."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


class StartError(RuntimeError):
    """A server did not come up; the message ends with its log."""


given_out: deque[int] = deque(maxlen=100)


def free_port() -> int:
    """A port nobody listens on just now, and none that was given out a moment ago. Another may take
    it: see `start_on_free_port`."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in given_out:
            given_out.append(port)
            return port


class Process:
    """Started by `start`, ended by `stop` or `kill`; may be started again with the same arguments.

    It has a process group of its own, so that Ctrl-C reaches us first and we end it in order.
    """

    def __init__(
        self, name: str, argv: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.argv = [str(word) for word in argv]
        self.log = log
        self.env = dict(env or {})
        self.pass_fds: Sequence[int] = ()
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.env},
                cwd=self.log.parent,
                start_new_session=True,
                pass_fds=self.pass_fds,
            )

    @property
    def pid(self) -> int:
        assert self._child is not None, f"{self.name} was never started"
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def exit_status(self) -> int | None:
        return self._child.poll() if self._child else None

    def wait_ready(self, ready: Callable[[], bool], deadline: float = 30.0) -> None:
        """Asks until `ready` says yes. An exception counts as no; an exit ends the wait."""
        end = time.monotonic() + deadline
        last: Exception | None = None
        while self.alive and time.monotonic() < end:
            try:
                if ready():
                    return
            except Exception as error:  # refused, reset, half started: whatever it is, ask again
                last = error
            time.sleep(0.02)
        state = "is not ready" if self.alive else f"exited with status {self.exit_status}"
        self.kill()
        raise StartError(f"{self.name} {state} ({last})\n{self.log_tail()}")

    def stop(self, deadline: float = 15.0) -> int | None:
        """Asks it to end (SIGTERM) and returns its exit status; kills it after `deadline` s."""
        if self.alive:
            self.signal(signal.SIGTERM)
            try:
                self._child.wait(deadline)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.exit_status

    def kill(self) -> None:
        if self.alive:
            self.signal(signal.SIGKILL)
            self._child.wait()

    def signal(self, number: signal.Signals) -> None:
        assert self._child is not None
        self._child.send_signal(number)

    def wait(self, deadline: float = 15.0) -> int:
        """Its exit status, once it has ended by itself."""
        assert self._child is not None
        return self._child.wait(deadline)

    def log_text(self, since: int = 0) -> str:
        """What it logged, from byte `since` on (`log_size` tells where it stands)."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(since)
            return log.read().decode(errors="replace")

    def log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def log_tail(self, lines: int = 30, since: int = 0) -> str:
        tail = self.log_text(since).splitlines()[-lines:]
        return "\n".join([f"--- {self.name}: {self.log}", *tail])


def start_on_free_port(start: Callable[[int], None], tries: int = 3) -> int:
    """Calls `start` with a free port, again with another one if somebody took it meanwhile."""
    for left in reversed(range(tries)):
        port = free_port()
        try:
            start(port)
            return port
        except StartError as error:
            taken = any(words in str(error).lower() for words in ("in use", "taken"))
            if not taken or not left:
                raise
    raise AssertionError("unreachable")
