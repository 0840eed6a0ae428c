"""The servers of a run: one upstream, Redis with replica and Sentinel, two daemons."""

from __future__ import annotations

from sentinel import RedisGroup
from support.paths import mongod_binary
from support.servers import Servers

OPLOG_ENTRIES = 4000  # more than a paused daemon misses, fewer than are written to lose it


class Stack:
    """Started by the constructor; `servers` ends it."""

    def __init__(self, servers: Servers, mode: str, bound: float) -> None:
        self.forgets = not mongod_binary()
        """A mongod's operations log has no limit that a test could reach."""
        flags = ["--sync-on-commit", "--oplog-max-entries", str(OPLOG_ENTRIES)]
        self.upstream = servers.upstream(extra=flags if self.forgets else [])
        self.upstream_relay = servers.relay(self.upstream.port)
        self.redis = RedisGroup(servers)
        limit = "ttl" if mode == "ttl" else "max_lag"
        config = f'[cache]\nmode = "{mode}"\nmemory = "64MiB"\n{limit} = "{int(bound * 1000)}ms"\n'
        if mode == "ttl":
            config += f'negative_ttl = "{int(bound * 1000)}ms"\n'
        # By the same seeds, or they would not share what lies in Redis.
        self.daemons = {
            name: servers.daemon(self.upstream_relay.uri, self.redis.uri, config=config)
            for name in ("A", "B")
        }
        self.uris = {name: daemon.uri for name, daemon in self.daemons.items()}
        self.uris["behind"] = self.upstream.uri
