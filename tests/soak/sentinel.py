"""A Redis master, its replica and a Sentinel, behind a relay that follows the master."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import redis
from support.process import StartError
from support.relay import RelayThread
from support.servers import Redis, Server, Servers
from support.wait import wait_until

NAME = "soak"
NEVER = 600_000  # ms: Sentinel looks away while a fault is ours alone
SOON = 500


class Node(Redis):
    """A Redis that may be told to follow another one when it starts."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.follows: Node | None = None

    def argv(self) -> list[str | Path]:
        argv = [*super().argv(), "--repl-diskless-sync-delay", "0"]
        if self.follows:
            argv += ["--replicaof", f"127.0.0.1 {self.follows.port}"]
        return argv

    def start_with_nothing(self) -> None:
        """A replica keeps a copy of what it was sent: not that one either."""
        (self.directory / "dump.rdb").unlink(missing_ok=True)
        start_again(self)

    def replicates(self) -> bool:
        with self.client() as client:
            info = client.info("replication")
        return info["role"] == "slave" and info["master_link_status"] == "up"


class Sentinel(Server):
    name = "sentinel"

    def __init__(self, directory: Path, master: Node) -> None:
        super().__init__(directory)
        self.master = master

    def argv(self) -> list[str | Path]:
        file = self.directory / "sentinel.conf"
        lines = [f"port {self.port}", "bind 127.0.0.1", f"dir {self.directory}"]
        lines += [f"sentinel monitor {NAME} 127.0.0.1 {self.master.port} 1"]
        lines += [f"sentinel down-after-milliseconds {NAME} {NEVER}"]
        lines += [f"sentinel failover-timeout {NAME} 3000"]
        file.write_text("\n".join([*lines, ""]))
        return ["redis-sentinel", file]

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, socket_timeout=5, decode_responses=True)

    def is_ready(self) -> bool:
        """Once it knows the replica: without one there is nobody to promote."""
        with self.client() as client:
            return len(client.sentinel_slaves(NAME)) == 1

    def master_port(self) -> int:
        with self.client() as client:
            return int(client.sentinel_get_master_addr_by_name(NAME)[1])

    def look(self, milliseconds: int) -> None:
        """After how long it takes a silent master for dead."""
        with self.client() as client:
            client.sentinel_set(NAME, "down-after-milliseconds", milliseconds)


class RedisGroup:
    def __init__(self, servers: Servers) -> None:
        self.master = Node(servers.folder())
        _run(servers, self.master)
        self.replica = Node(servers.folder())
        self.replica.follows = self.master
        _run(servers, self.replica)
        wait_until(self.replica.replicates, what="the replica to follow")
        self.sentinel = Sentinel(servers.folder(), self.master)
        _run(servers, self.sentinel)
        self.relay: RelayThread = servers.relay(self.master.port)

    @property
    def uri(self) -> str:
        """Of the relay, so of whichever is master."""
        return f"redis://{self.relay.address}/0"

    def restart_empty(self, pause: Callable[[float], object]) -> str:
        """kill -9, and back a second later with nothing."""
        self.master.kill()
        pause(1.0)
        self.master.start_with_nothing()
        wait_until(self.replica.replicates, deadline=30, what="the replica to follow again")
        return "restarted empty"

    def go_back(self, pause: Callable[[float], object]) -> str:
        """kill -9, and back with what it held two seconds ago: invalidated entries rise again."""
        with self.master.client() as client:
            client.save()
        pause(2.0)
        self.master.kill()
        start_again(self.master)
        wait_until(self.replica.replicates, deadline=30, what="the replica to follow again")
        return "restarted with a copy 2 s old"

    def stall(self, pause: Callable[[float], object]) -> str:
        self.master.process.signal(signal.SIGSTOP)
        try:
            pause(3.0)
        finally:
            self.master.process.signal(signal.SIGCONT)
        return "stopped for 3 s"

    def fail_over(self, pause: Callable[[float], object]) -> str:
        """Kills the master; Sentinel promotes the replica; the relay follows; roles are swapped."""
        old, new = self.master, self.replica
        self.sentinel.look(SOON)
        old.kill()
        wait_until(
            lambda: self.sentinel.master_port() == new.port,
            deadline=30,
            what="Sentinel to promote the replica",
            pause=0.05,
        )
        self.relay.set_target(new.port)
        self.relay.cut()
        self.sentinel.look(NEVER)
        self.master, self.replica = new, old
        new.follows, old.follows = None, new
        pause(0.5)
        old.start_with_nothing()
        wait_until(old.replicates, deadline=30, what="the old master to follow", pause=0.05)
        return f"master moved from port {old.port} to {new.port}"


def start_again(server: Server, tries: int = 3) -> None:
    """On its old port, which some client's outgoing connection may hold for a moment."""
    for left in reversed(range(tries)):
        try:
            server.start_again()
            return
        except StartError:
            if not left:
                raise


def _run(servers: Servers, server: Server) -> None:
    servers.running.append(server)
    server.start()
