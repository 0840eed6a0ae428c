"""mongodb+srv: servers and options from DNS, records not to be believed, name servers away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pymongo
import pytest
from support.counted import REQUESTS
from support.name_server import DOMAIN, NameServer, Records, ResolvingDaemon, needs_root
from support.process import free_port
from support.servers import ROOT_PASSWORD, ROOT_USER, Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
NO_TLS = "?tls=false"
NODE = f"node1.{DOMAIN}"
POOLED = '[upstream]\nauth = "pooled"\n'
Names = Callable[..., NameServer]

pytestmark = pytest.mark.usefixtures("root")


@pytest.fixture(scope="module")
def root() -> None:
    needs_root()


@pytest.fixture
def set_name(upstream: Upstream) -> str:
    with upstream.client() as client:
        return client.admin.command("hello")["setName"]


@pytest.fixture(scope="module")
def guarded(session_servers: Servers) -> Upstream:
    return session_servers.upstream(auth=True)


@pytest.fixture
def names(servers: Servers) -> Names:
    """Makes a name server; starts it unless told that it is away."""

    def make(records: Records, started: bool = True) -> NameServer:
        server = NameServer(servers.folder(), records)
        servers.running.append(server)
        if started:
            server.start()
        return server

    return make


def start(
    servers: Servers, names: NameServer, options: str = NO_TLS, **given: str
) -> ResolvingDaemon:
    daemon = ResolvingDaemon(servers.folder(), names, options, **given)
    servers.running.append(daemon)
    daemon.start()
    return daemon


def serves(daemon: ResolvingDaemon, **options: Any) -> None:
    """Reads, writes and hits."""
    wait_until(lambda: daemon.readiness()[0] == 200, deadline=30, what="an upstream")
    wait_until(daemon.caches, deadline=30, what="the change stream")
    with pymongo.MongoClient(daemon.uri, **options) as client:
        films = client[f"srv_{daemon.port}"].films
        films.insert_one({"_id": 1, "n": 1})
        films.update_one({"_id": 1}, {"$inc": {"n": 1}})

        def hit() -> bool:
            before = daemon.metrics().value(REQUESTS, outcome="l1_hit", command="find")
            assert films.find_one({"_id": 1}) == {"_id": 1, "n": 2}
            return daemon.metrics().value(REQUESTS, outcome="l1_hit", command="find") > before

        wait_until(hit, what="a hit")
        films.drop()


def told(daemon: ResolvingDaemon, *words: str) -> None:
    """Not ready, and /readyz says why."""

    def why() -> bool:
        status, text = daemon.readiness()
        assert status == 503, text
        return all(word in text for word in words)

    wait_until(why, what=f"{words} in {daemon.readiness()[1]!r}")


def test_records_of_a_replica_set(
    servers: Servers, upstream: Upstream, names: Names, set_name: str
) -> None:
    text = f"authSource=admin&replicaSet={set_name}"
    daemon = start(servers, names(Records([(NODE, upstream.port)], text)))
    serves(daemon)
    assert f"replica set {set_name}" in daemon.status()["upstream"]["description"]


def test_the_set_that_the_text_names_is_asked_for(
    servers: Servers, upstream: Upstream, names: Names, set_name: str
) -> None:
    """A member of another set is none of the cluster; the record may be mended."""
    server = names(Records([(NODE, upstream.port)], "replicaSet=another"))
    daemon = start(servers, server)
    told(daemon, "none of the servers is what the URI asks for", "another")
    server.tell(Records([(NODE, upstream.port)], f"replicaSet={set_name}"))
    serves(daemon)


def test_several_records_of_which_one_answers(
    servers: Servers, upstream: Upstream, names: Names
) -> None:
    dead = (f"node0.{DOMAIN}", free_port())
    serves(start(servers, names(Records([dead, (NODE, upstream.port)]))))


@pytest.mark.parametrize("auth", ["passthrough", "pooled"])
def test_the_database_of_users_comes_from_the_text(
    servers: Servers, guarded: Upstream, names: Names, auth: str
) -> None:
    """The URI's path names the clients' database, as the one that a provider shows does: its users
    are elsewhere."""
    server = names(Records([(NODE, guarded.port)], "authSource=admin"))
    user = f"{ROOT_USER}:{ROOT_PASSWORD}@"
    config = POOLED if auth == "pooled" else ""
    daemon = start(servers, server, f"shop{NO_TLS}", config=config, user=user)
    credentials = {"username": ROOT_USER, "password": ROOT_PASSWORD}
    serves(daemon, **({} if auth == "pooled" else credentials))
    assert daemon.status()["stream"]["state"] not in ("refused", "denied")


def test_an_option_of_the_uri_outranks_the_text(
    servers: Servers, guarded: Upstream, names: Names
) -> None:
    server = names(Records([(NODE, guarded.port)], "authSource=elsewhere&replicaSet=another"))
    user = f"{ROOT_USER}:{ROOT_PASSWORD}@"
    with guarded.client() as root:
        name = root.admin.command("hello")["setName"]
    options = f"{NO_TLS}&authSource=admin&replicaSet={name}"
    serves(start(servers, server, options, config=POOLED, user=user))


def test_a_record_outside_the_domain_is_refused(
    servers: Servers, upstream: Upstream, names: Names
) -> None:
    """Who can forge one record must not get the clients' traffic."""
    server = names(Records([("node1.elsewhere.example", upstream.port)]))
    daemon = start(servers, server)
    told(daemon, "elsewhere.example")
    assert daemon.status()["upstream"]["servers"] == []
    server.tell(Records([(NODE, upstream.port)]))
    serves(daemon)


@pytest.mark.parametrize("option", ["tls=false", "directConnection=true"])
def test_an_option_that_a_text_must_not_have_is_refused(
    servers: Servers, upstream: Upstream, names: Names, option: str
) -> None:
    server = names(Records([(NODE, upstream.port)], f"authSource=admin&{option}"))
    told(start(servers, server), option.split("=")[0], "TXT")


def test_a_load_balancer_is_none_of_the_upstreams(
    servers: Servers, upstream: Upstream, names: Names
) -> None:
    """As where the URI says so; the record may be mended."""
    server = names(Records([(NODE, upstream.port)], "loadBalanced=true"))
    daemon = start(servers, server)
    told(daemon, "loadBalanced", "TXT")
    server.tell(Records([(NODE, upstream.port)]))
    serves(daemon)


def test_the_name_server_comes_late(servers: Servers, upstream: Upstream, names: Names) -> None:
    server = names(Records([(NODE, upstream.port)]), started=False)
    daemon = start(servers, server)
    told(daemon, f"_mongodb._tcp.cluster0.{DOMAIN}")
    server.start()
    serves(daemon)


def test_a_name_that_is_not_known_may_come(
    servers: Servers, upstream: Upstream, names: Names
) -> None:
    server = names(Records([]))
    daemon = start(servers, server)
    told(daemon, f"_mongodb._tcp.cluster0.{DOMAIN}")
    server.tell(Records([(NODE, upstream.port)]))
    serves(daemon)


def test_the_name_server_goes_while_clients_are_served(
    servers: Servers, upstream: Upstream, names: Names
) -> None:
    """It is asked at the start; servers are found by what they say of each other from then on."""
    server = names(Records([(NODE, upstream.port)]))
    daemon = start(servers, server)
    serves(daemon)
    server.kill()
    serves(daemon)
