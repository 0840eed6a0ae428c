"""Running it: settings, secrets, logs, signals, limits."""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pymongo
import pytest
from support.paths import daemon_binary
from support.raw import RawConnection
from support.servers import Daemon, Servers, Unready, Upstream, UpstreamOptions
from support.tls import make_certificates
from support.wait import wait_until

Document = dict[str, Any]
SECRET = "hunter2-secret"
URI = f"mongodb://app:{SECRET}@127.0.0.1:1/"


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [daemon_binary(), *words], env={**os.environ, **environment}, timeout=30,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_good_settings_are_checked() -> None:
    done = run("--upstream", URI, "--check-config")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "the configuration is good\n"


def test_what_a_start_warns_of_is_told_by_the_check(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        "[listen]\nallow_unauthenticated = true\n[cache]\nmemory = 0\n"
    )
    uri = f"{URI}?compressors=lz4&nonsense=1"
    done = run("--config", str(tmp_path / "c.toml"), "--upstream", uri, "--check-config")
    assert (done.returncode, done.stdout) == (0, "the configuration is good\n")
    lines = done.stderr.splitlines()
    assert all(line.startswith("warning: ") for line in lines)
    for word in ("allow_unauthenticated", "nothing is cached", "lz4", "nonsense"):
        assert sum(word in line for line in lines) == 1, word
    assert SECRET not in done.stderr


def test_settings_are_printed_with_their_origin_and_without_passwords(tmp_path: Path) -> None:
    (tmp_path / "redis").write_text(f"redis://u:{SECRET}@127.0.0.1:6379/0\n")
    (tmp_path / "c.toml").write_text(f'[http]\ntoken = "{SECRET}"\n[cache]\nttl = "1h"\n')
    done = run(
        *("--config", str(tmp_path / "c.toml"), "--upstream", URI, "--print-config"),
        MONGOCACHED_REDIS_URI_FILE=str(tmp_path / "redis"), MONGOCACHED_CACHE_MEMORY="8MiB",
    )  # fmt: skip
    assert done.returncode == 0
    assert SECRET not in done.stdout + done.stderr
    lines = {line.split(" = ")[0]: line for line in done.stdout.splitlines()}
    assert "# file" in lines["ttl"]
    assert "# environment" in lines["memory"]
    assert "# flag" in lines["address"] or "# default" in lines["address"]
    assert "redis://u:" in done.stdout


def test_all_faults_of_a_run_are_told(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        '[cache]\nttll = "1h"\nmemory = "many"\n[log]\nlevel = "loud"\n'
    )
    done = run("--config", str(tmp_path / "c.toml"), "--upstream", URI, "--check-config")
    assert done.returncode == 2
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 3
    for words in (("ttll", "ttl"), ("memory", "many"), ("level", "loud", "debug")):
        assert any(all(word in line for word in words) for line in lines), words
    assert SECRET not in done.stderr


@pytest.mark.parametrize(
    "uri", ["redis://h:0", "redis://h/999999999999", f"rediss://:{SECRET}@h/abc", "redis://h/0?a=b"]
)
@pytest.mark.parametrize("words", [[], ["--check-config"]])
def test_a_redis_that_cannot_be_meant_is_told_before_anybody_is_served(
    uri: str, words: list[str]
) -> None:
    done = run(
        "--upstream", URI, "--redis", uri, "--listen", "127.0.0.1:0", "--http", "none", *words
    )
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("redis.uri = ")
    assert SECRET not in line


@pytest.mark.parametrize("words", [[], ["--check-config"]])
def test_a_login_that_cannot_be_meant_is_told_before_anybody_is_served(words: list[str]) -> None:
    uri = "mongodb://app%40REALM@127.0.0.1:1/?authMechanism=GSSAPI&authSource=%24external"
    done = run("--upstream", uri, "--listen", "127.0.0.1:0", "--http", "none", *words)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("upstream.uri: authMechanism GSSAPI cannot be used; allowed: ")


