"""The tools that the other tests stand on."""

from __future__ import annotations

import os
import statistics
import time

import bson
import pymongo
import pymongo.errors
import pytest
from support import real_data
from support.metrics import Metrics
from support.process import Process, StartError
from support.raw import RawConnection, elements, op_query, without_fields
from support.servers import Redis, Servers, Upstream
from support.tls import make_certificates
from support.wait import wait_until


def ping_seconds(uri: str, count: int = 5) -> float:
    with pymongo.MongoClient(uri) as client:
        client.admin.command("ping")
        took = []
        for _ in range(count):
            started = time.perf_counter()
            client.admin.command("ping")
            took.append(time.perf_counter() - started)
    return statistics.median(took)


def test_relay_adds_its_delay_to_each_direction(servers: Servers, upstream: Upstream) -> None:
    relay = servers.relay(upstream.port, delay=0.025)
    there_and_back = ping_seconds(relay.uri)
    assert 0.050 <= there_and_back < 0.075
    relay.set_delay(0)
    assert ping_seconds(relay.uri) < 0.025


def test_relay_delays_bytes_without_slowing_their_flow(
    servers: Servers, upstream: Upstream
) -> None:
    relay = servers.relay(upstream.port, delay=0.025)
    with pymongo.MongoClient(relay.uri) as client:
        client.admin.command("ping")
        started = time.perf_counter()
        client.test_tools.big.insert_one({"_id": 1, "data": b"x" * 12_000_000})
        assert client.test_tools.big.find_one({"_id": 1})["data"] == b"x" * 12_000_000
        took = time.perf_counter() - started
        client.drop_database("test_tools")
    # A pause for every chunk of 64 KiB and direction would take 9 s.
    assert took < 3


def test_relay_cuts_connections_and_takes_new_ones(servers: Servers, upstream: Upstream) -> None:
    relay = servers.relay(upstream.port)
    with RawConnection("127.0.0.1", relay.port) as connection:
        assert connection.request({"ping": 1, "$db": "admin"}).document["ok"] == 1
        relay.cut()
        assert connection.closed_by_peer()
    assert ping_seconds(relay.uri, 1) < 1
    assert relay.connections >= 2


def test_relay_stalls_and_flows_again(servers: Servers, upstream: Upstream) -> None:
    relay = servers.relay(upstream.port)
    with RawConnection("127.0.0.1", relay.port, timeout=0.2) as connection:
        relay.stall()
        connection.send({"ping": 1, "$db": "admin"})
        with pytest.raises(TimeoutError):
            connection.receive()
        relay.flow()
        connection.socket.settimeout(5)
        assert connection.receive().document["ok"] == 1


def test_relay_refuses_until_it_accepts(servers: Servers, upstream: Upstream) -> None:
    relay = servers.relay(upstream.port)
    relay.refuse()
    with pytest.raises(ConnectionRefusedError):
        RawConnection("127.0.0.1", relay.port)
    relay.accept()
    assert ping_seconds(relay.uri, 1) < 1


def test_raw_reply_is_compared_without_its_clocks(upstream: Upstream) -> None:
    with RawConnection("127.0.0.1", upstream.port) as connection:
        first = connection.request({"ping": 1, "$db": "admin"})
        second = connection.request({"ping": 1, "$db": "admin"})
        assert first.comparable == second.comparable
        assert first.request_id != second.request_id


def test_raw_sequences_and_unacknowledged_writes(upstream: Upstream) -> None:
    with RawConnection("127.0.0.1", upstream.port) as connection:
        documents = {"documents": [{"_id": 1}, {"_id": 2}]}
        reply = connection.request({"insert": "raw", "$db": "test_tools"}, sequences=documents)
        assert reply.document["n"] == 2
        drop = connection.request({"dropDatabase": 1, "$db": "test_tools"})
        assert drop.document["ok"] == 1


def test_raw_legacy_hello(upstream: Upstream) -> None:
    with RawConnection("127.0.0.1", upstream.port) as connection:
        connection.socket.sendall(op_query({"isMaster": 1}, request_id=9))
        reply = connection.receive()
        assert reply.response_to == 9
        assert reply.document["ismaster"] is True


