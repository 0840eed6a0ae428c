"""Reads without a read concern, of users whom the cluster does not tell its default one (S2).

Such is every user without `clusterMonitor` since MongoDB 4.4; only a scripted primary shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Int64, Timestamp
from support.raw import RawConnection
from support.scripted_upstream import ScriptedUpstream
from support.servers import Daemon, Servers
from support.wait import wait_until

Document = dict[str, Any]
FIND: Document = {"find": "films", "filter": {"_id": 1}, "$db": "shop"}
UPDATE: Document = {
    "update": "films",
    "updates": [{"q": {"_id": 1}, "u": {"$set": {"v": 2}}}],
    "writeConcern": {"w": 1},
    "$db": "shop",
}


class LaggingMajority(ScriptedUpstream):
    """A primary whose majority gets what is written when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.value = self.committed_value = 1
        self.committed = self.time
        self.finds: list[Document] = []

    def catch_up(self) -> None:
        self.committed, self.committed_value = self.time, self.value

    def _reply(self, name: str, command: Document) -> Document:
        match name:
            case "hello" | "isMaster" | "ismaster":
                majority = {"ts": self.committed, "t": Int64(1)}
                told = {"lastWriteDate": datetime.now(UTC), "majorityOpTime": majority}
                return super()._reply(name, command) | {"lastWrite": told}
            case "getDefaultRWConcern":
                return {"ok": 0.0, "code": 13, "errmsg": "not authorized on admin"}
            case "update":
                self.value += 1
                self.time = Timestamp(self.time.time + 1, 1)
                return {"n": 1, "nModified": 1}
            case "find":
                self.finds.append(command)
                of_majority = command.get("readConcern", {}).get("level") == "majority"
                value = self.committed_value if of_majority else self.value
                one = {"_id": 1, "v": value}
                return {"cursor": {"firstBatch": [one], "id": Int64(0), "ns": "shop.films"}}
        return super()._reply(name, command)


@pytest.fixture
def upstream() -> Iterator[LaggingMajority]:
    with LaggingMajority() as upstream:
        yield upstream


@pytest.fixture
def daemon(servers: Servers, upstream: LaggingMajority) -> Daemon:
    return servers.daemon(upstream.uri)


def read(connection: RawConnection) -> int:
    return connection.request(FIND).document["cursor"]["firstBatch"][0]["v"]


def test_own_writes_are_seen_and_cached_once_a_majority_has_them(
    daemon: Daemon, upstream: LaggingMajority
) -> None:
    with RawConnection("127.0.0.1", daemon.port) as connection:
        assert [read(connection) for _ in range(3)] == [1, 1, 1]
        assert len(upstream.finds) == 1
        assert connection.request(UPDATE).document["ok"] == 1
        assert [read(connection) for _ in range(3)] == [2, 2, 2]
        assert len(upstream.finds) == 4
        assert all("readConcern" not in one for one in upstream.finds)
        upstream.catch_up()

        def cached() -> bool:
            before = len(upstream.finds)
            assert read(connection) == 2
            return len(upstream.finds) == before

        wait_until(cached, what="the write to be known as a majority's")
        assert all("readConcern" not in one for one in upstream.finds)
