"""Seeds that are dead: one that lives is enough, and may come late."""

from __future__ import annotations

from typing import Any

import pymongo
from support.process import free_port
from support.servers import Servers, Unready, Upstream
from support.wait import wait_until

Document = dict[str, Any]


def works(daemon: Unready) -> None:
    wait_until(lambda: daemon.readiness()[0] == 200, deadline=30, what="an upstream")
    with pymongo.MongoClient(daemon.uri) as client:
        database = client[f"seeds_{daemon.port}"]
        database.c.insert_one({"_id": 1})
        assert database.c.find_one() == {"_id": 1}
        client.drop_database(database)


def start(servers: Servers, uri: str) -> Unready:
    daemon = Unready(servers.folder(), uri)
    servers.running.append(daemon)
    daemon.start()
    return daemon


def test_the_first_seed_is_dead_and_the_second_lives(servers: Servers, upstream: Upstream) -> None:
    with upstream.client() as client:
        name = client.admin.command("hello")["setName"]
    works(
        start(servers, f"mongodb://127.0.0.1:{free_port()},{upstream.address}/?replicaSet={name}")
    )


def test_all_seeds_are_dead_and_then_one_comes(servers: Servers) -> None:
    upstream = servers.upstream()
    upstream.stop()
    dead = f"127.0.0.1:{free_port()}"
    daemon = start(servers, f"mongodb://{dead},{upstream.address}/")

    def both_are_named() -> bool:
        status, why = daemon.readiness()
        assert status == 503
        return dead in why and upstream.address in why

    wait_until(both_are_named, what="both seeds in the reason")
    upstream.start_again()
    works(daemon)
