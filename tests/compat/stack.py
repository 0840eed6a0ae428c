"""The servers of a comparison: upstreams alone, behind the daemon, and behind a mere relay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import places  # noqa: F401 (puts the integration tests' support on the path)
from support.posing import posing_daemon
from support.servers import Daemon, Servers, Upstream
from wire_tap import WireTap

MONGOS, REPLICA_SET = "mongos", "replica_set"
RELAY_ONLY = "[cache]\nenabled = false\n"


@dataclass(frozen=True)
class Side:
    """Where a driver's program or suite is sent to, and what it has to find there."""

    port: int
    uri: str
    topology: str
    env: Mapping[str, str] = field(default_factory=dict)
    """What a driver has to be told besides the URI."""
    tap: WireTap | None = None
    """Sees what passes, where that is asked."""


def member_of(port: int, set_name: str, login: str = "", more: str = "") -> Side:
    """A member of the upstream's set, or one that is alone."""
    uri = f"mongodb://{login}127.0.0.1:{port}/"
    if not set_name:
        return Side(port, f"{uri}?directConnection=true{more}", "Single")
    return Side(port, f"{uri}?replicaSet={set_name}{more}", "ReplicaSetWithPrimary")


def mongos_at(port: int, login: str = "", more: str = "") -> Side:
    """Without directConnection libmongoc shows no topology."""
    uri = f"mongodb://{login}127.0.0.1:{port}/?directConnection=false{more}"
    return Side(port, uri, "Sharded")


def set_name_of(upstream: Upstream) -> str:
    with upstream.client() as client:
        return client.admin.command("hello").get("setName", "")


class Stack:
    """A suite may kill sessions, arm fail points and drop databases: nobody else is on these."""

    def __init__(self, servers: Servers, pose: str = MONGOS) -> None:
        alone, behind, other = (servers.upstream() for _ in range(3))
        self._servers = servers
        self._set_name = set_name_of(alone)
        self._pose = pose
        self.straight = member_of(alone.port, self._set_name)
        self.through = self._side(self._daemon(behind.uri, servers.redis().uri))
        self.relayed = self._side(self._daemon(other.uri, config=RELAY_ONLY))

    def _daemon(self, upstream: str, redis: str = "none", config: str = "") -> Daemon:
        if self._pose == MONGOS:
            return self._servers.daemon(upstream, redis, config=config)
        return posing_daemon(self._servers, upstream, redis, config=config)

    def _side(self, daemon: Daemon) -> Side:
        if self._pose == REPLICA_SET:
            return member_of(daemon.port, self._set_name)
        return mongos_at(daemon.port)
