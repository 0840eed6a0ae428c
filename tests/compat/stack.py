"""The servers of a comparison: upstreams alone, behind the daemon, and behind a mere relay."""

from __future__ import annotations

from dataclasses import dataclass

import places  # noqa: F401 (puts the integration tests' support on the path)
from support.posing import posing_daemon
from support.servers import Daemon, Servers

MONGOS, REPLICA_SET = "mongos", "replica_set"
RELAY_ONLY = "[cache]\nenabled = false\n"


@dataclass(frozen=True)
class Side:
    """Where a driver's program or suite is sent to, and what it has to find there."""

    port: int
    uri: str
    topology: str


class Stack:
    """A suite may kill sessions, arm fail points and drop databases: nobody else is on these."""

    def __init__(self, servers: Servers, pose: str = MONGOS) -> None:
        alone, behind, other = (servers.upstream() for _ in range(3))
        with alone.client() as client:
            set_name = client.admin.command("hello").get("setName", "")
        self._servers = servers
        self._set_name = set_name
        self._pose = pose
        self.straight = self._member(alone.port)
        self.through = self._side(self._daemon(behind.uri, servers.redis().uri))
        self.relayed = self._side(self._daemon(other.uri, config=RELAY_ONLY))

    def _daemon(self, upstream: str, redis: str = "none", config: str = "") -> Daemon:
        if self._pose == MONGOS:
            return self._servers.daemon(upstream, redis, config=config)
        return posing_daemon(self._servers, upstream, redis, config=config)

    def _side(self, daemon: Daemon) -> Side:
        if self._pose == REPLICA_SET:
            return self._member(daemon.port)
        return Side(daemon.port, f"{daemon.uri}?directConnection=false", "Sharded")

    def _member(self, port: int) -> Side:
        """Of the upstream's set, or alone."""
        uri = f"mongodb://127.0.0.1:{port}/"
        if not self._set_name:
            return Side(port, f"{uri}?directConnection=true", "Single")
        return Side(port, f"{uri}?replicaSet={self._set_name}", "ReplicaSetWithPrimary")
