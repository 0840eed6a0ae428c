"""What the daemon needs of a Redis, and what it says of one that does not give it."""

from __future__ import annotations

from support.servers import Daemon, Redis, Servers, Upstream
from support.wait import wait_until

SUBSCRIBED = "mongocached_redis_subscribed"


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
