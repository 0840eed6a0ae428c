"""More than can be served at once: identical reads, slow upstreams, too many of anything."""

from __future__ import annotations

import resource
import statistics
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pymongo
import pytest
from pymongo.errors import AutoReconnect, OperationFailure
from support.counted import BYPASS, by_id, count
from support.memory import Peak
from support.raw import RawConnection, connect, op_msg
from support.scripted_upstream import ScriptedUpstream
from support.servers import Daemon, Servers
from support.wait import wait_until

Document = dict[str, Any]
DISCONNECTS = "mongocached_client_disconnects_total"
NO_MEMORY = '[cache]\nmemory = "0"\n'
ONE_THREAD = "[listen]\nthreads = 1\n"
SHED = "mongocached_shed_total"
TRY_AGAIN_LATER = 262  # ExceededTimeLimit
OVERLOADED = {"SystemOverloadedError", "RetryableError", "NoWritesPerformed"}
KNOWN, WANTED = by_id("busy", 1), by_id("busy", 2)
LIST: Document = {"find": "films", "filter": {"n": {"$gt": 3}}, "limit": 5, "$db": "busy"}


@pytest.fixture
def scripted() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


def connected(stack: ExitStack, daemon: Daemon, clients: int) -> list[RawConnection]:
    return [stack.enter_context(connect(daemon)) for _ in range(clients)]


