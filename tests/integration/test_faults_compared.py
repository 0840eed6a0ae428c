"""The same faults straight and through the daemon: drivers show their programs the same.

Passed through, a killed connection is a killed connection. A pool answers as a mongos does that
has lost a shard's server: code 6, with the labels that make drivers do what they do otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pymongo
import pytest
from pymongo import UpdateMany
from pymongo.errors import PyMongoError
from support.relay import RelayThread
from support.scripted_upstream import ScriptedUpstream
from support.servers import Daemon, Servers
from support.wait import wait_until

Document = dict[str, Any]
Client = pymongo.MongoClient[Document]
UNREACHABLE, NO_SERVER = 6, 133
LABELS = ["RetryableWriteError", "TransientTransactionError", "UnknownTransactionCommitResult"]
ONCE = {"retryWrites": False, "retryReads": False}
PATIENCE = 15.0
"""Seconds that the daemon looks for a server."""
DRIVERS_LIMIT = 30.0
"""Seconds that a driver looks for one (serverSelectionTimeoutMS), and so may a call hang."""
FORMS = ["passthrough", "pooled"]


@dataclass(frozen=True)
class Call:
    command: str
    run: Callable[[Client], Any]
    retried: bool = False
    """By a driver whose server vanishes."""


def in_transaction(client: Client) -> None:
    with client.start_session() as session, session.start_transaction():
        client.t.c.insert_one({"_id": 1}, session=session)


CALLS = {
    "insert": Call("insert", lambda client: client.t.c.insert_one({"_id": 1}), retried=True),
    "update": Call("update", lambda c: c.t.c.update_one({}, {"$set": {"a": 1}}), retried=True),
    "update of many": Call("update", lambda c: c.t.c.update_many({}, {"$set": {"a": 1}})),
    "delete of many": Call("delete", lambda client: client.t.c.delete_many({})),
    "bulk": Call("update", lambda c: c.t.c.bulk_write([UpdateMany({}, {"$set": {"a": 1}})])),
    "index": Call("createIndexes", lambda client: client.t.c.create_index("a")),
    "out": Call("aggregate", lambda client: client.t.c.aggregate([{"$out": "d"}])),
    "command": Call("insert", lambda c: c.t.command("insert", "c", documents=[{"_id": 1}])),
    "transaction": Call("insert", in_transaction),
    "find": Call("find", lambda client: client.t.c.find_one({"_id": 1}), retried=True),
}


@dataclass(frozen=True)
class Shown:
    """What the program sees of a call, and how often the server was asked."""

    error: str
    code: int | None
    labels: list[str]
    arrivals: int


def shown(call: Call, client: Client, arrivals: Callable[[], int]) -> Shown:
    before = arrivals()
    try:
        call.run(client)
    except PyMongoError as error:
        labels = [label for label in LABELS if error.has_error_label(label)]
        code = getattr(error, "code", None)
        return Shown(type(error).__name__, code, labels, arrivals() - before)
    return Shown("none", None, [], arrivals() - before)


class Server(ScriptedUpstream):
    def _reply(self, name: str, command: Document) -> Document:
        reply = super()._reply(name, command)
        return {**reply, "nModified": 1} if name == "update" else reply


@pytest.fixture(scope="module")
def scripted() -> Iterator[ScriptedUpstream]:
    with Server() as upstream:
        yield upstream


def killed(
    servers: Servers, scripted: ScriptedUpstream, call: Call, auth: str | None, **options: Any
) -> Shown:
    """The connection dies while the server is at work on the call's command."""
    relay = servers.relay(scripted.port)
    uri = relay.uri
    if auth:
        uri = servers.daemon(uri, config=f'[upstream]\nauth = "{auth}"\n').uri
    with pymongo.MongoClient(uri, **options) as client, ThreadPoolExecutor() as pool:
        client.admin.command("ping")
        with scripted.holding(call.command) as arrived:
            calling = pool.submit(shown, call, client, lambda: scripted.asked[call.command])
            wait_until(arrived, what=call.command)
            relay.cut()
            if not call.retried or options:  # it does not wait for the server's answer
                calling.result(DRIVERS_LIMIT)
        return calling.result(DRIVERS_LIMIT)


