"""The servers that rows measure: each function starts what it needs and returns where to aim."""

import os
import shutil
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.machine import Cores, haproxy
from harness.processes import BenchError, Process, ProcessGroup, free_port

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "integration"))

from support.tls import Certificates, make_certificates  # noqa: E402

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
    descriptors: int  # open files that a process may have
    reply_size: int = 560
    # What the daemon runs under, settings for that, and how long it may take to start.
    wrapper: tuple[str, ...] = ()
    daemon_settings: dict[str, str] = field(default_factory=dict)
    patience: float = 20.0
    # Most values that section `scale` puts into Redis.
    redis_values: int = 100_000


@dataclass
class Subject:
    """A started server. `outcomes` asks the daemon how commands of a name ended so far."""

    port: int
    server: Process
    outcomes: Callable[[str], Counter[str]] | None = None
    load_options: list[str] = field(default_factory=list)
    # The server must hold the key space's documents or values before it is asked for them.
    populate: bool = False


def echo(group: ProcessGroup, setting: Setting) -> Subject:
    command = [setting.tools / "echo_server", "--reply-size", setting.reply_size]
    server = group.start("echo", command, setting.cores.server)
    return Subject(server.announced_port(), server, load_options=["--check", "ok"])


def echo_tls(group: ProcessGroup, setting: Setting) -> Subject:
    made = certificates(setting)
    command = [setting.tools / "echo_server", "--reply-size", setting.reply_size]
    command += ["--tls-cert", made.certificate, "--tls-key", made.key]
    server = group.start("echo", command, setting.cores.server)
    options = ["--check", "ok", *towards(made)]
    return Subject(server.announced_port(), server, load_options=options)


def certificates(setting: Setting) -> Certificates:
    if not shutil.which("openssl"):
        raise Skip("openssl is not installed")
    return make_certificates(setting.folder / "tls")


def towards(made: Certificates) -> list[str]:
    """How the load generator reaches a server that has such a certificate."""
    return ["--tls-ca", str(made.ca)]


def start_stub(
    group: ProcessGroup, setting: Setting, cores: tuple[int, ...]
) -> tuple[Process, int]:
    command = [setting.tools / "stub_upstream", "--reply-size", setting.reply_size]
    stub = group.start("stub", command, cores)
    return stub, stub.announced_port()


def direct_stub(group: ProcessGroup, setting: Setting) -> Subject:
    server, port = start_stub(group, setting, setting.cores.server)
    return Subject(port, server)


def start_redis(group: ProcessGroup, cores: tuple[int, ...]) -> tuple[Process, int]:
    program = shutil.which("redis-server")
    if not program:
        raise Skip("redis-server is not installed")
    port = free_port()
    options = [
        "--port",
        port,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
    ]
    server = group.start("redis", [program, *options], cores)
    server.wait_for_port(port)
    return server, port


def redis(group: ProcessGroup, setting: Setting) -> Subject:
    server, port = start_redis(group, setting.cores.server)
    options = ["--protocol", "redis", "--value-size", str(setting.reply_size)]
    return Subject(port, server, load_options=options, populate=True)


def redis_echo(group: ProcessGroup, setting: Setting) -> Subject:
    _, redis_port = start_redis(group, setting.cores.backend)
    command = [setting.tools / "redis_echo", "--redis", f"127.0.0.1:{redis_port}"]
    command += ["--reply-size", setting.reply_size]
    server = group.start("redis_echo", command, setting.cores.server)
    return Subject(server.announced_port(), server, load_options=["--check", "ok"])


def start_haproxy(
    group: ProcessGroup,
    setting: Setting,
    cores: tuple[int, ...],
    listen: str,
    server: str,
) -> tuple[Process, int]:
    """One thread that copies bytes; `listen` and `server` are what is said of TLS on each side."""
    program = haproxy()
    if not program:
        raise Skip("haproxy is not installed")
    port = free_port()
    config = setting.folder / f"haproxy-{port}.cfg"
    config.write_text(
        "global\n  nbthread 1\n  maxconn 2000\n"
        "defaults\n  mode tcp\n"
        "  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
        f"listen relay\n  bind 127.0.0.1:{port} {listen}\n  server next 127.0.0.1:{server}\n"
    )
    started = group.start("haproxy", [program, "-db", "-f", config], cores)
    started.wait_for_port(port)
    return started, port


def haproxy_tcp(group: ProcessGroup, setting: Setting) -> Subject:
    _, stub_port = start_stub(group, setting, setting.cores.backend)
    server, port = start_haproxy(group, setting, setting.cores.server, "", str(stub_port))
    return Subject(port, server)


