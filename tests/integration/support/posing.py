"""A daemon that clients take for the only member of the upstream's replica set."""

from __future__ import annotations

from pathlib import Path

from .servers import Daemon, Servers


class PosingDaemon(Daemon):
    """Advertises the address that it listens on."""

    def __init__(self, directory: Path, upstream: str, redis: str, config: str) -> None:
        super().__init__(directory, upstream, redis, config)
        self._wanted = config

    def argv(self) -> list[str | Path]:
        pose = f'pose = "replica_set"\nadvertise = "{self.address}"\n'
        self.config = f"[listen]\n{pose}{self._wanted}"
        return super().argv()


def posing_daemon(
    servers: Servers, upstream_uri: str, redis_uri: str = "none", config: str = ""
) -> PosingDaemon:
    """Owned by `servers`, like their own daemons."""
    daemon = PosingDaemon(servers.folder(), upstream_uri, redis_uri, config)
    servers.running.append(daemon)
    daemon.start()
    return daemon
