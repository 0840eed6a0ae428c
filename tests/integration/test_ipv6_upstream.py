"""An upstream that is reached by IPv6 only: clients' connections, topology and change stream."""

from __future__ import annotations

from typing import Any

import pymongo
import pytest
from support.counted import Counted, by_id
from support.raw import connect
from support.scripted_cluster import ScriptedSet
from support.servers import Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
LOOPBACK = "::1"
FILM = by_id("ipv6", 1)


@pytest.fixture(params=["passthrough", "pooled"])
def config(request: pytest.FixtureRequest) -> str:
    return f'[upstream]\nauth = "{request.param}"\n'


def test_served_and_followed(servers: Servers, upstream: Upstream, config: str) -> None:
    relay = servers.relay(upstream.port, at=LOOPBACK)
    assert "//[::1]:" in relay.uri
    daemon = servers.daemon(relay.uri, config=config)
    with upstream.client() as straight, pymongo.MongoClient(daemon.uri) as client:
        straight.drop_database("ipv6")
        client.ipv6.films.insert_one({"_id": 1, "n": 0})
        with Counted(daemon) as counted:
            assert counted.until(FILM) == [{"_id": 1, "n": 0}]
        straight.ipv6.films.update_one({"_id": 1}, {"$inc": {"n": 1}})
        wait_until(
            lambda: client.ipv6.films.find_one({"_id": 1}) == {"_id": 1, "n": 1},
            what="what another wrote",
        )
    stream = daemon.status()["stream"]
    assert (stream["state"], stream["up"]) == ("opened", True)
    assert stream["events"] >= 1


def test_members_that_name_each_other_so(servers: Servers, config: str) -> None:
    """The primary is found by what the members say, and so is the next one."""
    with ScriptedSet() as members:
        for member in members.members:
            member.me = servers.relay(member.port, at=LOOPBACK).address
        members.publish()
        uri = f"mongodb://{members.secondary.me}/?replicaSet=rs0&heartbeatFrequencyMS=500"
        daemon = servers.daemon(uri, config=config)
        with connect(daemon) as client:
            for primary in (members.primary, members.secondary):
                members.elect(primary)
                wait_until(
                    lambda p=primary: (
                        client.request({"count": "c", "$db": "t"}).document["ok"] == 1
                        and p.asked["count"]
                    ),
                    what=f"{primary.me} to be asked",
                )
