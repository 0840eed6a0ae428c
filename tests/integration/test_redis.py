"""What the daemon needs of a Redis, and what it says of one that does not give it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pymongo
import pytest
import redis as redis_py
from pymongo.collection import Collection
from support.counted import Counted, by_id, warm
from support.servers import Daemon, Redis, Servers, Upstream
from support.stored import values
from support.tls import make_certificates
from support.wait import wait_until


class TlsRedis(Redis):
    """It takes nothing but TLS."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.certificates = make_certificates(directory / "tls")

    def argv(self) -> list[str | Path]:
        words = [str(word).replace("--port", "--tls-port") for word in super().argv()]
        made = self.certificates
        words += ["--port", "0", "--tls-auth-clients", "no", "--tls-ca-cert-file", str(made.ca)]
        return [*words, "--tls-cert-file", made.certificate, "--tls-key-file", made.key]

    @property
    def uri(self) -> str:
        return f"rediss://{self.address}/0"

    def client(self) -> redis_py.Redis[Any]:
        ca = str(self.certificates.ca)
        return redis_py.Redis(port=self.port, socket_timeout=5, ssl=True, ssl_ca_certs=ca)


Films = Collection[dict[str, Any]]
SUBSCRIBED = "mongocached_redis_subscribed"
INVALIDATIONS = "mongocached_invalidations_total"
ROOT = Path(__file__).parents[2]
OPERATIONS = ROOT / "docs" / "operations.md"
STORE = ROOT / "cache" / "store"


def as_user(redis: Redis, name: str) -> str:
    return f"redis://{name}:swordfish@{redis.address}/0"


def subscribed(daemon: Daemon) -> tuple[bool, float]:
    return daemon.status()["redis"]["subscribed"], daemon.metrics().value(SUBSCRIBED)


def test_refused_subscription_is_told(servers: Servers, upstream: Upstream, redis: Redis) -> None:
    with redis.client() as operator:
        rights = ("on", ">swordfish", "~*", "+@all", "resetchannels")
        operator.execute_command("ACL", "SETUSER", "deaf", *rights)
        daemon = servers.daemon(upstream.uri, as_user(redis, "deaf"))
        wait_until(lambda: "NOPERM" in daemon.process.log_text(), what="the refusal in the log")
        wait_until(lambda: daemon.status()["redis"]["up"], what="Redis")
        assert subscribed(daemon) == (False, 0)
        operator.execute_command("ACL", "SETUSER", "deaf", "allchannels")
        wait_until(lambda: subscribed(daemon) == (True, 1), what="the subscription")
    assert daemon.process.log_text().count("NOPERM") == 1


# One whose latency straddles `redis.timeout` once wrote dozens of lines a second.
def test_lines_on_its_state_are_limited_and_say_how_many_were_left_out(
    servers: Servers, upstream: Upstream
) -> None:
    redis = servers.redis()
    daemon = servers.daemon(upstream.uri, redis.uri)
    wait_until(lambda: "redis: usable unsaid=0" in daemon.process.log_text(), what="Redis")
    redis.stop()
    line = re.compile("not usable: going on without it .* unsaid=0")
    wait_until(lambda: line.search(daemon.process.log_text()) is not None, what="its loss")


def documented_rights() -> list[str]:
    """Of the user `mongocached`, as operations.md tells an operator to set them."""
    line = re.search(r"^ +(ACL SETUSER mongocached .*)$", OPERATIONS.read_text(), re.MULTILINE)
    assert line
    return line[1].replace("SECRET", "swordfish").split()


def commands_in_use() -> set[str]:
    """What the sources send to Redis, and what the scripts call there."""
    text = "".join(file.read_text() for file in sorted(STORE.glob("*.cpp")))
    sent = set(re.findall(r"""\.arg\("([A-Z]+)"\)|redis\.p?call\('([A-Z]+)'""", text))
    names = {(a or b).lower() for a, b in sent}
    assert {"script", "load", "auth"} <= names
    return (names - {"script", "load", "auth"}) | {"script|load"}  # everybody may log in


def test_documented_rights_are_those_in_use() -> None:
    granted = {word[1:] for word in documented_rights() if word.startswith("+")}
    assert granted == commands_in_use()


def is_shared(daemon: Daemon, mode: str) -> bool:
    """Redis is used, and whoever is to hear of others does."""
    told = daemon.status()["redis"]
    return told["up"] and (mode == "ttl" or (told["covered"] and told["subscribed"]))


@pytest.mark.parametrize("mode", ["bounded", "strict", "ttl"])
def test_documented_rights_suffice(
    servers: Servers, upstream: Upstream, redis: Redis, films: Films, mode: str
) -> None:
    name = films.database.name
    config = f'[cache]\nmode = "{mode}"\n'
    with redis.client() as operator:
        operator.execute_command(*documented_rights())
        uri = as_user(redis, "mongocached")
        a, b = (servers.daemon(upstream.uri, uri, config=config) for _ in range(2))
        for daemon in (a, b):
            wait_until(lambda daemon=daemon: is_shared(daemon, mode), what="Redis")
        warm(b, name, 20, "redis_hit" if mode == "strict" else "l1_hit")
        wait_until(lambda: len(list(values(operator))) >= 20, what="the entries in Redis")
        with Counted(a) as reader:
            reader.ask(by_id(name, 30))  # proves the right to read
            assert reader.found(by_id(name, 5)) == ("redis_hit", [{"_id": 5, "n": 0}])
        with pymongo.MongoClient(a.uri) as client:
            client[name].films.update_one({"_id": 5}, {"$set": {"n": 1}})
            client[name].films.update_many({"_id": {"$lt": 3}}, {"$set": {"n": 1}})
        if mode != "ttl":
            wait_until(
                lambda: b.metrics().value(INVALIDATIONS, source="push") > 0,
                what="what the other process invalidated",
            )
        assert operator.execute_command("ACL", "LOG") == []
    for daemon in (a, b):
        assert daemon.metrics().value("mongocached_redis_errors_total") == 0
        assert "NOPERM" not in daemon.process.log_text()


def test_no_redis_is_none_configured(servers: Servers, upstream: Upstream) -> None:
    daemon = servers.daemon(upstream.uri)
    told = daemon.status()["redis"]
    assert (told["configured"], told["up"], told["state"]) == (False, False, "not configured")
    assert daemon.metrics().value("mongocached_redis_configured") == 0


def test_redis_with_a_certificate_of_our_own(servers: Servers, upstream: Upstream) -> None:
    redis = TlsRedis(servers.folder())
    servers.running.append(redis)
    redis.start()
    untrusting = servers.daemon(upstream.uri, redis.uri)
    wait_until(lambda: "TLS: " in untrusting.status()["redis"]["state"], what="the refusal")
    config = f'[redis]\ntls_ca = "{redis.certificates.ca}"\n'
    daemon = servers.daemon(upstream.uri, redis.uri, config=config)
    wait_until(lambda: subscribed(daemon) == (True, 1), what="the subscription")
    wait_until(lambda: daemon.status()["redis"]["up"], what="Redis")
    assert not untrusting.status()["redis"]["up"]
