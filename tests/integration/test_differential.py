"""Thousands of random reads, straight and through the daemon: the same bytes, hit or miss.

The seed is printed; DIFFERENTIAL_SEED repeats a run, DIFFERENTIAL_READS makes it longer.
"""

from __future__ import annotations

import os
import struct
import time
import uuid
from collections.abc import Iterator
from random import Random
from typing import Any

import bson
import pytest
from support.metrics import Metrics
from support.queries import Queries
from support.raw import (
    CLOCKS,
    EXHAUST_ALLOWED,
    MORE_TO_COME,
    RawConnection,
    Reply,
    elements,
    without_fields,
)
from support.servers import Daemon, Upstream
from support.writes import Writes

READS = int(os.environ.get("DIFFERENTIAL_READS", "6000"))
SEED = int(os.environ.get("DIFFERENTIAL_SEED", "0")) or time.time_ns() % 1_000_000_007
Document = dict[str, Any]


def cursor_id(reply: Reply) -> int:
    cursor = reply.document.get("cursor")
    return cursor.get("id", 0) if isinstance(cursor, dict) else 0


def comparable(reply: Reply) -> tuple[int, int, bytes]:
    """Without ids and clocks; of an open cursor's id, only that there is one."""
    body = without_fields(reply.body, CLOCKS)
    cursor = reply.document.get("cursor")
    if isinstance(cursor, dict) and cursor.get("id"):
        body = masked(body, b"\x12id\0" + struct.pack("<q", cursor["id"]))
    if isinstance(cursor, dict) and (at := cursor.get("atClusterTime")):  # of a snapshot read
        body = masked(body, b"\x11atClusterTime\0" + struct.pack("<II", at.inc, at.time))
    return reply.opcode, reply.flags, body


def masked(body: bytes, element: bytes) -> bytes:
    """With the value of that one element, 8 bytes, blotted out."""
    assert body.count(element) == 1
    return body.replace(element, element[:-8] + bytes(8))


def shown(reply: Reply) -> str:
    try:
        return str({k: v for k, v in reply.document.items() if k not in CLOCKS})[:3000]
    except bson.errors.BSONError as error:
        return f"{error}: {reply.body!r}"


class Pair:
    """The same requests straight and through the daemon."""

    def __init__(self, upstream: Upstream, daemon: Daemon) -> None:
        self.straight = RawConnection("127.0.0.1", upstream.port)
        self.proxied = [RawConnection("127.0.0.1", daemon.port) for _ in range(2)]
        self.compared = 0

    def close(self) -> None:
        for connection in [self.straight, *self.proxied]:
            connection.close()

    def compare(self, command: bytes, tries: int) -> None:
        """Asks the daemon before the upstream and after it."""
        replies = [self.ask(0, command)]
        expected = self.straight.request(command)
        replies += [self.ask(i % 2, command) for i in range(1, tries)]
        for number, reply in enumerate(replies, 1):
            self.compared += 1
            if comparable(reply) != comparable(expected):
                pytest.fail(
                    f"seed {SEED}, comparison {self.compared}, try {number} of"
                    f" {bson.decode(command)}\n"
                    f"straight: {shown(expected)}\ndaemon:   {shown(reply)}"
                )
            names = [[name for name, _ in elements(r.body)] for r in (reply, expected)]
            assert names[0] == names[1], (
                f"seed {SEED}: fields of the reply to {bson.decode(command)}"
            )
        self.finish_cursors(command, expected, replies)

    def ask(self, connection: int, command: bytes) -> Reply:
        return self.proxied[connection].request(command)

    def finish_cursors(self, command: bytes, expected: Reply, replies: list[Reply]) -> None:
        if not cursor_id(expected):
            return
        request = bson.decode(command)
        name = expected.document["cursor"]["ns"].split(".", 1)[1]
        session = {"lsid": request["lsid"]} if "lsid" in request else {}

        def more(connection: RawConnection, reply: Reply) -> Reply:
            get_more = {
                "getMore": bson.Int64(cursor_id(reply)),
                "collection": name,
                "batchSize": 500,
            }
            return connection.request({**get_more, **session, "$db": request["$db"]})

        rest = comparable(more(self.straight, expected))
        for number, reply in enumerate(replies):
            # On the other connection than the one that opened it: drivers do that to a mongos.
            answered = more(self.proxied[(number + 1) % 2], reply)
            assert comparable(answered) == rest, f"seed {SEED}: getMore of {request}"


