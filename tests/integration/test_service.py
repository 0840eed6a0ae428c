"""Under a service manager: sockets that it opened, questions about health, what its walls leave."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pymongo
import pytest
from support.paths import ROOT, daemon_binary
from support.raw import RawConnection
from support.servers import Daemon, Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
UNITS = ROOT / "systemd"
PING: Document = {"ping": 1, "$db": "admin"}
# Moves descriptors to 3, 4, ... and becomes the program, as a service manager does.
ACTIVATE = """
import fcntl, os, sys
count = int(sys.argv[1])
copies = [fcntl.fcntl(int(word), fcntl.F_DUPFD_CLOEXEC, 100) for word in sys.argv[2 : 2 + count]]
for at, fd in enumerate(copies):
    os.dup2(fd, 3 + at)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2 + count], sys.argv[2 + count :])
"""


def listening_socket() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def activated(sockets: Sequence[socket.socket], argv: Sequence[str | Path]) -> list[str | Path]:
    fds = [str(s.fileno()) for s in sockets]
    return [sys.executable, "-c", ACTIVATE, str(len(fds)), *fds, *argv]


class ActivatedDaemon(Daemon):
    """Listens on sockets that it is given; those of its settings are taken, and by us."""

    def __init__(self, directory: Path, upstream_uri: str, **sockets: socket.socket) -> None:
        super().__init__(directory, upstream_uri)
        self.sockets = list(sockets.values())
        self.env = {"LISTEN_FDS": str(len(sockets)), "LISTEN_FDNAMES": ":".join(sockets)}

    def start(self) -> None:
        self.port, self.http_port = (s.getsockname()[1] for s in self.sockets[:2])
        self._launch()

    def argv(self) -> list[str | Path]:
        return activated(self.sockets, super().argv())

    def _launch(self) -> None:
        self.process = type(self.process)(self.name, self.argv(), self.log, self.environment())
        self.process.pass_fds = [s.fileno() for s in self.sockets]
        self.process.start()
        self.process.wait_ready(self.is_ready)


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    made = [listening_socket() for _ in range(2)]
    yield made
    for each in made:
        each.close()


@pytest.fixture
def activated_daemon(
    servers: Servers, upstream: Upstream, sockets: list[socket.socket]
) -> ActivatedDaemon:
    clients, http = sockets
    daemon = ActivatedDaemon(servers.folder(), upstream.uri, clients=clients, http=http)
    servers.running.append(daemon)
    daemon.start()
    return daemon


def test_inherited_sockets_serve_clients_and_the_side_port(
    activated_daemon: ActivatedDaemon,
) -> None:
    with pymongo.MongoClient(activated_daemon.uri) as client:
        assert client.admin.command("ping")["ok"] == 1
    assert activated_daemon.status()["version"]
    assert "inherited_sockets=1" in activated_daemon.process.log_text()


def test_configured_addresses_do_not_count_beside_inherited_sockets(
    servers: Servers, upstream: Upstream, sockets: list[socket.socket]
) -> None:
    """By default `listen.address` is where a mongod on the same machine listens."""
    clients, http = sockets
    daemon = ActivatedDaemon(servers.folder(), upstream.uri, clients=clients, http=http)
    daemon.arguments = ["--listen", upstream.address, "--http", upstream.address]
    servers.running.append(daemon)
    daemon.start()
    with pymongo.MongoClient(daemon.uri) as client:
        assert client.admin.command("ping")["ok"] == 1


def test_nobody_is_refused_while_the_daemon_is_started_anew(
    activated_daemon: ActivatedDaemon,
) -> None:
    assert activated_daemon.stop() == 0
    with RawConnection("127.0.0.1", activated_daemon.port) as waiting:
        waiting.send(PING)
        activated_daemon.start_again()
        assert waiting.receive().document["ok"] == 1


def test_several_sockets_serve_clients(
    servers: Servers, upstream: Upstream, sockets: list[socket.socket]
) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as more:
        names = dict(zip(("clients", "http", "more"), [*sockets, more], strict=True))
        daemon = ActivatedDaemon(servers.folder(), upstream.uri, **names)
        servers.running.append(daemon)
        daemon.start()
        for host, port in (("127.0.0.1", daemon.port), more.getsockname()[:2]):
            with RawConnection(host, port) as client:
                assert client.request(PING).document["ok"] == 1


def test_sockets_of_another_process_are_left_alone(servers: Servers, upstream: Upstream) -> None:
    daemon = servers.daemon(upstream.uri, env={"LISTEN_PID": "1", "LISTEN_FDS": "1"})
    with RawConnection("127.0.0.1", daemon.port) as client:
        assert client.request(PING).document["ok"] == 1


def test_a_socket_that_is_none_for_clients_is_one_clear_line(upstream: Upstream) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        words = ["--upstream", upstream.uri, "--log-level", "error"]
        done = subprocess.run(
            activated([datagrams], [daemon_binary(), *words]), pass_fds=[datagrams.fileno()],
            env={**os.environ, "LISTEN_FDS": "1"}, capture_output=True, text=True, timeout=30,
            check=False,
        )  # fmt: skip
    said = done.stderr.splitlines()
    assert (done.returncode, len(said)) == (1, 1), done.stderr
    assert "descriptor 3 is no TCP socket" in said[0]


def health(daemon: Daemon, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*daemon.argv(), "--health-check", path], timeout=30, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def test_health_is_told_by_the_exit_status(servers: Servers) -> None:
    upstream = servers.upstream()
    daemon = servers.daemon(upstream.uri)
    for path in ("healthz", "readyz"):
        assert health(daemon, path).returncode == 0, path
    upstream.kill()
    unready = wait_until(
        lambda: (answer := health(daemon, "readyz")).returncode == 1 and answer,
        what="the daemon to say that it is not ready",
        deadline=30,
    )
    assert '"ready":false' in unready.stderr
    assert health(daemon, "healthz").returncode == 0
    daemon.stop()
    gone = health(daemon, "healthz")
    assert (gone.returncode, gone.stdout) == (1, "")
    assert "Connection refused" in gone.stderr


def test_health_cannot_be_asked_without_a_side_port() -> None:
    words = ["--upstream", "mongodb://127.0.0.1:1/", "--http", "none", "--health-check", "readyz"]
    done = subprocess.run(
        [daemon_binary(), *words], timeout=30, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "http.address" in done.stderr


def ask_health(
    arguments: Sequence[str | Path] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [daemon_binary(), "--health-check", "healthz", *arguments],
        env={**os.environ, **environment}, timeout=30, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_health_can_be_asked_without_the_settings_of_the_daemon(
    servers: Servers, upstream: Upstream
) -> None:
    """A container's health check has its environment, and not the flags it was started with."""
    daemon = servers.daemon(upstream.uri)
    address = f"127.0.0.1:{daemon.http_port}"
    done = ask_health(MONGOCACHED_HTTP_ADDRESS=address, MONGOCACHED_CACHE_TTL="soon")
    assert (done.returncode, done.stderr) == (0, "")