def test_raw_removes_fields_and_keeps_all_other_bytes() -> None:
    document = {
        "text": "a",
        "drop": {"x": 1},
        "number": 1.5,
        "pattern": bson.Regex("a+", "i"),
        "binary": b"\0\1",
        "list": [1, "b", None],
        "id": bson.ObjectId(),
        "code": bson.Code("f()", {"a": 1}),
        "decimal": bson.Decimal128("1.10"),
        "least": bson.MinKey(),
    }
    encoded = bson.encode(document)
    kept = {name: value for name, value in document.items() if name != "drop"}
    assert without_fields(encoded, frozenset({"drop"})) == bson.encode(kept)
    assert [name for name, _ in elements(encoded)] == list(document)


def test_metrics_are_summed_by_labels() -> None:
    metrics = Metrics('# TYPE a counter\na{x="1",y="p"} 2\na{x="2",y="p"} 3\na{x="3"} 0\nb 1e3\n')
    assert metrics.value("a") == 5
    assert metrics.value("a", x="2") == 3
    assert metrics.value("b") == 1000
    assert metrics.value("absent") == 0
    assert metrics.by("a", "x", y="p") == {"1": 2, "2": 3}


def test_wait_until_says_what_did_not_happen() -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.05 s: the sky falls"):
        wait_until(lambda: False, deadline=0.05, what="the sky falls")


def test_servers_end_what_they_started() -> None:
    with Servers() as servers:
        redis, directory = servers.redis(), servers.directory
        pid = redis.process.pid
        assert redis.client().ping()
    assert not directory.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_server_that_does_not_start_shows_its_log(servers: Servers) -> None:
    process = Process("broken", ["sh", "-c", "echo no such luck; exit 3"], servers.folder() / "log")
    process.start()
    with pytest.raises(StartError, match=r"exited with status 3[\s\S]*no such luck"):
        process.wait_ready(lambda: False)


def test_redis_restarts_empty_on_its_port(servers: Servers) -> None:
    redis: Redis = servers.redis()
    redis.client().set("a", 1)
    port = redis.port
    redis.restart()
    assert redis.port == port
    assert redis.client().get("a") is None


def test_upstream_keeps_its_data_over_a_restart(servers: Servers) -> None:
    upstream = servers.upstream()
    with upstream.client() as client:
        client.test.kept.insert_one({"_id": 1})
    upstream.restart()
    with upstream.client() as client:
        assert client.test.kept.find_one({"_id": 1}) == {"_id": 1}


def test_upstream_with_authentication_refuses_strangers(servers: Servers) -> None:
    upstream = servers.upstream(auth=True)
    with upstream.client() as client:
        assert client.test.private.insert_one({"_id": 1}).acknowledged
    with (
        pymongo.MongoClient(f"mongodb://{upstream.address}/?directConnection=true") as stranger,
        pytest.raises(pymongo.errors.OperationFailure) as refused,
    ):
        stranger.test.private.find_one()
    assert refused.value.code == 13


def test_upstream_with_tls_answers_only_over_tls(servers: Servers) -> None:
    upstream = servers.upstream(tls=make_certificates(servers.folder()))
    with upstream.client() as client:
        assert client.admin.command("ping")["ok"] == 1
    plain = f"mongodb://{upstream.address}/?directConnection=true&serverSelectionTimeoutMS=300"
    with pymongo.MongoClient(plain) as client, pytest.raises(pymongo.errors.PyMongoError):
        client.admin.command("ping")


def test_upstream_fails_commands_on_request(
    upstream: Upstream, direct: pymongo.MongoClient[dict[str, object]]
) -> None:
    direct.admin.command(
        {
            "configureFailPoint": "failCommand",
            "mode": {"times": 1},
            "data": {"failCommands": ["find"], "errorCode": 8000},
        }
    )
    with upstream.client(retryReads=False) as client:
        with pytest.raises(pymongo.errors.OperationFailure) as failed:
            client.test.absent.find_one()
        assert failed.value.code == 8000
        assert client.test.absent.find_one() is None


def test_real_films_have_the_shape_of_sample_mflix() -> None:
    films = real_data.films()
    assert len(films) == 3201
    assert all(isinstance(film["title"], str) for film in films)
    best = max(films, key=lambda film: film.get("imdb", {}).get("rating", 0))
    assert (best["title"], best["imdb"]["rating"]) == ("The Godfather", 9.2)
    assert {"Drama", "Comedy", "Action"} <= {genre for film in films for genre in film["genres"]}
