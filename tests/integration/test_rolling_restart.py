"""The members of a set are restarted one after the other under load, the primary too."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import ExitStack
from typing import Any

import pymongo
import pytest
from pymongo.errors import AutoReconnect, OperationFailure, PyMongoError
from support.relay import RelayThread
from support.scripted_cluster import ScriptedSet, SetMember
from support.servers import Daemon, Servers
from support.wait import wait_until

Document = dict[str, Any]
CLIENTS = 4
DRIVERS_LIMIT = 30.0
"""Seconds that a driver looks for a server, and so may a call hang."""
LOST, NO_SERVER = 6, 133
"""As a mongos says that a server's connection was lost, and that there is no server."""
CONFIGS = {
    "passthrough": "",
    "pooled": '[upstream]\nauth = "pooled"\npool_size = 4\n',
}


class Restarted:
    """A set of three, each behind a relay that takes it down and brings it back."""

    def __init__(self, servers: Servers, members: ScriptedSet) -> None:
        self.members = members
        self.relays: list[tuple[SetMember, RelayThread]] = []
        for member in members.members:
            relay = servers.relay(member.port)
            member.me = relay.address
            self.relays.append((member, relay))
        members.publish()
        self.uri = f"{members.uri}&heartbeatFrequencyMS=500"

    def take_down(self, member: SetMember, relay: RelayThread) -> None:
        """Where it was primary, the next member becomes it."""
        relay.refuse()
        relay.cut()
        if member is self.members.primary:
            every = self.members.members
            self.members.elect(every[(every.index(member) + 1) % len(every)])


class Client(threading.Thread):
    """Reads and writes until told to stop; every second call is one that no driver repeats."""

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon=True)
        self.done = 0
        self.longest = 0.0
        self.errors: Counter[str] = Counter()
        self.unexpected: list[str] = []
        self._uri = daemon.uri
        self._over = threading.Event()

    def run(self) -> None:
        with pymongo.MongoClient[Document](self._uri) as client:
            films = client.t.films
            calls = [
                lambda: films.insert_one({"n": self.done}),
                lambda: films.delete_many({"n": 1}),
                lambda: films.find_one({"_id": self.done}),
                lambda: client.t.command("count", "films"),
            ]
            while not self._over.is_set():
                for call in calls:
                    self._timed(call)

    def _timed(self, call: Any) -> None:
        begun = time.monotonic()
        try:
            call()
            self.done += 1
        except PyMongoError as error:
            self.errors[type(error).__name__] += 1
            code = error.code if isinstance(error, OperationFailure) else None
            if not isinstance(error, AutoReconnect) and code not in (LOST, NO_SERVER):
                self.unexpected.append(repr(error))
        except Exception as error:
            self.unexpected.append(repr(error))
        self.longest = max(self.longest, time.monotonic() - begun)

    def stop(self) -> None:
        self._over.set()


def all_go_on(clients: list[Client], calls: int = 12) -> None:
    wanted = [(client, client.done + calls) for client in clients]
    wait_until(
        lambda: all(client.done >= number for client, number in wanted),
        deadline=2 * DRIVERS_LIMIT,
        what="every client to go on",
    )


def test_rolling_restart_under_load(servers: Servers, capsys: pytest.CaptureFixture[str]) -> None:
    with ExitStack() as stack:
        restarted = Restarted(servers, stack.enter_context(ScriptedSet(3)))
        daemons = [servers.daemon(restarted.uri, config=config) for config in CONFIGS.values()]
        clients = [Client(daemon) for daemon in daemons for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        all_go_on(clients)
        terms = 0
        for member, relay in restarted.relays * 2:
            terms += member is restarted.members.primary
            restarted.take_down(member, relay)
            all_go_on(clients)
            relay.accept()
            all_go_on(clients)
        for client in clients:
            client.stop()
        for client in clients:
            client.join(DRIVERS_LIMIT)
    with capsys.disabled():
        errors = sum((client.errors for client in clients), Counter())
        done, longest = sum(c.done for c in clients), max(c.longest for c in clients)
        print(f"\n{terms} elections, {done} calls, errors {dict(errors)}, longest {longest:.2f} s")
    assert terms >= 2, "otherwise no primary was restarted"
    assert [what for client in clients for what in client.unexpected] == []
    assert not any(client.is_alive() for client in clients)
    assert max(client.longest for client in clients) < DRIVERS_LIMIT
    for daemon in daemons:
        assert daemon.process.alive
        wait_until(
            lambda d=daemon: d.metrics().value("mongocached_client_connections") == 0,
            what="no client to be counted any more",
        )
