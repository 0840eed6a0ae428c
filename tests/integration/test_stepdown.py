"""A primary steps down: its errors reach the client as they are, and drivers go on."""

from __future__ import annotations

import uuid
from typing import Any

import pymongo
import pytest
from bson import Binary, Int64
from pymongo.errors import NotPrimaryError
from support.raw import CLOCKS, RawConnection, without_fields
from support.servers import Daemon, Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
NOT_PRIMARY = 10107


def step_down(upstream: Upstream, seconds: int) -> None:
    command = {"replSetStepDown": seconds, "secondaryCatchUpPeriodSecs": 0, "force": True}
    with upstream.client() as client:
        client.admin.command(command)


def insert(id_: int, retryable: bool = True) -> Document:
    command: Document = {"insert": "c", "documents": [{"_id": id_}], "$db": "t"}
    if retryable:
        command |= {"lsid": {"id": Binary(uuid.uuid4().bytes, 4)}, "txnNumber": Int64(1)}
    return command


@pytest.fixture
def own_upstream(servers: Servers) -> Upstream:
    upstream = servers.upstream()
    with upstream.client() as client:
        client.t.c.insert_one({"_id": 0})
    return upstream


@pytest.mark.parametrize("retryable", [True, False])
def test_error_is_relayed_as_it_is(
    servers: Servers, own_upstream: Upstream, retryable: bool
) -> None:
    """All but topologyVersion, which would make the driver believe that we stream ours (F4)."""
    daemon = servers.daemon(own_upstream.uri)
    with (
        RawConnection("127.0.0.1", daemon.port) as through,
        RawConnection("127.0.0.1", own_upstream.port) as straight,
    ):
        assert through.request(insert(1)).document["n"] == 1
        step_down(own_upstream, 3)
        replies = [to.request(insert(2, retryable)) for to in (through, straight)]
        relayed, original = (without_fields(r.body, CLOCKS | {"topologyVersion"}) for r in replies)
        assert replies[0].document["code"] == NOT_PRIMARY
        assert relayed == original
        assert "topologyVersion" not in replies[0].document


def fail_next_insert(upstream: Upstream) -> None:
    """With the label that a mongod gives a retryable write and SecantusDB only a fail point."""
    data = {"failCommands": ["insert"], "errorCode": NOT_PRIMARY}
    data |= {"errorLabels": ["RetryableWriteError"]}
    with upstream.client() as client:
        client.admin.command(
            {"configureFailPoint": "failCommand", "mode": {"times": 1}, "data": data}
        )


def test_labels_are_relayed(servers: Servers, own_upstream: Upstream) -> None:
    daemon = servers.daemon(own_upstream.uri)
    fail_next_insert(own_upstream)
    with RawConnection("127.0.0.1", daemon.port) as through:
        answer = through.request(insert(1)).document
        assert (answer["code"], answer["errorLabels"]) == (NOT_PRIMARY, ["RetryableWriteError"])
        assert through.request(insert(1)).document["n"] == 1


def daemon_of_set(servers: Servers, upstream: Upstream) -> Daemon:
    """Unlike with a direct connection, a secondary is no server for it."""
    with upstream.client() as client:
        name = client.admin.command("hello")["setName"]
    return servers.daemon(f"mongodb://{upstream.address}/?replicaSet={name}")


def seen_by(daemon: Daemon) -> None:
    up = "mongocached_upstream_up"
    wait_until(lambda: daemon.metrics().value(up) == 0, what="the step-down to be seen")


def test_retryable_write_outlives_a_step_down(servers: Servers, own_upstream: Upstream) -> None:
    """The client's open connection brings it the error, and its retry waits for the primary."""
    daemon = daemon_of_set(servers, own_upstream)
    with pymongo.MongoClient(daemon.uri, heartbeatFrequencyMS=500) as client:
        client.t.c.insert_one({"_id": 1})
        fail_next_insert(own_upstream)
        step_down(own_upstream, 3)
        seen_by(daemon)
        client.t.c.insert_one({"_id": 2})
        assert client.t.c.count_documents({"_id": 2}) == 1


def test_clients_wait_for_the_next_primary(servers: Servers, own_upstream: Upstream) -> None:
    """One error tells of the step-down; what comes behind it is held, not refused."""
    daemon = daemon_of_set(servers, own_upstream)
    options = {"retryWrites": False, "heartbeatFrequencyMS": 500}
    with pymongo.MongoClient(daemon.uri, **options) as client:
        client.t.c.insert_one({"_id": 1})
        step_down(own_upstream, 3)
        seen_by(daemon)
        with pytest.raises(NotPrimaryError) as told:
            client.t.c.insert_one({"_id": 2})
        assert told.value.details["code"] == NOT_PRIMARY
        client.t.c.insert_one({"_id": 2})
        assert client.t.c.find_one({"_id": 2}) == {"_id": 2}