def test_certificates_that_cannot_be_loaded_are_bad_settings(tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    file = tmp_path / "c.toml"
    listen = f'[listen]\ntls_cert = "{nonsense}"\ntls_key = "{nonsense}"\n'
    file.write_text(f'{listen}[redis]\ntls_ca = "{nonsense}"\n')
    upstream = f"{URI}?tls=true&tlsCAFile={nonsense}"
    for words in ([], ["--check-config"]):
        done = run("--config", str(file), "--upstream", upstream, "--http", "none", *words)
        assert done.returncode == 2
        assert [line.split()[0] for line in done.stderr.strip().splitlines()] == [
            "listen.tls_cert",
            "upstream.uri:",
            "redis.tls_ca",
        ]


@pytest.mark.parametrize(
    "words", [["--nonsense"], ["--threads", "x"], ["--upstream", "http://x"], []]
)
def test_bad_usage(words: list[str]) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert done.stderr.strip()


@pytest.mark.parametrize("which", ["--listen", "--http"])
def test_taken_port_is_one_clear_line(which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        addresses = {"--listen": "127.0.0.1:0", "--http": "none", which: f"127.0.0.1:{port}"}
        words = [word for pair in addresses.items() for word in pair]
        done = run("--upstream", URI, *words, "--log-level", "error")
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert str(port) in line


def answer_of(daemon: Daemon) -> Document:
    with RawConnection("127.0.0.1", daemon.port, timeout=30) as connection:
        return connection.request({"ping": 1, "maxTimeMS": 1000, "$db": "admin"}).document


class Misnamed(Upstream):
    """Its certificate names another host; its own client does not mind."""

    def uri_options(self) -> dict[str, str]:
        return super().uri_options() | {"tlsAllowInvalidHostnames": "true"}


@pytest.mark.parametrize("fault", ["wrong CA", "another host"])
def test_untrusted_upstream_is_told(servers: Servers, fault: str) -> None:
    names = "DNS:elsewhere.example" if fault == "another host" else "DNS:localhost,IP:127.0.0.1"
    certificates = make_certificates(servers.folder(), names=names, common_name="elsewhere.example")
    upstream = Misnamed(servers.folder(), UpstreamOptions(tls=certificates))
    ca = certificates.ca if fault == "another host" else make_certificates(servers.folder()).ca
    servers.running.append(upstream)
    upstream.start()
    uri = f"mongodb://127.0.0.1:{upstream.port}/?directConnection=true&tls=true&tlsCAFile={ca}"
    daemon = Unready(servers.folder(), uri)
    servers.running.append(daemon)
    daemon.start()
    answer = answer_of(daemon)
    assert (answer["ok"], answer["code"]) == (0, 133)
    wait_until(
        lambda: "certificate" in daemon.process.log_text().lower(), what="the reason in the log"
    )


def test_hangup_takes_new_settings_and_refuses_bad_ones(
    servers: Servers, upstream: Upstream
) -> None:
    daemon = servers.daemon(upstream.uri, config='[log]\nlevel = "info"\n')
    file = daemon.directory / "mongocached.toml"
    at = daemon.process.log_size()
    file.write_text('[log]\nlevel = "nonsense"\n')
    daemon.process.signal(signal.SIGHUP)
    wait_until(lambda: "nonsense" in daemon.process.log_text(at), what="the refusal in the log")
    assert answer_of(daemon)["ok"] == 1
    at = daemon.process.log_size()
    file.write_text("[cache]\nenabled = false\n")
    daemon.process.signal(signal.SIGHUP)
    wait_until(lambda: daemon.process.log_text(at).strip(), what="the reload in the log")
    with pymongo.MongoClient(daemon.uri) as client:
        client.operation.c.find_one({"_id": 1})
        wait_until(
            lambda: (
                client.operation.c.find_one({"_id": 1}) is None
                and daemon.metrics().value("mongocached_bypass_total", reason="disabled") > 0
            ),
            what="the cache to be off",
        )


def flush(daemon: Daemon, token: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.http_port, timeout=5)
    try:
        connection.request("POST", "/flush", headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().status
    finally:
        connection.close()


def test_hangup_names_what_waits_for_a_restart(servers: Servers, upstream: Upstream) -> None:
    daemon = servers.daemon(upstream.uri, config='[upstream]\nauthz_ttl = "30s"\n')
    changed = '[upstream]\nauthz_ttl = "5s"\n[log]\nformat = "json"\n[cache]\nttl = "1m"\n'
    for _ in range(2):  # as long as it waits
        text = daemon.reload(changed + "memory = 0\n")
        assert text.count("with a restart only") == 1
        assert 'keys="upstream.authz_ttl, cache.memory, log.format"' in text
        shown = daemon.status()["settings"]["cache"]
        assert (shown["ttl_ms"], shown["memory_bytes"] > 0) == (60_000, True)
    assert "restart" not in daemon.reload('[upstream]\nauthz_ttl = "30s"\n')


def test_hangup_warns_as_the_start_does(servers: Servers, upstream: Upstream) -> None:
    odd = '[listen]\nmax_buffered = "1MiB"\nallow_unauthenticated = true\n'
    odd += '[cache]\nmax_entry = "15MiB"\n'
    daemon = servers.daemon(upstream.uri, config=odd)
    warnings = ("max_buffered is less than two", "allow_unauthenticated has no effect")
    for text in (daemon.process.log_text(), daemon.reload(odd)):
        assert [text.count(warning) for warning in warnings] == [1, 1]
    # Also where something waits for a restart.
    text = daemon.reload(odd + 'memory = "8MiB"\n')
    assert [text.count(warning) for warning in warnings] == [1, 1]
    text = daemon.reload("[listen]\n")
    assert [text.count(warning) for warning in warnings] == [0, 0]


def test_hangup_tells_of_certificates_only_where_there_are_some(
    servers: Servers, upstream: Upstream
) -> None:
    daemon = servers.daemon(upstream.uri, config='[cache]\nttl = "1m"\n')
    assert "certificates" not in daemon.reload('[cache]\nttl = "2m"\n')


def test_hangup_refuses_what_holds_together_only_after_a_restart(
    servers: Servers, upstream: Upstream
) -> None:
    daemon = servers.daemon(upstream.uri, "", config='[cache]\nttl = "1m"\n')
    text = daemon.reload('[redis]\nuri = "redis://h"\n[cache]\nmode = "strict"\n', "stay in force")
    assert "needs redis.uri" in text
    assert "takes effect with a restart only: redis.uri" in text
    assert daemon.status()["settings"]["cache"]["mode"] == "bounded"
    text = daemon.reload('[redis]\nuri = "redis://h:0"\n', "stay in force")
    assert "the port must be a number from 1 to 65535" in text


def test_hangup_takes_another_token(servers: Servers, upstream: Upstream) -> None:
    daemon = servers.daemon(upstream.uri, config='[http]\ntoken = "old-token"\n')
    assert (flush(daemon, "old-token"), flush(daemon, "new-token")) == (200, 401)
    text = daemon.reload('[http]\ntoken = "new-token"\n')
    assert (flush(daemon, "old-token"), flush(daemon, "new-token")) == (401, 200)
    assert "token" not in text


def test_termination_lets_requests_finish(servers: Servers, upstream: Upstream) -> None:
    relay = servers.relay(upstream.port)
    daemon = servers.daemon(relay.uri)
    with (
        RawConnection("127.0.0.1", daemon.port) as idle,
        RawConnection("127.0.0.1", daemon.port) as busy,
        pymongo.MongoClient(daemon.uri) as client,
    ):
        idle.request({"ping": 1, "$db": "admin"})
        stream = client.operation.watch(max_await_time_ms=60_000)
        awaited = threading.Thread(target=swallow, args=(stream.try_next,), daemon=True)
        awaited.start()
        busy.request({"ping": 1, "$db": "admin"})

        def are_busy(count: int) -> bool:
            return daemon.metrics().value("mongocached_upstream_connections", state="busy") == count

        wait_until(lambda: are_busy(1), what="the getMore that awaits")
        relay.set_delay(0.4)
        busy.send({"ping": 1, "$db": "admin"})
        wait_until(lambda: are_busy(2), what="the ping beside it")
        daemon.process.signal(signal.SIGTERM)
        assert idle.closed_by_peer()
        assert busy.receive().document["ok"] == 1
        assert daemon.process.wait(8) == 0
        relay.set_delay(0)
    awaited.join(5)


def swallow(action: Any) -> None:
    with suppress(pymongo.errors.PyMongoError):
        action()


class BareDaemon(Daemon):
    """Started with descriptors 0 to 2 closed: sockets once took them, and got what is printed."""

    def argv(self) -> list[str | Path]:
        return ["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *super().argv()]


def test_closed_standard_descriptors_are_not_taken_by_sockets(
    upstream: Upstream, tmp_path: Path
) -> None:
    daemon = BareDaemon(tmp_path, upstream.uri)
    daemon.start()
    try:
        open_as = Path(f"/proc/{daemon.process.pid}/fd")
        assert [os.readlink(open_as / str(n)) for n in range(3)] == ["/dev/null"] * 3
    finally:
        daemon.stop()


def test_signals_that_mean_nothing_end_nothing(daemon: Daemon) -> None:
    at = daemon.process.log_size()
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
        daemon.process.signal(number)
    daemon.process.signal(signal.SIGHUP)  # handled after them
    wait_until(lambda: "read again" in daemon.process.log_text(at), what="the reload")


@pytest.mark.parametrize("form", ["text", "json"])
def test_log_lines_and_slow_requests(servers: Servers, upstream: Upstream, form: str) -> None:
    config = f'[log]\nformat = "{form}"\nslow = "1us"\n'
    daemon = servers.daemon(upstream.uri, config=config)
    with RawConnection("127.0.0.1", daemon.port) as connection:
        for _ in range(2):
            connection.request({"find": "c", "filter": {"_id": SECRET}, "$db": "operation"})
    wait_until(
        lambda: "slow request" in daemon.process.log_text(), what="a slow request in the log"
    )
    text = daemon.process.log_text()
    assert SECRET not in text, "values of requests are not logged"
    assert "namespace_unknown" in text
    if form == "json":
        slow = [json.loads(line) for line in text.splitlines()]
        assert all(isinstance(line, dict) for line in slow)


def test_slow_requests_do_not_fill_the_log(servers: Servers, upstream: Upstream) -> None:
    daemon = servers.daemon(upstream.uri, config='[log]\nformat = "json"\nslow = "1us"\n')
    sent = 200

    def told() -> list[Any]:
        lines = map(json.loads, daemon.process.log_text().splitlines())
        return [line for line in lines if line.get("event") == "slow request"]

    with RawConnection("127.0.0.1", daemon.port) as connection:
        begun = time.monotonic()
        for _ in range(sent):
            connection.request({"count": "c", "$db": "operation"})
        allowed = 10 + (time.monotonic() - begun) + 1
        assert 10 <= len(told()) <= allowed

        def leaves_out() -> bool:
            connection.request({"count": "c", "$db": "operation"})
            return any(line["unsaid"] > 0 for line in told())

        wait_until(leaves_out, what="a line that counts what was left out")


def test_what_awaits_is_not_slow(servers: Servers, upstream: Upstream) -> None:
    daemon = servers.daemon(upstream.uri, config='[log]\nslow = "20ms"\n')
    durations = "mongocached_request_duration_seconds_count"

    def asked(command: str) -> float:
        return daemon.metrics().value("mongocached_requests_total", command=command)

    with (
        pymongo.MongoClient(daemon.uri) as client,
        client.operation.watch(max_await_time_ms=100) as stream,
    ):
        wait_until(lambda: asked("aggregate") == 1, what="the opening to be counted")
        before = daemon.metrics().value(durations, outcome="bypass")
        for _ in range(3):
            assert stream.try_next() is None
        wait_until(lambda: asked("getMore") >= 3, what="the getMores to be counted")
        assert daemon.metrics().value(durations, outcome="bypass") == before
    assert "command=getMore" not in daemon.process.log_text()


def test_what_clients_make_the_log_say_is_bounded(servers: Servers, upstream: Upstream) -> None:
    daemon = servers.daemon(upstream.uri)
    at, begun = daemon.process.log_size(), time.monotonic()

    def spoil() -> None:
        with RawConnection("127.0.0.1", daemon.port) as client:
            client.socket.sendall(struct.pack("<iiiii", 20, 1, 0, 2013, 0))
            assert client.closed_by_peer()

    for _ in range(200):
        spoil()
    most = 10 + time.monotonic() - begun + 1
    for line in ("bad OP_MSG", "connection closed"):
        assert 10 <= daemon.process.log_text(at).count(line) <= most

    def told() -> bool:
        spoil()
        return re.search(r"bad OP_MSG .*unsaid=[1-9]", daemon.process.log_text(at)) is not None

    wait_until(told, pause=0.2, what="the number of those that were left out")


@pytest.fixture
def notify(servers: Servers) -> Iterator[tuple[socket.socket, str]]:
    path = str(servers.folder() / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        listening.settimeout(10)
        yield listening, path


def test_service_manager_is_told(
    servers: Servers, upstream: Upstream, notify: tuple[socket.socket, str]
) -> None:
    listening, path = notify
    daemon = servers.daemon(upstream.uri, env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"})
    seen: set[str] = set()

    def receive_until(word: str) -> None:
        while word not in seen:
            seen.update(line.split("=")[0] for line in listening.recv(4096).decode().splitlines())

    receive_until("READY")
    receive_until("WATCHDOG")
    daemon.process.signal(signal.SIGTERM)
    receive_until("STOPPING")
    assert daemon.process.wait() == 0


def data_threads(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(task.name) for task in tasks if (task / "comm").read_text().startswith("data-")]


@contextmanager
def stalled(thread: int) -> Iterator[None]:
    """Stops one thread of a child process, as a debugger does; the others run on."""
    seize, interrupt, detach, any_child = 0x4206, 0x4207, 17, 0x40000000
    libc = ctypes.CDLL(None, use_errno=True)

    def ptrace(request: int) -> None:
        if libc.ptrace(request, thread, None, None) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    ptrace(seize)
    ptrace(interrupt)
    os.waitpid(thread, any_child)
    yield
    ptrace(detach)


def receive(listening: socket.socket, count: int) -> None:
    for _ in range(count):
        listening.recv(4096)


def test_no_watchdog_ping_while_one_data_thread_hangs(
    servers: Servers, upstream: Upstream, notify: tuple[socket.socket, str]
) -> None:
    listening, path = notify
    patience = 0.6
    daemon = servers.daemon(
        upstream.uri,
        config="[listen]\nthreads = 2\n",
        env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": str(int(patience * 1e6))},
    )
    while b"WATCHDOG" not in listening.recv(4096):
        pass
    threads = data_threads(daemon.process.pid)
    assert len(threads) == 2
    with stalled(threads[1]):
        listening.settimeout(patience)  # after which the manager would restart it
        with pytest.raises(TimeoutError):
            receive(listening, 10)  # a ping or two may have been due already
    listening.settimeout(10)
    assert b"WATCHDOG" in listening.recv(4096)


def test_connections_above_the_limit_are_refused(servers: Servers, upstream: Upstream) -> None:
    daemon = servers.daemon(upstream.uri, config="[listen]\nmax_connections = 2\n")
    with RawConnection("127.0.0.1", daemon.port) as a, RawConnection("127.0.0.1", daemon.port) as b:
        for connection in (a, b):
            connection.request({"ping": 1, "$db": "admin"})
        with RawConnection("127.0.0.1", daemon.port) as third:
            assert third.closed_by_peer()
        assert (
            daemon.metrics().value("mongocached_client_disconnects_total", reason="too_many") == 1
        )


def test_announced_bytes_cost_nothing(servers: Servers, upstream: Upstream) -> None:
    daemon = servers.daemon(upstream.uri)
    rss = "process_resident_memory_bytes"
    before = daemon.metrics().value(rss)
    header = struct.pack("<iiiiI", 47_000_000, 1, 0, 2013, 0)
    body = b"\0" + struct.pack("<i", 46_999_000) + b"\2insert\0"
    clients = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(200)]
    for client in clients:
        client.sendall(header + body)
    wait_until(lambda: daemon.metrics().value("mongocached_client_connections") >= 200)
    assert daemon.metrics().value(rss) - before < 200 * 64 * 1024
    for client in clients:
        client.close()


def test_low_limit_on_open_files_is_told(servers: Servers, upstream: Upstream) -> None:
    daemon = Daemon(servers.folder(), upstream.uri)
    plain_argv = daemon.argv
    daemon.argv = lambda: ["prlimit", "--nofile=200:200", *plain_argv()]  # type: ignore[method-assign]
    servers.running.append(daemon)
    daemon.start()
    assert "listen.max_connections is cut from 10000" in daemon.process.log_text()