def start_tls_stub(group: ProcessGroup, setting: Setting) -> tuple[int, Certificates]:
    """The stub behind a HAProxy that ends TLS; its port, and what it can be known by."""
    made = certificates(setting)
    _, stub_port = start_stub(group, setting, setting.cores.backend)
    tls = f"ssl crt {made.pem}"
    _, port = start_haproxy(group, setting, setting.cores.backend, tls, str(stub_port))
    return port, made


def haproxy_tls(group: ProcessGroup, setting: Setting, both_sides: bool = False) -> Subject:
    tls_port, made = start_tls_stub(group, setting)
    listen = f"ssl crt {made.pem}" if both_sides else ""
    to = f"{tls_port} ssl verify required ca-file {made.ca}"
    server, port = start_haproxy(group, setting, setting.cores.server, listen, to)
    return Subject(port, server, load_options=towards(made) if both_sides else [])


def relay_tls(group: ProcessGroup, setting: Setting, both_sides: bool = False) -> Subject:
    tls_port, made = start_tls_stub(group, setting)
    # The stub names its own port, where it speaks no TLS: the address given is the one to use.
    uri = f"mongodb://127.0.0.1:{tls_port}/?directConnection=true&tls=true&tlsCAFile={made.ca}"
    relay_only = {"CACHE_ENABLED": "false"}
    return start_daemon(
        group, setting, uri, "none", relay_only, clients=made if both_sides else None
    )


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
    group: ProcessGroup,
    setting: Setting,
    settings: dict[str, str],
    with_redis: bool = False,
    threads: int = 1,
    tls: bool = False,
) -> Subject:
    """mongocached in front of the stub, with these MONGOCACHED_ settings; `tls` towards clients."""
    _, stub_port = start_stub(group, setting, setting.cores.backend)
    redis_uri = "none"
    if with_redis:
        _, redis_port = start_redis(group, setting.cores.backend)
        redis_uri = f"redis://127.0.0.1:{redis_port}/0"
    upstream = f"mongodb://127.0.0.1:{stub_port}/?replicaSet={STUB_SET}"
    clients = certificates(setting) if tls else None
    return start_daemon(group, setting, upstream, redis_uri, settings, threads, clients)


def start_daemon(
    group: ProcessGroup,
    setting: Setting,
    upstream: str,
    redis_uri: str,
    settings: dict[str, str],
    threads: int = 1,
    clients: Certificates | None = None,
) -> Subject:
    """Clients speak TLS to it where `clients` says with which certificate."""
    if not setting.daemon.exists():
        raise BenchError(f"no daemon at {setting.daemon}: build it or give --daemon PATH")
    port, http = free_port(), free_port()
    command = [*setting.wrapper, setting.daemon, "--listen", f"127.0.0.1:{port}"]
    command += ["--threads", threads, "--upstream", upstream, "--redis", redis_uri]
    command += ["--http", f"127.0.0.1:{http}", "--log-level", "warn"]
    env = {k: v for k, v in os.environ.items() if not k.startswith("MONGOCACHED_")}
    settings = {
        "LISTEN_MAX_CONNECTIONS": "20000",
        **settings,
        **setting.daemon_settings,
    }
    if clients:
        settings |= {
            "LISTEN_TLS_CERT": str(clients.certificate),
            "LISTEN_TLS_KEY": str(clients.key),
        }
    env |= {f"MONGOCACHED_{name}": value for name, value in settings.items()}
    server = group.start("mongocached", command, setting.cores.server, env)
    server.wait_for("/readyz", lambda: get(http, "/readyz") is not None, setting.patience)
    options = towards(clients) if clients else []
    return Subject(port, server, lambda command: outcomes(http, command), options)


def get(port: int, path: str) -> str | None:
    """Body of a 200 answer; anything else is None."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.read().decode()
    except (urllib.error.URLError, OSError):
        return None


def outcomes(port: int, command: str) -> Counter[str]:
    """How many commands of that name ended how, from mongocached_requests_total."""
    text = get(port, "/metrics")
    if text is None:
        raise BenchError("the daemon's /metrics does not answer")
    counts: Counter[str] = Counter()
    for line in text.splitlines():
        if line.startswith("mongocached_requests_total{") and f'command="{command}"' in line:
            labels, _, value = line.rpartition(" ")
            counts[labels.partition('outcome="')[2].partition('"')[0]] += int(float(value))
    return counts
