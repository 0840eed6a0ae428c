"""The servers of the demo and the tests: upstream, Redis and the daemon.

Each `start` returns once the server answers. `Servers` owns what it started and ends it.
"""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymongo
import redis

from .metrics import Metrics, scrape
from .paths import DEPS, daemon_binary, mongod_binary
from .process import Process, start_on_free_port
from .relay import RelayThread
from .tls import Certificates
from .wait import wait_until

ROOT_USER, ROOT_PASSWORD = "root", "root-secret"


@dataclass(frozen=True)
class UpstreamOptions:
    auth: bool = False
    """Ask for credentials; there is one user, `root`."""
    tls: Certificates | None = None
    client_certificate: bool = False
    """Ask clients for a certificate; `tls.pem` is one."""
    test_commands: bool = True
    """Allow `configureFailPoint`."""
    extra: Sequence[str] = ()
    """Further words for the command line."""


class Server:
    """What upstream, Redis and the daemon have in common."""

    name = "server"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / f"{self.name}.log"
        self.port = 0
        self.process = Process(self.name, [], self.log)

    def start(self) -> None:
        self.port = start_on_free_port(self._start_on)

    def _start_on(self, port: int) -> None:
        self.port = port
        self._launch()

    def _launch(self) -> None:
        self.process = Process(self.name, self.argv(), self.log, self.environment())
        self.process.start()
        self.process.wait_ready(self.is_ready)

    def argv(self) -> list[str | Path]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return {}

    def is_ready(self) -> bool:
        raise NotImplementedError

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def stop(self) -> int | None:
        return self.process.stop()

    def kill(self) -> None:
        self.process.kill()

    def restart(self) -> None:
        """Ends it in order and starts it again on the same port and data."""
        self.stop()
        self._launch()

    def start_again(self) -> None:
        """After `stop` or `kill`: on the same port and data."""
        assert not self.process.alive
        self._launch()


class Upstream(Server):
    """A mongod as one-member replica set where there is one, else SecantusDB."""

    name = "upstream"

    def __init__(self, directory: Path, options: UpstreamOptions = UpstreamOptions()) -> None:
        super().__init__(directory)
        self.options = options
        self.mongod = mongod_binary()
        self._ask_credentials = False
        self._data = directory / "data"
        self._data.mkdir(parents=True)

    def start(self) -> None:
        super().start()
        if self.mongod:
            self._initiate()
        if self.options.auth:
            self._create_root()
            self._ask_credentials = True
            self.restart()

    @property
    def uri(self) -> str:
        """For clients and for the daemon: with the credentials and CA that it takes."""
        user = f"{ROOT_USER}:{ROOT_PASSWORD}@" if self._ask_credentials else ""
        return f"mongodb://{user}{self.address}/?{urllib.parse.urlencode(self.uri_options())}"

    def uri_options(self) -> dict[str, str]:
        options = {"directConnection": "true"}
        if self._ask_credentials:
            options["authSource"] = "admin"
        if self.options.tls:
            options |= {"tls": "true", "tlsCAFile": str(self.options.tls.ca)}
            if self.options.client_certificate:
                options["tlsCertificateKeyFile"] = str(self.options.tls.pem)
        return options

    def client(self, **options: Any) -> pymongo.MongoClient[dict[str, Any]]:
        return pymongo.MongoClient(self.uri, **{"serverSelectionTimeoutMS": 5000, **options})

    def argv(self) -> list[str | Path]:
        return self._mongod_argv() if self.mongod else self._secantus_argv()

    def is_ready(self) -> bool:
        with self.client(serverSelectionTimeoutMS=500) as client:
            if self.mongod:
                return client.admin.command("ping")["ok"] == 1
            return client.admin.command("hello")["isWritablePrimary"]

    def _secantus_argv(self) -> list[str | Path]:
        options = self.options
        argv = [DEPS / "upstream/bin/secantusd-py", "--host", "127.0.0.1", "--port", str(self.port)]
        argv += ["--storage-path", self._data, "--noop-heartbeat-seconds", "0.2"]
        argv += ["--log-level", "WARNING", *options.extra]
        if options.test_commands:
            argv += ["--enable-test-commands"]
        if self._ask_credentials:
            argv += ["--auth"]
        if options.tls:
            argv += ["--tls-cert-file", options.tls.certificate]
            argv += ["--tls-key-file", options.tls.key]
            if options.client_certificate:
                argv += ["--tls-ca-file", options.tls.ca, "--tls-require-client-cert"]
        return argv

    def _mongod_argv(self) -> list[str | Path]:
        options = self.options
        argv = [self.mongod, "--bind_ip", "127.0.0.1", "--port", str(self.port), "--quiet"]
        argv += ["--dbpath", self._data, "--replSet", "rs0", *options.extra]
        if options.test_commands:
            argv += ["--setParameter", "enableTestCommands=1"]
        if self._ask_credentials:
            argv += ["--auth", "--keyFile", self._key_file()]
        if options.tls:
            argv += ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", options.tls.pem]
            argv += ["--tlsCAFile", options.tls.ca]
            if not options.client_certificate:
                argv += ["--tlsAllowConnectionsWithoutCertificates"]
        return argv

    def _key_file(self) -> Path:
        path = self.directory / "keyfile"
        if not path.exists():
            path.touch(0o600)
            path.write_text(secrets.token_hex(32))
        return path

    def _initiate(self) -> None:
        members = [{"_id": 0, "host": self.address}]
        with self.client() as client:
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
            self.process.wait_ready(lambda: client.admin.command("hello")["isWritablePrimary"])

    def _create_root(self) -> None:
        with self.client() as client:
            client.admin.command("createUser", ROOT_USER, pwd=ROOT_PASSWORD, roles=["root"])


