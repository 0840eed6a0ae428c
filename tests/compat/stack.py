"""The servers of a comparison: upstreams alone, behind the daemon, and behind a mere relay."""

from __future__ import annotations

import places  # noqa: F401 (puts the integration tests' support on the path)
from support.servers import Servers

RELAY_ONLY = "[cache]\nenabled = false\n"


class Stack:
    """A suite may kill sessions, arm fail points and drop databases: nobody else is on these."""

    def __init__(self, servers: Servers) -> None:
        alone, behind, other = (servers.upstream() for _ in range(3))
        self.set_name = ""
        with alone.client() as client:
            self.set_name = client.admin.command("hello").get("setName", "")
        self.straight = alone.port
        self.through = servers.daemon(behind.uri, servers.redis().uri).port
        self.relayed = servers.daemon(other.uri, config=RELAY_ONLY).port
        self.log_tails = servers.log_tails

    @property
    def straight_uri(self) -> str:
        replica_set = f"?replicaSet={self.set_name}" if self.set_name else ""
        return f"mongodb://127.0.0.1:{self.straight}/{replica_set}"

    @property
    def through_uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.through}/?directConnection=false"

    @property
    def straight_topology(self) -> str:
        return "ReplicaSetWithPrimary" if self.set_name else "Single"

    through_topology = "Sharded"