def test_health_that_cannot_be_asked_is_status_1(tmp_path: Path) -> None:
    """Docker reserves 2."""
    for done, said in (
        (ask_health(MONGOCACHED_HTTP_ADDRESS="nowhere"), "http.address = "),
        (ask_health(["--config", tmp_path / "missing"]), "--config = "),
        (ask_health(["--health-check", "nonsense"]), "--health-check"),
        (ask_health(["--no-such-flag"]), "no such flag"),
    ):
        assert (done.returncode, done.stdout) == (1, "")
        assert said in done.stderr


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed (scripts/install-deps installs what Debian has)")
    return path


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units, with the program where it is and not where a package puts it."""
    made = []
    for unit in sorted([*UNITS.glob("*.service"), *UNITS.glob("*.socket")]):
        text = unit.read_text().replace("/usr/bin/mongocached", str(daemon_binary()))
        made.append(tmp_path / unit.name)
        made[-1].write_text(text)
    assert len(made) == 3
    return made


def test_units_are_understood(units: list[Path]) -> None:
    done = subprocess.run(
        [tool("systemd-analyze"), "verify", "--man=no", *units], timeout=60, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_exposure_stays_low(units: list[Path]) -> None:
    (service,) = [unit for unit in units if unit.suffix == ".service"]
    done = subprocess.run(
        [tool("systemd-analyze"), "security", "--offline=true", "--threshold=12", service],
        timeout=60, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def settings_of(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


def test_a_socket_unit_is_enabled_while_the_service_is_stopped() -> None:
    """systemd refuses to open a socket whose service is active."""
    words = "systemctl stop mongocached && systemctl enable --now mongocached.socket"
    words += " && systemctl start mongocached\n"
    for file in (ROOT / "docs/operations.md", UNITS / "mongocached.socket"):
        text = file.read_text()
        assert text.count("enable --now mongocached.socket") == text.count(words) == 1, file


def test_the_walls_leave_a_folder_for_a_unix_socket() -> None:
    service = UNITS / "mongocached.service"
    assert settings_of(service, "RuntimeDirectory") == ["mongocached"]
    assert settings_of(service, "RuntimeDirectoryMode") == ["0755"]
    named = re.findall(r'unix_socket = "(.*)"', (ROOT / "docs/operations.md").read_text())
    assert named
    assert all(path.startswith("/run/mongocached/") for path in named)


def system_calls(group: str) -> set[str]:
    listed = subprocess.run(
        [tool("systemd-analyze"), "syscall-filter", group], capture_output=True, text=True,
        check=True, timeout=60,
    )  # fmt: skip
    words = [line.split("#")[0].strip() for line in listed.stdout.splitlines()[1:]]
    out: set[str] = set()
    for word in filter(None, words):
        out |= system_calls(word) if word.startswith("@") else {word}
    return out


def allowed_system_calls(unit: Path) -> set[str]:
    """As systemd reads SystemCallFilter=: the first line allows, `~` takes away."""
    allowed = system_calls("@default")
    for line in settings_of(unit, "SystemCallFilter"):
        named: set[str] = set()
        for word in line.removeprefix("~").split():
            named |= system_calls(word) if word.startswith("@") else {word}
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed | system_calls("@default")


class TracedDaemon(Daemon):
    def environment(self) -> dict[str, str]:
        lines = settings_of(UNITS / "mongocached.service", "Environment")
        return dict(line.split("=", 1) for line in lines)

    def argv(self) -> list[str | Path]:
        trace = self.directory / "trace"
        return [tool("strace"), "-f", "-qq", "-o", trace, *super().argv()]


THREAD_NAME = re.compile(r"/proc/self/task/\d+/comm")
CALL = re.compile(r"^\d+ +(\w+)\((.*)")  # its beginning; "<... resumed" lines repeat the name


def test_the_walls_leave_what_the_daemon_needs(servers: Servers, upstream: Upstream) -> None:
    """Every system call of a run with clients, Redis, a reload and a drain is one that the unit
    allows; no memory is writable and executable; no file is written."""
    service = UNITS / "mongocached.service"
    folder = servers.folder()
    daemon = TracedDaemon(
        folder, upstream.uri, servers.redis().uri, f'[listen]\nunix_socket = "{folder}/m.sock"\n'
    )
    servers.running.append(daemon)
    daemon.start()
    with pymongo.MongoClient(daemon.uri) as client, closing(client.service.c.watch()) as stream:
        for _ in range(3):
            client.service.c.find_one({"_id": 1})
        client.service.c.insert_one({"_id": 1})
        assert stream.next()["operationType"] == "insert"
    daemon.metrics()
    at = daemon.process.log_size()
    children = Path(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children")
    (traced,) = children.read_text().split()
    os.kill(int(traced), signal.SIGHUP)
    wait_until(lambda: "read again" in daemon.process.log_text(at), what="the reload")
    os.kill(int(traced), signal.SIGTERM)
    assert daemon.process.wait() == 0

    calls = [
        m.groups()
        for m in map(CALL.match, (daemon.directory / "trace").read_text().splitlines())
        if m
    ]
    used = {name for name, _ in calls}
    assert {"accept4", "accept", "epoll_wait", "epoll_pwait"} & used, "the trace has the daemon"
    assert used - allowed_system_calls(service) == set()
    families = {word.split(",")[0] for name, word in calls if name == "socket"}
    assert families <= set(" ".join(settings_of(service, "RestrictAddressFamilies")).split())
    executable = [w for name, w in calls if name in ("mmap", "mprotect") and "PROT_EXEC" in w]
    assert executable
    assert [words for words in executable if "PROT_WRITE" in words] == []
    opened = [w for name, w in calls if name in ("open", "openat", "creat")]
    written = [w for w in opened if re.search(r"O_(WRONLY|RDWR|CREAT)", w)]
    assert [w for w in written if not THREAD_NAME.search(w)] == []
