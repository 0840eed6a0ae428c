"""$clusterTime with its signature: what a server has signed reaches drivers and comes back so."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Iterator
from typing import Any

import pymongo
import pytest
from bson import Int64, Timestamp
from support.counted import Counted, by_id
from support.raw import RawConnection
from support.scripted_upstream import ScriptedUpstream
from support.servers import Daemon, Servers

Document = dict[str, Any]
KEY, KEY_ID = b"the cluster's", Int64(7_000_000_000_000_000_001)
FILM = by_id("t", 1)


def signed(time: Timestamp) -> Document:
    signature = hmac.new(KEY, f"{time.time} {time.inc}".encode(), hashlib.sha1).digest()
    return {"clusterTime": time, "signature": {"hash": signature, "keyId": KEY_ID}}


class Signer(ScriptedUpstream):
    """Its time goes on with every answer; it keeps every $clusterTime that comes back."""

    def __init__(self) -> None:
        super().__init__()
        self.returned: list[tuple[str, Document]] = []
        self._ticking = threading.Lock()

    def received(self, command: Document, sections: bytes) -> None:  # noqa: ARG002
        if time := command.get("$clusterTime"):
            self.returned.append((next(iter(command)), time))

    def answer(self, command: Document) -> Document:
        answer = super().answer(command)
        with self._ticking:
            self.time = Timestamp(self.time.time, self.time.inc + 1)
            return {**answer, "operationTime": self.time, "$clusterTime": signed(self.time)}

    def newest(self, name: str) -> Document:
        return next(time for command, time in reversed(self.returned) if command == name)

    def unsigned(self) -> list[tuple[str, Document]]:
        return [each for each in self.returned if each[1] != signed(each[1]["clusterTime"])]


@pytest.fixture
def signer() -> Iterator[Signer]:
    with Signer() as signer:
        yield signer


@pytest.fixture(params=["passthrough", "pooled"])
def daemon(request: pytest.FixtureRequest, servers: Servers, signer: Signer) -> Daemon:
    return servers.daemon(signer.uri, config=f'[upstream]\nauth = "{request.param}"\n')


def test_to_the_client_and_back(signer: Signer, daemon: Daemon) -> None:
    with RawConnection("127.0.0.1", daemon.port) as client:
        for command in ("insert", "update", "count"):
            told = client.request({command: "c", "$db": "t"}).document["$clusterTime"]
            assert told == signed(told["clusterTime"])
            client.request({"distinct": "c", "$clusterTime": told, "$db": "t"})
            assert signer.newest("distinct") == told
    assert signer.unsigned() == []


def test_drivers_gossip_what_was_signed(signer: Signer, daemon: Daemon) -> None:
    with pymongo.MongoClient(daemon.uri) as client, client.start_session() as session:
        for number in range(5):
            client.t.c.insert_one({"_id": number}, session=session)
            told = session.cluster_time
            assert told == signed(told["clusterTime"])
            client.t.c.delete_many({}, session=session)
            assert signer.newest("delete") == told
    assert signer.unsigned() == []


def test_of_an_answer_from_the_cache(signer: Signer, daemon: Daemon) -> None:
    """It carries the newest time that the daemon knows, as it was signed."""
    with Counted(daemon) as counted:
        counted.until(FILM)
        before = counted.connection.request({"count": "c", "$db": "t"}).document["$clusterTime"]
        finds = signer.asked["find"]
        told = counted.connection.request(FILM).document["$clusterTime"]
        assert signer.asked["find"] == finds
        assert told["clusterTime"] >= before["clusterTime"]
        assert told == signed(told["clusterTime"])
        counted.connection.request({"distinct": "c", "$clusterTime": told, "$db": "t"})
    assert signer.newest("distinct") == told
    assert signer.unsigned() == []
