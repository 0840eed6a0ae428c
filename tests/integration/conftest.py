"""Fixtures: real servers on free ports, each ended by whoever started it.

One upstream and one Redis serve the whole session; a module has a daemon in front of them.
A test that breaks servers starts its own through `servers`. When a test fails, its report shows
what each server logged meanwhile.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pymongo
import pytest
from pymongo.collection import Collection
from pymongo.database import Database
from support.servers import Daemon, Redis, Servers, Upstream

Document = dict[str, Any]
# As in the unit and the image: a daemon that is killed leaves no counters of libmongoc in /dev/shm,
# where the next one with its process id would stumble over them, and say so on stderr.
os.environ["MONGOC_DISABLE_SHM"] = "1"
ALL_SERVERS = pytest.StashKey[list[Servers]]()
LOG_SIZES = pytest.StashKey[dict[Path, int]]()


@pytest.fixture(scope="session")
def session_servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    yield from _owned(request.config)


@pytest.fixture
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    """Starts whatever one test needs for itself, and ends it after the test."""
    yield from _owned(request.config)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Closes what one test enters into it."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def redis(servers: Servers) -> Redis:
    """The test's own."""
    return servers.redis()


@pytest.fixture(scope="session")
def upstream(session_servers: Servers) -> Upstream:
    return session_servers.upstream()


@pytest.fixture(scope="session")
def redis_server(session_servers: Servers) -> Redis:
    return session_servers.redis()


@pytest.fixture(scope="module")
def daemon(
    request: pytest.FixtureRequest, upstream: Upstream, redis_server: Redis
) -> Iterator[Daemon]:
    """The daemon in front of the session's upstream and Redis, for the tests of one module."""
    for servers in _owned(request.config):
        yield servers.daemon(upstream.uri, redis_server.uri)


@pytest.fixture(scope="module", params=["direct", "daemon"])
def uri(request: pytest.FixtureRequest) -> str:
    """Every test that uses it runs twice: straight to the upstream, and through the daemon."""
    return request.getfixturevalue("upstream" if request.param == "direct" else "daemon").uri


@pytest.fixture(scope="session")
def direct(upstream: Upstream) -> Iterator[pymongo.MongoClient[Document]]:
    """A client straight to the upstream, for what happens behind the daemon's back."""
    with upstream.client() as client:
        yield client


@pytest.fixture
def client(uri: str) -> Iterator[pymongo.MongoClient[Document]]:
    with pymongo.MongoClient(uri, serverSelectionTimeoutMS=5000) as client:
        yield client


@pytest.fixture
def database(
    client: pymongo.MongoClient[Document], direct: pymongo.MongoClient[Document]
) -> Iterator[Database[Document]]:
    """A database of the test's own, reached by `uri`."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield client[name]
    direct.drop_database(name)


@pytest.fixture
def films(upstream: Upstream) -> Iterator[Collection[Document]]:
    """300 films in a database of the test's own, straight to the upstream."""
    name = f"films_{uuid.uuid4().hex[:8]}"
    with upstream.client() as direct:
        direct[name].films.insert_many([{"_id": i, "n": 0} for i in range(300)])
        yield direct[name].films
        direct.drop_database(name)


def _owned(config: pytest.Config) -> Iterator[Servers]:
    running = config.stash.setdefault(ALL_SERVERS, [])
    with Servers() as servers:
        running.append(servers)
        yield servers
        running.remove(servers)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[LOG_SIZES] = {
        log: size
        for servers in item.config.stash.get(ALL_SERVERS, [])
        for log, size in servers.log_sizes().items()
    }


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.failed:
        for servers in item.config.stash.get(ALL_SERVERS, []):
            for name, tail in servers.log_tails(item.stash.get(LOG_SIZES, {})):
                report.sections.append((f"{name} log", tail))
    return report
