"""The servers that rows measure: each function starts what it needs and returns where to aim."""

import os
import shutil
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.machine import Cores, haproxy
from harness.processes import BenchError, Process, ProcessGroup, free_port

STUB_SET = "stub"


class Skip(Exception):
    """The row needs something that is not on this machine."""


@dataclass
class Setting:
    """Where programs are and where they run."""

    tools: Path
    daemon: Path
    secantus: Path | None
    cores: Cores
    folder: Path
    reply_size: int = 560


@dataclass
class Subject:
    """A started server. `outcomes` asks the daemon how finds ended so far."""

    port: int
    server: Process
    outcomes: Callable[[], Counter[str]] | None = None
    load_options: list[str] = field(default_factory=list)
    # The server must hold the key space's documents or values before it is asked for them.
    populate: bool = False


def echo(group: ProcessGroup, setting: Setting) -> Subject:
    command = [setting.tools / "echo_server", "--reply-size", setting.reply_size]
    server = group.start("echo", command, setting.cores.server)
    return Subject(server.announced_port(), server, load_options=["--check", "ok"])


def start_stub(group: ProcessGroup, setting: Setting, core: int) -> tuple[Process, int]:
    command = [setting.tools / "stub_upstream", "--reply-size", setting.reply_size]
    stub = group.start("stub", command, core)
    return stub, stub.announced_port()


def direct_stub(group: ProcessGroup, setting: Setting) -> Subject:
    server, port = start_stub(group, setting, setting.cores.server)
    return Subject(port, server)


def start_redis(group: ProcessGroup, core: int) -> tuple[Process, int]:
    program = shutil.which("redis-server")
    if not program:
        raise Skip("redis-server is not installed")
    port = free_port()
    options = ["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = group.start("redis", [program, *options], core)
    server.wait_for_port(port)
    return server, port


def redis(group: ProcessGroup, setting: Setting) -> Subject:
    server, port = start_redis(group, setting.cores.server)
    options = ["--protocol", "redis", "--value-size", str(setting.reply_size)]
    return Subject(port, server, load_options=options, populate=True)


def haproxy_tcp(group: ProcessGroup, setting: Setting) -> Subject:
    program = haproxy()
    if not program:
        raise Skip("haproxy is not installed")
    _, stub_port = start_stub(group, setting, setting.cores.backend)
    port = free_port()
    config = setting.folder / "haproxy.cfg"
    config.write_text(
        "global\n  nbthread 1\n  maxconn 2000\n"
        "defaults\n  mode tcp\n"
        "  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
        f"listen relay\n  bind 127.0.0.1:{port}\n  server stub 127.0.0.1:{stub_port}\n"
    )
    server = group.start("haproxy", [program, "-db", "-f", config], setting.cores.server)
    server.wait_for_port(port)
    return Subject(port, server)


def secantus(group: ProcessGroup, setting: Setting) -> Subject:
    if setting.secantus is None:
        raise Skip("no SecantusDB (--secantus, $SECANTUSD, PATH or .deps/upstream)")
    port = free_port()
    storage = setting.folder / f"secantus-{port}"
    options = ["--host", "127.0.0.1", "--port", port, "--storage-path", storage]
    command = [setting.secantus, *options, "--noop-heartbeat-seconds", "0.2"]
    server = group.start("secantus", command, setting.cores.server)
    server.wait_for_port(port)
    # A document of 356 bytes makes a reply of about reply_size.
    options = ["--value-size", str(setting.reply_size - 204)]
    return Subject(port, server, load_options=options, populate=True)


def daemon(
    group: ProcessGroup, setting: Setting, settings: dict[str, str], with_redis: bool = False
) -> Subject:
    """mongocached in front of the stub, with one data thread and these MONGOCACHED_ settings."""
    if not setting.daemon.exists():
        raise BenchError(f"no daemon at {setting.daemon}: build it or give --daemon PATH")
    _, stub_port = start_stub(group, setting, setting.cores.backend)
    redis_uri = "none"
    if with_redis:
        _, redis_port = start_redis(group, setting.cores.backend)
        redis_uri = f"redis://127.0.0.1:{redis_port}/0"
    port, http = free_port(), free_port()
    command = [setting.daemon, "--listen", f"127.0.0.1:{port}", "--threads", 1]
    command += ["--upstream", f"mongodb://127.0.0.1:{stub_port}/?replicaSet={STUB_SET}"]
    command += ["--redis", redis_uri, "--http", f"127.0.0.1:{http}", "--log-level", "warn"]
    env = {k: v for k, v in os.environ.items() if not k.startswith("MONGOCACHED_")}
    env |= {f"MONGOCACHED_{name}": value for name, value in settings.items()}
    server = group.start("mongocached", command, setting.cores.server, env)
    server.wait_for("/readyz", lambda: get(http, "/readyz") is not None)
    return Subject(port, server, lambda: outcomes(http))


def get(port: int, path: str) -> str | None:
    """Body of a 200 answer; anything else is None."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.read().decode()
    except (urllib.error.URLError, OSError):
        return None


def outcomes(port: int) -> Counter[str]:
    """How many finds ended how, from mongocached_requests_total."""
    text = get(port, "/metrics")
    if text is None:
        raise BenchError("the daemon's /metrics does not answer")
    counts: Counter[str] = Counter()
    for line in text.splitlines():
        if line.startswith("mongocached_requests_total{") and 'command="find"' in line:
            labels, _, value = line.rpartition(" ")
            counts[labels.partition('outcome="')[2].partition('"')[0]] += int(float(value))
    return counts