class Redis(Server):
    name = "redis"

    def argv(self) -> list[str | Path]:
        argv = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port)]
        return [*argv, "--save", "", "--appendonly", "no", "--dir", self.directory]

    @property
    def uri(self) -> str:
        return f"redis://{self.address}/0"

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=5)

    def is_ready(self) -> bool:
        with self.client() as client:
            return bool(client.ping())


class Daemon(Server):
    """The program under test."""

    name = "mongocached"

    def __init__(
        self,
        directory: Path,
        upstream_uri: str,
        redis_uri: str = "none",
        config: str = "",
        arguments: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(directory)
        self.upstream_uri = upstream_uri
        self.redis_uri = redis_uri
        self.config = config
        self.arguments = list(arguments)
        self.env = dict(env or {})
        self.http_port = 0

    def start(self) -> None:
        self.http_port = start_on_free_port(self._start_with_http)

    def _start_with_http(self, http_port: int) -> None:
        self.http_port = http_port
        super().start()

    def argv(self) -> list[str | Path]:
        argv = [daemon_binary(), "--listen", self.address, "--http", f"127.0.0.1:{self.http_port}"]
        argv += ["--upstream", self.upstream_uri]
        argv += ["--redis", self.redis_uri] if self.redis_uri else []  # "": as `config` says
        if self.config:
            file = self.directory / "mongocached.toml"
            file.write_text(self.config)
            argv += ["--config", file]
        return argv + self.arguments

    def environment(self) -> dict[str, str]:
        return self.env

    def is_ready(self) -> bool:
        with urllib.request.urlopen(f"{self.http_url}/readyz", timeout=1) as answer:
            return answer.status == 200 and self.caches()

    def reload(self, config: str, said: str = "read again") -> str:
        """Other settings than it was started with, by SIGHUP: what the log says of it."""
        assert self.config
        at = self.process.log_size()
        (self.directory / "mongocached.toml").write_text(config)
        self.process.signal(signal.SIGHUP)
        wait_until(lambda: said in self.process.log_text(at), what="the reload in the log")
        return self.process.log_text(at)

    def caches(self) -> bool:
        """The change stream is followed, if there is one that may be, and Redis trusted, if up."""
        status = self.status()
        if status["stream"]["state"] in ("refused", "denied", "not asked for"):
            return True
        return status["stream"]["up"] and (status["redis"]["covered"] or not status["redis"]["up"])

    def catch_up(self) -> None:
        """Waits until everything written so far has been told by the change stream."""
        begun = time.monotonic()

        def told() -> bool:
            asked = time.monotonic()  # before the lag was taken, so that it cannot be flattered
            stream = self.status()["stream"]
            if stream["state"] in ("refused", "not asked for"):
                return True
            return stream["up"] and (stream["lag_ms"] + 1) / 1000 < asked - begun

        wait_until(told, what="the change stream")

    @property
    def uri(self) -> str:
        return f"mongodb://{self.address}/"

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def metrics(self) -> Metrics:
        return scrape(self.http_url)

    def status(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.http_url}/status", timeout=5) as answer:
            return json.load(answer)

    def post(self, path: str) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.http_url}{path}", data=b"", method="POST")
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)


class Unready(Daemon):
    """A daemon whose upstream may not be found: it lives, and that is all that is waited for."""

    def is_ready(self) -> bool:
        with urllib.request.urlopen(f"{self.http_url}/healthz", timeout=1) as answer:
            return answer.status == 200

    def readiness(self) -> tuple[int, str]:
        """What /readyz says: status and text."""
        try:
            with urllib.request.urlopen(f"{self.http_url}/readyz", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()


class Servers:
    """Starts servers in a temporary directory of its own; `stop` ends them, last started first."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="mongocached-"))
        self.running: list[Server] = []
        self._relays: list[RelayThread] = []
        self._folders = 0

    def folder(self) -> Path:
        self._folders += 1
        path = self.directory / str(self._folders)
        path.mkdir()
        return path

    def upstream(self, **options: Any) -> Upstream:
        return self._started(Upstream(self.folder(), UpstreamOptions(**options)))

    def redis(self) -> Redis:
        return self._started(Redis(self.folder()))

    def daemon(self, upstream_uri: str, redis_uri: str = "none", **options: Any) -> Daemon:
        return self._started(Daemon(self.folder(), upstream_uri, redis_uri, **options))

    def relay(self, port: int, delay: float = 0.0, **options: Any) -> RelayThread:
        relay = RelayThread(port, delay, **options)
        self._relays.append(relay)
        return relay

    def _started(self, server: Any) -> Any:
        self.running.append(server)
        server.start()
        return server

    def log_sizes(self) -> dict[Path, int]:
        return {server.log: server.process.log_size() for server in self.running}

    def log_tails(self, since: Mapping[Path, int] | None = None) -> list[tuple[str, str]]:
        """What each server logged since then: name and text, without those that were silent."""
        tails = []
        for server in self.running:
            start = (since or {}).get(server.log, 0)
            if server.process.log_size() > start:
                tails.append((server.name, server.process.log_tail(since=start)))
        return tails

    def stop(self) -> None:
        for relay in self._relays:
            relay.stop()
        for server in reversed(self.running):
            server.stop()
        self._relays.clear()
        self.running.clear()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