@pytest.mark.parametrize("once", [False, True], ids=["retried", "once"])
@pytest.mark.parametrize("name", CALLS)
def test_killed_connections(
    servers: Servers, scripted: ScriptedUpstream, name: str, once: bool
) -> None:
    call, options = CALLS[name], ONCE if once else {}
    straight = killed(servers, scripted, call, None, **options)
    assert straight.arrivals == (2 if call.retried and not once else 1)
    assert (straight.error == "none") == (straight.arrivals == 2)
    assert killed(servers, scripted, call, "passthrough", **options) == straight
    as_mongos = straight
    if straight.error != "none":
        as_mongos = Shown("OperationFailure", UNREACHABLE, straight.labels, straight.arrivals)
    assert killed(servers, scripted, call, "pooled", **options) == as_mongos


@pytest.fixture
def relay(servers: Servers, scripted: ScriptedUpstream) -> RelayThread:
    return servers.relay(scripted.port)


def often_asked(relay: RelayThread) -> str:
    return f"{relay.uri}&heartbeatFrequencyMS=500"


def through(servers: Servers, relay: RelayThread) -> list[Daemon]:
    configs = (f'[upstream]\nauth = "{auth}"\n' for auth in FORMS)
    return [servers.daemon(often_asked(relay), config=config) for config in configs]


def vanish(relay: RelayThread, daemons: list[Daemon], *straight: Client) -> None:
    """No server any more, which is known to all."""
    relay.refuse()
    relay.cut()
    for client in straight:
        wait_until(
            lambda c=client: not c.topology_description.has_writable_server(),
            what="the driver to see it",
        )
    for daemon in daemons:
        wait_until(
            lambda d=daemon: d.metrics().value("mongocached_upstream_up") == 0,
            what="the daemon to see it",
        )


def all_wait(daemon: Daemon) -> bool:
    return daemon.metrics().value("mongocached_requests_in_flight") == len(CALLS)


def test_no_server_for_a_while(
    servers: Servers, scripted: ScriptedUpstream, relay: RelayThread
) -> None:
    """Each call waits for the server to come back, and is carried out there once."""
    daemons = through(servers, relay)
    with ExitStack() as stack, ThreadPoolExecutor(64) as pool:
        uris = [often_asked(relay), *(daemon.uri for daemon in daemons)]
        clients = [stack.enter_context(pymongo.MongoClient(uri, **ONCE)) for uri in uris]
        for client in clients:
            client.admin.command("ping")
        vanish(relay, daemons, clients[0])
        before = scripted.asked.copy()
        calls = [
            pool.submit(shown, call, client, lambda: 0)
            for client in clients
            for call in CALLS.values()
        ]
        for daemon in daemons:
            wait_until(lambda d=daemon: all_wait(d), what="all to wait for a server")
        relay.accept()
        assert {call.result(DRIVERS_LIMIT).error for call in calls} == {"none"}
        # The change stream is an aggregate, too.
        for command in {call.command for call in CALLS.values()} - {"aggregate"}:
            wanted = sum(call.command == command for call in CALLS.values()) * len(clients)
            assert scripted.asked[command] - before[command] == wanted, command


def test_no_server_at_all(servers: Servers, relay: RelayThread) -> None:
    """A program that goes straight gives up after 30 s; nobody hangs longer through the daemon."""
    daemons = through(servers, relay)

    def timed(call: Call, client: Client) -> tuple[float, Shown]:
        begun = time.monotonic()
        told = shown(call, client, lambda: 0)
        return time.monotonic() - begun, told

    with ThreadPoolExecutor(64) as pool:
        clients = [pymongo.MongoClient(daemon.uri) for daemon in daemons]
        for client in clients:
            client.admin.command("ping")
        vanish(relay, daemons)
        calls = [
            (name, pool.submit(timed, call, client))
            for client in clients
            for name, call in CALLS.items()
        ]
        for name, calling in calls:
            took, told = calling.result(4 * PATIENCE)
            assert (told.error, told.code) == ("OperationFailure", NO_SERVER), name
            assert PATIENCE - 1 < took < DRIVERS_LIMIT + 5, name
        for client in clients:  # which says farewell to the server
            begun = time.monotonic()
            client.close()
            assert time.monotonic() - begun < PATIENCE / 2