def has_read_all(daemon: Daemon) -> bool:
    """No byte that was sent to it is still in the kernel."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    port, established = f":{daemon.port:04X}", "01"
    return all(
        queues.endswith(":00000000")
        for _, local, _, state, queues, *_ in map(str.split, lines)
        if local.endswith(port) and state == established
    )


def send_to_all(daemon: Daemon, clients: list[RawConnection], command: Document) -> None:
    for client in clients:
        client.send(command)
    wait_until(lambda: has_read_all(daemon), what="all requests to be with the daemon")


# A burst of identical misses


@pytest.fixture
def many() -> Iterator[int]:
    """10 000 clients, or as many as the limit on open files lets this process and a daemon have."""
    wanted = 10_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = 2 * wanted + 1000 if hard == resource.RLIM_INFINITY else min(2 * wanted + 1000, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, files), hard))
    yield min(wanted, (files - 1000) // 2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_ten_thousand_identical_misses_are_one_read(
    servers: Servers, scripted: ScriptedUpstream, many: int, stack: ExitStack
) -> None:
    daemon = servers.daemon(scripted.uri)
    clients = connected(stack, daemon, many)
    clients[0].request(KNOWN)
    scripted.asked.clear()
    with scripted.holding("find"):
        send_to_all(daemon, clients, WANTED)
    replies = {str(client.receive().document["cursor"]) for client in clients}
    assert len(replies) == 1
    assert scripted.asked["find"] == 1
    # A request is counted behind its reply.
    wait_until(lambda: count(daemon, "coalesced") == len(clients) - 1, what="all to be counted")


@pytest.mark.parametrize("config", [NO_MEMORY, ""], ids=["Redis only", "memory and Redis"])
@pytest.mark.parametrize("wanted", [WANTED, LIST], ids=["document", "list"])
def test_identical_misses_are_one_read_and_one_fill(
    servers: Servers, scripted: ScriptedUpstream, stack: ExitStack, config: str, wanted: Document
) -> None:
    redis = servers.redis()
    daemon = servers.daemon(scripted.uri, redis.uri, config=config)
    clients = connected(stack, daemon, 300)
    clients[0].request(KNOWN)
    scripted.asked.clear()
    with scripted.holding("find"):
        send_to_all(daemon, clients, wanted)
    assert all(client.receive().document["ok"] == 1 for client in clients)
    assert scripted.asked["find"] == 1
    # A request is counted behind its reply.
    wait_until(lambda: count(daemon, "coalesced") == len(clients) - 1, what="all to be counted")
    with redis.client() as client:
        wait_until(lambda: len(client.keys("*:v:*")) == 2, what="the fills in Redis")


@pytest.mark.parametrize("held", ["find", "listCollections"])
def test_identical_misses_of_a_cold_daemon(
    servers: Servers, scripted: ScriptedUpstream, stack: ExitStack, held: str
) -> None:
    """Nobody has logged in: what one may read all may read, once one has read it."""
    daemon = servers.daemon(scripted.uri)
    clients = connected(stack, daemon, 100)
    scripted.asked.clear()
    with scripted.holding(held) as arrived:
        clients[0].send(WANTED)
        wait_until(arrived)
        send_to_all(daemon, clients[1:], WANTED)
        wait_until(lambda: daemon.metrics().value("mongocached_client_connections") == 100)
    assert all(client.receive().document["ok"] == 1 for client in clients)
    # While the collection is asked about, what is not known by then is forwarded.
    assert 1 <= scripted.asked["find"] <= (1 if held == "find" else 5)
    assert 1 <= scripted.asked["listCollections"] <= 2, "one a data thread"


@pytest.mark.parametrize("why", ["left", "slow"])
def test_identical_misses_when_the_first_reader_is_no_help(
    servers: Servers, scripted: ScriptedUpstream, stack: ExitStack, why: str
) -> None:
    """Another one reads for all of them then, or they wait on; they do not all ask at once."""
    daemon = servers.daemon(scripted.uri)
    first, *others = connected(stack, daemon, 100)
    first.request(KNOWN)
    scripted.asked.clear()
    begun = time.monotonic()
    with scripted.holding("find") as arrived:
        first.send(WANTED)
        wait_until(arrived)
        send_to_all(daemon, others, WANTED)
        if why == "left":
            first.close()
            wait_until(lambda: count(daemon, "error") == 1, what="its read to be given up")
        else:
            wait_until(lambda: time.monotonic() > begun + 6, what="all to lose their patience")
    assert all(client.receive().document["ok"] == 1 for client in others)
    assert scripted.asked["find"] <= 2


# Hits beside misses that wait


def p99(client: RawConnection) -> float:
    """Seconds; as it is most of the time, for others use this machine too."""
    rounds = []
    for _ in range(30):
        took = []
        for _ in range(100):
            begun = time.perf_counter()
            client.request(KNOWN)
            took.append(time.perf_counter() - begun)
        rounds.append(sorted(took)[-2])
    return statistics.median(rounds)


def test_hits_do_not_wait_for_misses(
    servers: Servers, scripted: ScriptedUpstream, stack: ExitStack
) -> None:
    """300 misses queue behind an upstream that does not answer; one thread serves all."""
    daemon = servers.daemon(scripted.uri, config=ONE_THREAD)
    reader, *others = connected(stack, daemon, 301)
    for client in (reader, reader, *others):
        client.request(KNOWN)
    alone = p99(reader)
    hits = count(daemon, "l1_hit")
    with scripted.holding("find"):
        for number, client in enumerate(others):
            client.send(by_id("busy", f"miss {number}"))
        asked = "mongocached_upstream_connections"
        wait_until(lambda: daemon.metrics().value(asked, state="busy") == len(others))
        beside = p99(reader)
    assert count(daemon, "l1_hit") == hits + 3000
    assert all(client.receive().document["ok"] == 1 for client in others)
    assert beside < alone + 0.005


def test_clients_that_do_not_wait_leave_time_for_others(
    servers: Servers, scripted: ScriptedUpstream, stack: ExitStack
) -> None:
    """Eight clients never stop asking for hits; the ninth gets one for each that it asks for."""
    daemon = servers.daemon(scripted.uri, config=ONE_THREAD)
    reader, *greedy = connected(stack, daemon, 9)
    for client in (reader, reader, *greedy):
        client.request(KNOWN)
    burst = b"".join(op_msg(KNOWN, number) for number in range(1, 501))
    asked = 0

    def keep_asking(client: RawConnection) -> None:
        client.socket.sendall(burst)
        while not enough:
            client.socket.sendall(burst)
            for _ in range(500):
                client.receive()
        for _ in range(500):
            client.receive()

    enough = False
    with ThreadPoolExecutor(len(greedy)) as threads:
        running = [threads.submit(keep_asking, client) for client in greedy]
        try:
            before = count(daemon, "l1_hit")
            while count(daemon, "l1_hit") < before + 20_000:
                assert reader.request(KNOWN).document["ok"] == 1
                asked += 1
        finally:
            enough = True
        for one in running:
            one.result(30)
    assert asked > 0
    assert daemon.metrics().by(SHED, "reason") == {}


# More requests than allowed


def is_shed(answer: Document) -> bool:
    return answer.get("code") == TRY_AGAIN_LATER and set(answer["errorLabels"]) >= OVERLOADED


def shed(daemon: Daemon) -> dict[str, float]:
    return daemon.metrics().by(SHED, "reason")


def test_misses_beyond_the_limit_are_shed_and_hits_are_not(
    servers: Servers, scripted: ScriptedUpstream, stack: ExitStack
) -> None:
    limit, late = 5, 20
    daemon = servers.daemon(scripted.uri, config=f"[listen]\nmax_in_flight = {limit}\n")
    reader, *others = connected(stack, daemon, 1 + limit + late)
    for client in (reader, reader, *others):
        client.request(KNOWN)
    scripted.asked.clear()
    with scripted.holding("find"):
        for number, client in enumerate(others[:limit]):
            client.send(by_id("busy", f"miss {number}"))
        wait_until(lambda: scripted.asked["find"] == limit, what="as many as may to be upstream")
        for number, client in enumerate(others[limit:]):
            assert is_shed(client.request(by_id("busy", f"late {number}")).document)
            assert client.request(KNOWN).document["ok"] == 1
        for _ in range(200):
            assert reader.request(KNOWN).document["ok"] == 1
        assert daemon.metrics().value("mongocached_requests_in_flight") == limit
        assert (
            daemon.metrics().value("mongocached_requests_total", outcome="error", command="find")
            == late
        )
    assert all(client.receive().document["ok"] == 1 for client in others[:limit])
    for number, client in enumerate(others[limit:]):
        assert client.request(by_id("busy", f"late {number}")).document["ok"] == 1
    assert shed(daemon) == {"in_flight": late}
    wait_until(lambda: daemon.metrics().value("mongocached_requests_in_flight") == 0)


Films = pymongo.collection.Collection[Document]
OPERATIONS: dict[str, Callable[[Films], Any]] = {
    "find": lambda films: films.find_one({"_id": 7}),
    "aggregate": lambda films: films.count_documents({}),
    "insert": lambda films: films.insert_one({"_id": 7}),
    "update": lambda films: films.update_one({"_id": 7}, {"$set": {"a": 1}}),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_driver_tries_again_what_was_shed(
    servers: Servers, scripted: ScriptedUpstream, stack: ExitStack, operation: str
) -> None:
    """Reads and writes succeed once the pressure is gone, on the connection that they had."""
    daemon = servers.daemon(scripted.uri, config="[listen]\nmax_in_flight = 1\n")
    first = stack.enter_context(connect(daemon))
    client = stack.enter_context(pymongo.MongoClient(daemon.uri, maxAdaptiveRetries=20))
    films = client.busy.films
    films.find_one({"_id": 1})
    opened = daemon.metrics().value("mongocached_client_connections_total")
    with ThreadPoolExecutor(1) as threads, scripted.holding("distinct") as arrived:
        first.send({"distinct": "films", "key": "a", "$db": "busy"})
        wait_until(arrived)
        doing = threads.submit(OPERATIONS[operation], films)
        wait_until(lambda: shed(daemon).get("in_flight", 0) >= 1, what="the first try to be shed")
        scripted.release("distinct")
        assert first.receive().document["ok"] == 1
        doing.result(30)
    assert daemon.metrics().value("mongocached_client_connections_total") == opened
    assert set(shed(daemon)) == {"in_flight"}


def test_driver_that_goes_on_being_shed_gets_the_error(
    servers: Servers, scripted: ScriptedUpstream, stack: ExitStack
) -> None:
    daemon = servers.daemon(scripted.uri, config="[listen]\nmax_in_flight = 1\n")
    first = stack.enter_context(connect(daemon))
    films = stack.enter_context(pymongo.MongoClient(daemon.uri)).busy.films
    films.find_one({"_id": 1})
    with scripted.holding("distinct") as arrived:
        first.send({"distinct": "films", "key": "a", "$db": "busy"})
        wait_until(arrived)
        with pytest.raises(OperationFailure) as failure:
            films.insert_one({"_id": 7})
    assert failure.value.code == TRY_AGAIN_LATER
    assert shed(daemon)["in_flight"] >= 2, "it was tried again"
    assert "insert" not in scripted.asked


# More bytes than allowed


def test_requests_wait_for_room_and_are_shed_when_there_is_none(
    servers: Servers, scripted: ScriptedUpstream, stack: ExitStack
) -> None:
    """Of 40 messages of 200 kB that have begun, 1 MiB has room for five."""
    limits = 'max_buffered = "1MiB"\nbuffer_timeout = "300ms"\n'
    daemon = servers.daemon(scripted.uri, config=ONE_THREAD + limits)
    reader, *clients = connected(stack, daemon, 41)
    reader.request(KNOWN)
    message = op_msg({"distinct": "films", "comment": "x" * 200_000, "$db": "busy"})
    peak = Peak(daemon)
    for client in clients:
        client.socket.sendall(message[:100_000])
    wait_until(lambda: shed(daemon).get("memory") == 35, what="the others to lose their patience")
    held = daemon.metrics().value("mongocached_buffered_bytes")
    assert 1_000_000 <= held < (1 << 20) + 200_000, "the room, and what had been read by then"
    for _ in range(100):
        assert reader.request(KNOWN).document["ok"] == 1
    for client in clients:
        client.socket.sendall(message[100_000:])
    answers = [client.receive().document for client in clients]
    assert sum(is_shed(answer) for answer in answers) == 35
    assert sum(answer["ok"] for answer in answers) == 5
    assert clients[-1].request({"ping": 1, "$db": "admin"}).document["ok"] == 1
    wait_until(lambda: daemon.metrics().value("mongocached_buffered_bytes") == 0)
    assert peak.growth < 8 << 20
    assert daemon.metrics().by(BYPASS, "reason").get("memory", 0) == 0


def announcing(size: int) -> bytes:
    """The beginning of a compressed message that says it is so large, and larger inside."""
    return struct.pack("<iiiiiiB", size, 1, 0, 2012, 2013, size, 1) + bytes(5)


def test_who_reserves_room_and_does_not_send_makes_way(
    servers: Servers, scripted: ScriptedUpstream, stack: ExitStack
) -> None:
    daemon = servers.daemon(scripted.uri, config='[listen]\nmax_buffered = "64MiB"\n')
    honest = stack.enter_context(connect(daemon))
    holder = stack.enter_context(connect(daemon))
    holder.socket.sendall(announcing(47_000_000))
    wait_until(lambda: daemon.metrics().value("mongocached_buffered_bytes") > 60_000_000)
    insert = op_msg({"insert": "films", "documents": [{"x": "y" * 250_000}], "$db": "busy"})
    stopped = threading.Event()

    def drip() -> None:
        """A byte now and then is no progress."""
        with suppress(OSError):
            while not stopped.wait(0.2):
                holder.socket.sendall(b"\0")

    with ThreadPoolExecutor(1) as threads:
        threads.submit(drip)
        try:
            for _ in range(3):
                honest.socket.sendall(insert[:20_000])
                wait_until(lambda: has_read_all(daemon))
                honest.socket.sendall(insert[20_000:])
                if honest.receive().document["ok"] == 1:
                    break
            else:
                pytest.fail("there never was room")
        finally:
            stopped.set()
    assert daemon.metrics().value(DISCONNECTS, reason="stalled") >= 1


# More clients than allowed


def is_served(daemon: Daemon) -> bool:
    with connect(daemon) as client:
        return client.request(KNOWN).document["ok"] == 1


def test_clients_above_the_limit_disturb_nobody(
    servers: Servers, scripted: ScriptedUpstream, stack: ExitStack
) -> None:
    daemon = servers.daemon(scripted.uri, config=ONE_THREAD + "max_connections = 3\n")
    clients = connected(stack, daemon, 3)
    for client in (*clients, *clients):
        client.request(KNOWN)
    for _ in range(200):
        with connect(daemon) as refused:
            assert refused.closed_by_peer()
        for client in clients:
            assert client.request(KNOWN).document["ok"] == 1
    metrics = daemon.metrics()
    assert metrics.by(DISCONNECTS, "reason") == {"too_many": 200}
    assert metrics.by(SHED, "reason") == {"connections": 200}
    lines = daemon.process.log_text().count("reason=connections")
    assert 1 <= lines < 100, "said, but not each time"
    assert metrics.value("mongocached_client_connections") == 3
    clients[0].close()
    wait_until(lambda: is_served(daemon), ignore=(ConnectionError,), what="the place to be free")


def test_driver_at_the_limit(
    servers: Servers, scripted: ScriptedUpstream, stack: ExitStack
) -> None:
    """It is told to try again, keeps the connections that it has, and gets in when one leaves."""
    daemon = servers.daemon(scripted.uri, config="[listen]\nmax_connections = 4\n")
    films = stack.enter_context(pymongo.MongoClient(daemon.uri)).t.films
    films.find_one({"_id": 1})
    now = daemon.metrics().value("mongocached_client_connections")
    others = connected(stack, daemon, 4 - int(now))
    for client in others:
        client.request(KNOWN)
    late = stack.enter_context(pymongo.MongoClient(daemon.uri, serverSelectionTimeoutMS=300))
    with pytest.raises(AutoReconnect):  # of which a failed server selection is one
        late.t.films.find_one({"_id": 1})
    assert films.find_one({"_id": 1}) == {"_id": 1}
    assert films.insert_one({"_id": 2}).acknowledged
    others[0].close()
    others[1].close()
    wait_until(lambda: late.t.films.find_one({"_id": 1}), ignore=(AutoReconnect,))
