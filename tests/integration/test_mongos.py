"""Two mongoses: one is kept until it is gone, and what it held ends as with a dead mongos."""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from bson import Binary, Int64
from support.raw import RawConnection, connect
from support.relay import RelayThread
from support.scripted_cluster import ScriptedMongos
from support.servers import Daemon, Servers
from support.wait import wait_until

Document = dict[str, Any]
UNREACHABLE = 6
OPEN: Document = {"find": "c", "filter": {"n": 1}, "batchSize": 1, "$db": "t"}
COUNT: Document = {"count": "c", "$db": "t"}


@dataclass
class Sharded:
    """Each mongos behind a relay, so that it can be gone."""

    mongoses: list[ScriptedMongos]
    relays: list[RelayThread]
    daemon: Daemon

    def chosen(self) -> int:
        """Which one a command goes to now."""
        before = [mongos.asked["count"] for mongos in self.mongoses]
        with connect(self.daemon) as client:
            assert client.request(COUNT).document["ok"] == 1
        grown = [m.asked["count"] - b for m, b in zip(self.mongoses, before, strict=True)]
        assert sorted(grown) == [0, 1]
        return grown.index(1)

    def knows(self, number: int) -> None:
        wait_until(
            lambda: (
                sum(s["type"] == "mongos" for s in self.daemon.status()["upstream"]["servers"])
                == number
            ),
            what=f"{number} mongoses to be known",
        )

    def lose(self, number: int) -> None:
        self.relays[number].refuse()
        self.relays[number].cut()

    def bring_back(self, number: int) -> None:
        self.relays[number].accept()


@pytest.fixture(params=["passthrough", "pooled"])
def auth(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def sharded(servers: Servers, stack: ExitStack, auth: str) -> Sharded:
    mongoses = [stack.enter_context(ScriptedMongos(number)) for number in range(2)]
    relays = [servers.relay(mongos.port) for mongos in mongoses]
    seeds = ",".join(relay.address for relay in relays)
    uri = f"mongodb://{seeds}/?heartbeatFrequencyMS=500"
    made = Sharded(mongoses, relays, servers.daemon(uri, config=f'[upstream]\nauth = "{auth}"\n'))
    made.knows(2)
    return made


def test_one_is_kept_until_it_is_gone(sharded: Sharded) -> None:
    first = sharded.chosen()
    other = 1 - first
    sharded.lose(other)
    sharded.knows(1)
    sharded.bring_back(other)
    sharded.knows(2)
    assert {sharded.chosen() for _ in range(20)} == {first}
    sharded.lose(first)
    assert sharded.chosen() == other
    sharded.bring_back(first)
    sharded.knows(2)
    assert {sharded.chosen() for _ in range(20)} == {other}, "it does not move back"


def test_clients_that_are_there_move(sharded: Sharded) -> None:
    with connect(sharded.daemon) as client:
        assert client.request(COUNT).document["ok"] == 1
        first = sharded.chosen()
        sharded.lose(first)
        other = sharded.mongoses[1 - first]
        wait_until(lambda: sharded.chosen() == 1 - first, what="the daemon to move")
        before = other.asked["count"]
        assert client.request(COUNT).document["ok"] == 1
        assert other.asked["count"] == before + 1


def lost(client: RawConnection, auth: str) -> None:
    """As with a mongos that died: a closed connection, or the error that says so."""
    if auth == "passthrough":
        assert client.closed_by_peer()
    else:
        assert client.receive().document["code"] == UNREACHABLE


def test_a_cursor_in_use_fails_with_its_mongos(sharded: Sharded, auth: str) -> None:
    first = sharded.chosen()
    mongos = sharded.mongoses[first]
    with connect(sharded.daemon) as client:
        cursor = client.request(OPEN).document["cursor"]["id"]
        more = {"getMore": Int64(cursor), "collection": "c", "$db": "t"}
        assert client.request(more).document["cursor"]["id"] == cursor
        with mongos.holding("getMore") as arrived:
            client.send(more)
            wait_until(arrived, what="the getMore to arrive")
            sharded.lose(first)
            lost(client, auth)
    assert sharded.chosen() == 1 - first


def test_a_cursor_is_not_found_behind_the_other(sharded: Sharded, auth: str) -> None:
    """Nothing makes up an answer: the other mongos says so, or nobody is asked."""
    first = sharded.chosen()
    with connect(sharded.daemon) as client:
        cursor = client.request(OPEN).document["cursor"]["id"]
        sharded.lose(first)
        wait_until(lambda: sharded.chosen() == 1 - first, what="the daemon to move")
        more = {"getMore": Int64(cursor), "collection": "c", "$db": "t"}
        code = client.request(more).document["code"]
        assert code == (ScriptedMongos.CURSOR_NOT_FOUND if auth == "passthrough" else UNREACHABLE)
        assert client.request(COUNT).document["ok"] == 1


def transaction() -> Document:
    session = {"id": Binary(uuid.uuid4().bytes, 4)}
    return {"lsid": session, "txnNumber": Int64(1), "autocommit": False}


def begin(client: RawConnection, inside: Document) -> Document:
    insert = {"insert": "c", "documents": [{"_id": 1}], **inside, "startTransaction": True}
    return client.request({**insert, "$db": "t"}).document


def test_the_recovery_token_passes_both_ways(sharded: Sharded) -> None:
    mongos = sharded.mongoses[sharded.chosen()]
    inside = transaction()
    # More than a driver knows of: it is the mongos' own.
    mongos.token = {"recoveryShardId": "shard7", "more": [1, {"x": b"\0\1"}]}
    with connect(sharded.daemon) as client:
        token = begin(client, inside)["recoveryToken"]
        assert token == mongos.token
        commit = {"commitTransaction": 1, **inside, "recoveryToken": token, "$db": "admin"}
        assert client.request(commit).document["ok"] == 1
        assert mongos.last("commitTransaction") == commit


@pytest.mark.parametrize("noticed", [True, False], ids=["noticed", "not yet noticed"])
def test_a_commit_is_carried_on_behind_the_other_by_its_token(
    sharded: Sharded, noticed: bool
) -> None:
    """The rest of a transaction cannot be: a driver is told to run the whole of it again."""
    first = sharded.chosen()
    other = sharded.mongoses[1 - first]
    inside = transaction()
    with connect(sharded.daemon) as client:
        token = begin(client, inside)["recoveryToken"]
        sharded.lose(first)
        if noticed:
            wait_until(lambda: sharded.chosen() == 1 - first, what="the daemon to move")
            again = client.request({**COUNT, **inside}).document
            assert again["ok"] == 0
            assert "TransientTransactionError" in again["errorLabels"]
        commit = {"commitTransaction": 1, **inside, "recoveryToken": token, "$db": "admin"}
        assert client.request(commit).document["ok"] == 1
        assert other.last("commitTransaction") == commit
