"""`listen.pose = "replica_set"`: clients whose URI insists on a replica set."""

from __future__ import annotations

from typing import Any

import pymongo
import pytest
from support.counted import REQUESTS
from support.posing import PosingDaemon, posing_daemon
from support.servers import Servers, Upstream

Document = dict[str, Any]


@pytest.fixture
def posing(servers: Servers, upstream: Upstream) -> PosingDaemon:
    return posing_daemon(servers, upstream.uri)


def test_a_replica_set_of_one(posing: PosingDaemon, direct: pymongo.MongoClient[Document]) -> None:
    name = direct.admin.command("hello")["setName"]
    uri = f"mongodb://{posing.address}/?replicaSet={name}&serverSelectionTimeoutMS=5000"
    with pymongo.MongoClient(uri) as client:
        client.pose.c.drop()
        client.pose.c.insert_one({"_id": 1, "a": 0})
        assert client.primary == ("127.0.0.1", posing.port)
        assert client.topology_description.topology_type_name == "ReplicaSetWithPrimary"
        posing.catch_up()
        for _ in range(3):
            assert client.pose.c.find_one({"_id": 1}) == {"_id": 1, "a": 0}
        assert posing.metrics().value(REQUESTS, outcome="l1_hit") >= 1
        with client.start_session() as session, session.start_transaction():
            client.pose.c.update_one({"_id": 1}, {"$inc": {"a": 1}}, session=session)
        assert client.pose.c.find_one({"_id": 1}) == {"_id": 1, "a": 1}
        with client.pose.c.watch() as stream:
            client.pose.c.insert_one({"_id": 2})
            assert stream.next()["documentKey"] == {"_id": 2}


def test_another_sets_name_finds_no_server(posing: PosingDaemon) -> None:
    uri = f"mongodb://{posing.address}/?replicaSet=other&serverSelectionTimeoutMS=500"
    with (
        pymongo.MongoClient(uri) as client,
        pytest.raises(pymongo.errors.ServerSelectionTimeoutError),
    ):
        client.admin.command("ping")
