"""Films that are written past the daemon, and whether it follows the stream that tells of it."""

from __future__ import annotations

import time

from .counted import by_id
from .servers import Daemon, Upstream

MAX_LAG = 1.0  # the default
FILM = by_id("t", 1)


def fill(upstream: Upstream) -> None:
    with upstream.client() as client:
        client.t.films.insert_many([{"_id": i, "n": i, "word": "old"} for i in range(10)])


def write_behind(upstream: Upstream, number: int, id_: int = 1) -> float:
    """When it was acknowledged."""
    with upstream.client() as client:
        assert client.t.films.update_one({"_id": id_}, {"$set": {"n": number}}).modified_count == 1
    return time.monotonic()


def stream_up(daemon: Daemon) -> bool:
    up = daemon.status()["stream"]["up"]
    measured = daemon.metrics().value("mongocached_stream_up") == 1
    assert measured == up or daemon.status()["stream"]["up"] != up, "it may change in between"
    return up