@pytest.fixture
def pair(upstream: Upstream, daemon: Daemon) -> Iterator[Pair]:
    pair = Pair(upstream, daemon)
    yield pair
    pair.close()


def hits(before: Metrics, after: Metrics) -> tuple[float, float]:
    """Finds that were answered from a cache, and all finds."""

    def grown(**labels: str) -> float:
        name = "mongocached_requests_total"
        return after.value(name, **labels) - before.value(name, **labels)

    cached = ("l1_hit", "redis_hit", "coalesced")
    return sum(grown(command="find", outcome=o) for o in cached), grown(command="find")


@pytest.mark.timeout(240)
def test_replies_are_the_same_bytes(
    pair: Pair, upstream: Upstream, daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    random = Random(SEED)
    database = f"differential_{uuid.uuid4().hex[:8]}"
    queries = Queries(random, database, ["things", "others", "nothing"])
    started = time.monotonic()
    with capsys.disabled():
        print(f"\ndifferential test: seed {SEED}, {READS} reads")
    with upstream.client() as direct, daemon_client(daemon) as client:
        try:
            writes = Writes(client, queries)
            writes.fill(queries.collections[:2])
            before = daemon.metrics()
            run(random, pair, queries, writes)
            found, finds = hits(before, daemon.metrics())
        finally:
            direct.drop_database(database)
    with capsys.disabled():
        print(
            f"{pair.compared} replies compared in {time.monotonic() - started:.0f} s,"
            f" {found:.0f} of {finds:.0f} finds were hits; writes: {writes.done}"
        )
    assert pair.compared >= READS
    assert found >= 0.3 * finds


def run(random: Random, pair: Pair, queries: Queries, writes: Writes) -> None:
    recent: list[bytes] = []
    while pair.compared < READS:
        if random.random() < 0.08:
            writes.one()
        if recent and random.random() < 0.4:
            command = random.choice(recent)
        else:
            command = queries.read()
            recent = [*recent[-20:], command]
        pair.compare(command, random.choice([2, 2, 3]))


def daemon_client(daemon: Daemon) -> Any:
    import pymongo

    return pymongo.MongoClient(daemon.uri, serverSelectionTimeoutMS=5000, retryWrites=True)


def test_one_request_is_answered_by_as_many_replies(pair: Pair) -> None:
    database = f"test_{uuid.uuid4().hex[:12]}"
    rows = [{"_id": i} for i in range(20)]
    pair.straight.request({"insert": "exhaust", "documents": rows, "$db": database})
    expected = streamed(pair.straight, database)
    assert len(expected) > 3
    assert [more for more, _ in expected] == [True] * (len(expected) - 1) + [False]
    for connection in pair.proxied:
        assert streamed(connection, database) == expected
        assert connection.request({"ping": 1, "$db": "admin"}).document["ok"] == 1


def streamed(connection: RawConnection, database: str) -> list[tuple[bool, list[Document]]]:
    """What a getMore brings that may be answered often: is more to come, and the batch of each."""
    find = {"find": "exhaust", "filter": {}, "sort": {"_id": 1}, "batchSize": 2, "$db": database}
    cursor = bson.Int64(cursor_id(connection.request(find)))
    more = {"getMore": cursor, "collection": "exhaust", "batchSize": 3, "$db": database}
    replies = [connection.request(more, flags=EXHAUST_ALLOWED)]
    while replies[-1].flags & MORE_TO_COME:
        replies.append(connection.receive())
    return [(bool(r.flags & MORE_TO_COME), r.document["cursor"]["nextBatch"]) for r in replies]
